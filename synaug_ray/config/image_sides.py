"""The shape of a grid's images as far as the grid says it, and whether a generator's network can take their side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synaug_ray.common.text import times
from synaug_ray.config.generator_recipes import GeneratorRecipe, ViTGANRecipe

if TYPE_CHECKING:
    from synaug_ray.config.spec import GridSpec

# (channels, pixels a side) of the built-in data sets with images of one size
SHAPES = {
    "digits": (1, 8),
    "usps": (1, 16),
    "semeion": (1, 16),
    "mnist": (1, 28),
    "fashionmnist": (1, 28),
    "kmnist": (1, 28),
    "emnist-balanced": (1, 28),
    "cifar10": (3, 32),
    "cifar100": (3, 32),
    "svhn": (3, 32),
    "eurosat": (3, 64),
    "stl10": (3, 96),
    "pcam": (3, 96),
}


def image_shape(spec: GridSpec) -> tuple[int, int, int] | None:
    """(channels, height, width) of the networks' input; None if this depends on the images.

    Where only the channels are unknown, three are assumed.
    """
    channels, side = SHAPES.get(spec.dataset, (3, None))
    if spec.dataset.startswith("medmnist:"):
        _, at, given = spec.dataset.partition("@")
        side = int(given) if given.isdecimal() and len(given) < 5 else None if at else 28
    channels = {"gray": 1, "rgb": 3, None: channels}[spec.data.mode]
    side = spec.data.size or side
    return (channels, side, side) if side else None


def halving(recipe: GeneratorRecipe, side: int) -> str | None:
    """Why a network cannot take this side (pixels), if so: it halves its images, or cuts them into patches."""
    if isinstance(recipe, ViTGANRecipe):
        return _patches(recipe, side)
    divisor = 2 ** min(recipe.halvings, 64)
    if not side % divisor:
        return None
    return (
        f"{recipe.name} halves its images {times(recipe.halvings)}, so their side must be a multiple of {divisor}, got "
        f"{side} pixels; set data.size: {-(-side // divisor) * divisor}, or use fewer channels"
    )


def _patches(recipe: ViTGANRecipe, side: int) -> str | None:
    patch = recipe.patch
    if not side % patch:
        return None
    fitting = [p for p in range(2, side) if not side % p]
    other = f", or patch: {min(fitting, key=lambda p: abs(p - patch))}" if fitting else ""
    return (
        f"{recipe.name} cuts its images into patches of {patch} pixels a side, so their side must be a multiple of "
        f"that, got {side} pixels; set data.size: {-(-side // patch) * patch}{other}"
    )
