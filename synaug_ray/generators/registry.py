"""The seam: what a Generator is, and which module makes which family. Nothing above knows a family by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from synaug_ray.config.recipes import GeneratorRecipe, ReferenceRecipe, SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.model_card import model_card
from synaug_ray.generators.reference import ReferenceGenerator
from synaug_ray.training.distributed import WHOLE, Split

if TYPE_CHECKING:
    import torch

SaveState = Callable[[Callable[[], bytes], int], None]  # (the state, made when asked for; nimg so far)


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


def family(name: str) -> Family:
    """The module of a family; torch and diffusers (3 s of a core to import) come with it and not before."""
    match name:
        case "edm":
            from synaug_ray.generators import edm

            return edm
        case "ddpm":
            from synaug_ray.generators import ddpm

            return ddpm
        case "gan":
            from synaug_ray.generators import gan

            return gan
        case "pretrained":
            from synaug_ray.generators import pretrained

            return pretrained
    raise KeyError(f"no learnt family {name!r}")


def train(
    recipe: GeneratorRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[dict[str, bytes], int]:
    """A generator as files, with its model card, and how many images it has seen; references are no files."""
    if isinstance(recipe, ReferenceRecipe):
        return {}, 0
    generator, nimg = family(recipe.family).train(recipe, subset, classes, seed, device, state, save, split)
    return generator.files() | {"README.md": model_card(recipe, subset, classes, nimg).encode()}, nimg


def load(
    recipe: GeneratorRecipe, files: dict[str, bytes], train: ImageSet, order: NDArray[np.int64], num_real: int
) -> Generator:
    """The Generator that ``train`` made files of; a reference one is its draw: ``order`` of the images ``train``."""
    if isinstance(recipe, ReferenceRecipe):
        return ReferenceGenerator(recipe, train, order, num_real)
    return from_files(files)


def from_files(files: dict[str, bytes]) -> Generator:
    """A learnt Generator of the family that its files name; the first ones, all EDM, named none."""
    return family(json.loads(files["synaug.json"]).get("family", "edm")).from_files(files)
