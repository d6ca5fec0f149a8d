"""What a generator family provides: the protocols that every family's module and its generators keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState

if TYPE_CHECKING:
    import torch


class Generator(Protocol):
    """A generator that is done: it makes images, and it is files."""

    def sample(self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device) -> ImageSet:
        """Images ``index`` of the pool: image i depends on (generator, sampler, seed, i) alone."""
        ...

    def files(self) -> dict[str, bytes]:
        """The generator by relative path; ``synaug.json`` among them says its family."""
        ...


class Family(Protocol):
    """A module of one learnt family."""

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
        """A Generator that has seen ``subset`` and nothing else of the data, and how many images it has seen.

        Randomness is a function of (seed, images seen), so a training that goes on from a saved state ends
        like one that was never stopped.

        Args:
            state: where to go on from, as ``save`` got it.
            save: called now and then; it decides whether to keep the state.
            split: how a batch goes through the network. The sum is that of the whole batch up to rounding, but for
                what the network itself draws (dropout). Each process of a group ends with the same Generator.

        Raises:
            Diverged: where the loss or a weight is not finite.
            DamagedState: where ``state`` is not what was saved.
        """
        ...

    def from_files(self, files: dict[str, bytes]) -> Generator:
        """The Generator whose ``files`` these are."""
        ...
