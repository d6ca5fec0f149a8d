"""Maps a family's name to its module. No other code knows a family by its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synaug_ray.config.recipes import GeneratorRecipe, ReferenceRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.base import Family, Generator
from synaug_ray.generators.model_card import model_card
from synaug_ray.generators.reference import ReferenceGenerator
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState

if TYPE_CHECKING:
    import torch


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
