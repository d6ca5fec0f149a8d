"""Maps the name of a family to its module; the only code that does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug_ray.config.generator_recipes import GeneratorRecipe, ReferenceRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.base import Family, Generator
from synaug_ray.generators.model_card import model_card
from synaug_ray.generators.reference import ReferenceGenerator
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState

if TYPE_CHECKING:
    import torch


def family(name: str) -> Family:
    """The module of a family, imported on demand because torch and diffusers take 3 s.

    Raises:
        KeyError: if no family that is trained has this name.
    """
    match name:
        case "edm":
            from synaug_ray.generators import edm

            return edm
        case "ddpm":
            from synaug_ray.generators import ddpm

            return ddpm
        case "latent":
            from synaug_ray.generators import latent

            return latent
        case "lora":
            from synaug_ray.generators import lora

            return lora
        case "inversion":
            from synaug_ray.generators import inversion

            return inversion
        case "gan":
            from synaug_ray.generators import gan

            return gan
        case "vit-gan":
            from synaug_ray.generators import vit_gan

            return vit_gan
        case "pretrained":
            from synaug_ray.generators import pretrained

            return pretrained
    raise KeyError(f"no trained family {name!r}")


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
    """Train a generator; returns its files with its model card (none for reference generators), and images seen."""
    if isinstance(recipe, ReferenceRecipe):
        return {}, 0
    generator, nimg = family(recipe.family).train(recipe, subset, classes, seed, device, state, save, split)
    files = generator.files()
    return files | {"README.md": model_card(recipe, subset, classes, nimg, chosen_in(files)).encode()}, nimg


def chosen_in(files: Mapping[str, bytes]) -> Mapping[str, Any] | None:
    """What chose by how much low-rank changes are applied (``lora_scale.Chosen``), as JSON; None where nothing did."""
    return json.loads(files.get("synaug.json", b"{}")).get("chosen")


def load(
    recipe: GeneratorRecipe, files: dict[str, bytes], train: ImageSet, order: NDArray[np.int64], num_real: int
) -> Generator:
    """Load a Generator from its files; a reference generator has none, but uses the images ``train`` in ``order``."""
    if isinstance(recipe, ReferenceRecipe):
        return ReferenceGenerator(recipe, train, order, num_real)
    return from_files(files)


def from_files(files: dict[str, bytes]) -> Generator:
    """Load a trained Generator, of the family that its files name; the oldest files name none, and are all EDM."""
    return family(json.loads(files["synaug.json"]).get("family", "edm")).from_files(files)
