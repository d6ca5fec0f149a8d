"""Reference generators, which are not trained: lower and upper bounds for trained generators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.keys import derive_seed
from synaug_ray.config.generator_recipes import ReferenceRecipe
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import class_sequence

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ReferenceGenerator:
    """A reference generator of one draw and ``num_real``; it makes images from real ones on demand."""

    recipe: ReferenceRecipe
    train: ImageSet  # all training images
    order: NDArray[np.int64]  # the draw's permutation of them, [N]
    num_real: int

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Images ``index`` of the pool, whatever the sampler and the device."""
        return reference_images(self.recipe, self.train, self.order, self.num_real, index, seed)

    def files(self) -> dict[str, bytes]:
        """No files: the generator consists of the real images and the recipe."""
        return {}


def reference_images(
    recipe: ReferenceRecipe, train: ImageSet, order: NDArray[np.int64], num_real: int, index: range, seed: int
) -> ImageSet:
    """Images ``index`` of the pool of a reference generator.

    Args:
        train: all training images.
        order: the draw's permutation of them, int64 [N]; the Subset is ``order[:num_real]``, which only held-out
            images can do without.
        index: which images of the pool.
        seed: of all random numbers.

    Returns:
        One image for each of ``index``; fewer if held-out images run out, see ``ReferenceRecipe.most_images``.
    """
    end = recipe.most_images(len(order), num_real)
    if end is not None:
        index = range(index.start, min(index.stop, end))  # the last shard of a finite pool is shorter
    at, subset = np.arange(index.start, index.stop), order[:num_real]
    near = subset if num_real else order
    if recipe.family in ("real-holdout", "label-shuffle"):
        held = order[num_real:]
        if recipe.family == "real-holdout":
            return train.take(held[at])
        counts = np.bincount(train.labels[near])
        if recipe.share < 1:
            return _dealt(train.take(held[at]), recipe.share, counts, index, seed)
        shuffled = np.random.default_rng(derive_seed("shuffle", seed)).permutation(held)
        return ImageSet(train.images[shuffled[at]], class_sequence(counts, index.stop)[index.start :])
    images = train.take(order[num_real:][at] if recipe.of == "held-out" else order[at % num_real])
    if recipe.family == "jitter":
        return _jitter(images, float(train.images[near].std()), recipe.noise, index, seed)
    if recipe.family == "mixup":
        return _mixup(images, train.take(subset), recipe.alpha, index, seed)
    return images if recipe.family == "duplicate" else _augment(images, recipe, index, seed)


def _dealt(images: ImageSet, share: float, counts: NDArray[np.int64], index: range, seed: int) -> ImageSet:
    """The same images; each gets, with probability ``share``, a label drawn in proportion to ``counts`` [K]."""
    labels = images.labels.copy()
    for row, i in enumerate(index):
        rng = np.random.default_rng(derive_seed("deal", seed, i))
        if rng.random() < share:
            labels[row] = rng.choice(len(counts), p=counts / counts.sum())
    return ImageSet(images.images, labels)


def _jitter(images: ImageSet, spread: float, noise: float, index: range, seed: int) -> ImageSet:
    out = np.empty_like(images.images)
    for row, i in enumerate(index):
        rng = np.random.default_rng(derive_seed("jitter", seed, i))
        moved = images.images[row] + noise * spread * rng.standard_normal(images.images.shape[1:])
        out[row] = np.clip(np.round(moved), 0, 255)
    return ImageSet(out, images.labels)


def _mixup(images: ImageSet, subset: ImageSet, alpha: float, index: range, seed: int) -> ImageSet:
    """Mix image i of the repeated Subset with another image of its class; a class's only image is just repeated."""
    members = {int(c): np.flatnonzero(subset.labels == c) for c in np.unique(subset.labels)}
    out = np.empty_like(images.images)
    for row, i in enumerate(index):
        rng = np.random.default_rng(derive_seed("mixup", seed, i))
        others = members[int(images.labels[row])]
        others = others[others != i % len(subset)]
        partner = subset.images[rng.choice(others)] if len(others) else images.images[row]
        share = rng.beta(alpha, alpha)
        out[row] = np.round(share * images.images[row] + (1 - share) * partner.astype(np.float64))
    return ImageSet(out, images.labels)


def _augment(images: ImageSet, recipe: ReferenceRecipe, index: range, seed: int) -> ImageSet:
    """Apply torchvision's affine transform: bilinear, padded with the edge pixels."""
    import torch
    from torchvision.transforms.v2 import functional as transforms

    side = images.images.shape[-1]
    margin = -(-side // 2)
    out = np.empty_like(images.images)
    for row, i in enumerate(index):
        rng = np.random.default_rng(derive_seed("augment", seed, i))
        flipped, turn, size, right, down = rng.random(), *rng.uniform(-1, 1, 4)
        image = torch.from_numpy(images.images[row]).float()
        wide = transforms.pad(image, [margin], padding_mode="edge")
        moved = transforms.affine(
            wide,
            angle=recipe.rotate * turn,
            scale=1 + recipe.scale * size,
            shear=[0.0, 0.0],
            translate=[recipe.shift * side * right, recipe.shift * side * down],
            interpolation=transforms.InterpolationMode.BILINEAR,
        )
        moved = transforms.center_crop(moved, [side, side])
        if recipe.flip and flipped < 0.5:
            moved = transforms.horizontal_flip(moved)
        out[row] = moved.round().clamp(0, 255).to(torch.uint8).numpy()
    return ImageSet(out, images.labels)
