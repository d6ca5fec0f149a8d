"""Reference generators: they learn nothing, and what is learnt has to beat them or be beaten by them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import class_sequence
from synaug_ray.keys import derive_seed
from synaug_ray.recipes import ReferenceRecipe


def replay(recipe: ReferenceRecipe, train: ImageSet, order: NDArray[np.int64], num_real: int, index: range,
           seed: int) -> ImageSet:
    """Images ``index`` of the pool of a reference generator.

    Args:
        train: all training images.
        order: the draw's permutation of them, int64 [N]; the Subset is ``order[:num_real]``.
        index: which images of the pool.
        seed: of the jitter and of the shuffling.

    Returns:
        One image for each of ``index``; fewer where held-out images end, ``available`` says when.
    """
    end = available(recipe, len(order), num_real)
    if end is not None:
        index = range(index.start, min(index.stop, end))  # the last shard of a pool that ends is a short one
    at = np.arange(index.start, index.stop)
    if recipe.family == "duplicate":
        return train.take(order[at % num_real])
    if recipe.family == "jitter":
        return _jitter(train.take(order[at % num_real]), train.take(order[:num_real]), recipe.noise, index, seed)
    held = order[num_real:]
    if recipe.family == "real-holdout":
        return train.take(held[at])
    counts = np.bincount(train.labels[order[:num_real]])
    shuffled = np.random.default_rng(derive_seed("shuffle", seed)).permutation(held)
    return ImageSet(train.images[shuffled[at]], class_sequence(counts, index.stop)[index.start:])


def available(recipe: ReferenceRecipe, num_train: int, num_real: int) -> int | None:
    """How many images its pool has at most; None is without end."""
    return num_train - num_real if recipe.family in ("real-holdout", "label-shuffle") else None


def _jitter(images: ImageSet, subset: ImageSet, noise: float, index: range, seed: int) -> ImageSet:
    scale = noise * float(subset.images.std())
    out = np.empty_like(images.images)
    for row, i in enumerate(index):
        rng = np.random.default_rng(derive_seed("jitter", seed, i))
        moved = images.images[row] + scale * rng.standard_normal(images.images.shape[1:])
        out[row] = np.clip(np.round(moved), 0, 255)
    return ImageSet(out, images.labels)
