"""The protocols of a generator family's module and of its trained generators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState

if TYPE_CHECKING:
    import torch


class Generator(Protocol):
    """A trained generator: it samples images and can be saved as files."""

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool: image i depends on (generator, sampler, seed, i) alone.

        Args:
            real: where ``sampler.strength`` is less than 1, the images to start from: see ``guide``.
        """
        ...

    def files(self) -> dict[str, bytes]:
        """The generator's files by relative path; ``synaug.json`` names its family."""
        ...


class WithHead(Generator, Protocol):
    """A generator that was trained together with a classifier."""

    @property
    def head_notes(self) -> dict[str, float]:
        """What its training left to say about the classifier, by name, for a trial's Record."""
        ...

    def log_probabilities(self, images: NDArray[np.uint8], device: torch.device) -> NDArray[np.float64]:
        """Of each class, [N, K], for images [N, C, H, W]."""
        ...


class Family(Protocol):
    """The module of one family of generators that are trained."""

    def train(
        self,
        recipe: Any,
        subset: ImageSet,
        classes: tuple[str, ...],
        seed: int,
        device: torch.device,
        state: bytes | None = None,
        save: SaveState | None = None,
        split: Split = WHOLE,
    ) -> tuple[Generator, int]:
        """Train a Generator on ``subset`` and no other data; returns it and the number of images seen.

        Randomness is a function of (seed, images seen), so a training that is resumed from a saved state gives exactly
        the same result as an uninterrupted one.

        Args:
            classes: their names, in the order of the labels.
            state: a checkpoint to resume from, as passed to ``save``.
            save: called now and then; decides whether to store the state.
            split: how a batch is split. Gradients sum to those of the whole batch up to rounding, except for what
                the network itself draws (dropout). All processes of a group return the same Generator.

        Raises:
            Diverged: if the loss or a weight is not finite, or the loss of denoising ends far above its lowest.
            DamagedState: if ``state`` is not what was saved.
        """
        ...

    def from_files(self, files: dict[str, bytes]) -> Generator:
        """The inverse of ``Generator.files``."""
        ...
