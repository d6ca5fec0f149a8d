"""The gap between real and synthetic images: a real-versus-synthetic classifier, and class subspaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import subspace_angles, svd

from synaug_ray.common.keys import derive_seed
from synaug_ray.data.images import ImageSet, concatenate
from synaug_ray.quality.features import BATCH, Classifier, train_in_order
from synaug_ray.quality.intervals import Interval, share, weighted_mean
from synaug_ray.quality.nearest import nearest, pixels, with_mirrored
from synaug_ray.training.batching import passes

FOLDS = 3
INFLATION = 1 + FOLDS / (
    FOLDS - 1
)  # factor of the variance, because folds share training images (Nadeau and Bengio 2003, Machine Learning 52)
LEAST = 50  # images of each kind that the classifier needs
NIMG = 6_400  # images seen in training one classifier
RANK = 3  # dimension of a class subspace
LEAST_A_CLASS = 2 * RANK
SPLITS = 10  # random halves of the real images over which the subspace overlap is averaged


@dataclass(frozen=True)
class DomainClassifier:
    """Balanced accuracy of a real-versus-synthetic classifier on unseen images; 0.5 means indistinguishable."""

    num_real: int
    num_synthetic: int
    accuracy: Interval
    real_recognised: float  # share of real images classified as real
    synthetic_recognised: float  # share of synthetic images classified as synthetic


@dataclass(frozen=True)
class SubspaceOverlap:
    """Mean squared cosine of the principal angles between a class's real and synthetic subspaces, in [0, 1]."""

    rank: int
    overlap: float  # mean over classes
    real: float  # the same between two disjoint sets of real images of the same size
    classes: tuple[int, ...]  # those with enough images


def real_versus_synthetic(
    subset: ImageSet,
    pool: ImageSet,
    held_out: ImageSet,
    seed: int,
    device: torch.device,
    confidence: float = 0.9,
    mirrors: bool = False,
) -> DomainClassifier | None:
    """Cross-validate a classifier of real (``subset``, ``held_out``) versus synthetic images.

    An image is in the fold of its nearest Subset image, so that a copy and its original, or two copies of the same
    image, are never in training and test at once: the classifier has to learn what synthetic images look like, and
    cannot memorise them. Held-out images must have the pool's class proportions, since otherwise the class would give
    the answer away. Returns None with fewer than 50 images of either kind.
    """
    real = concatenate(subset, held_out)
    if min(len(real), len(pool)) < LEAST:
        return None
    synthetic = pool.take(np.arange(min(len(pool), 4 * len(real))))
    seen = with_mirrored(subset) if mirrors else subset
    anchor = np.resize(np.random.default_rng(derive_seed("folds", seed)).permutation(len(subset)) % FOLDS, len(seen))
    fold_real, fold_synthetic = (_folds(images, seen, anchor, device, seed) for images in (real, synthetic))
    right_real, right_synthetic = np.empty(len(real), bool), np.empty(len(synthetic), bool)
    for f in range(FOLDS):
        known = real.take(np.flatnonzero(fold_real != f)), synthetic.take(np.flatnonzero(fold_synthetic != f))
        classifier = _train(*known, derive_seed("domain", seed, f), device)
        for images, fold, right, kind in (
            (real, fold_real, right_real, 0),
            (synthetic, fold_synthetic, right_synthetic, 1),
        ):
            mine = np.flatnonzero(fold == f)
            if len(mine):
                right[mine] = classifier.log_probabilities(images.take(mine)).argmax(1) == kind
    shares = [_share(right, images, confidence) for right, images in ((right_real, real), (right_synthetic, synthetic))]
    return DomainClassifier(
        len(real), len(synthetic), weighted_mean(shares, [0.5, 0.5]), shares[0].value, shares[1].value
    )


def subspace_overlap(
    real: ImageSet, real_features: NDArray[np.float32], pool: ImageSet, pool_features: NDArray[np.float32], seed: int
) -> SubspaceOverlap | None:
    """Overlap of real and synthetic class subspaces in a feature space trained on real images.

    A class's subspace is spanned by the RANK leading right singular vectors of its features, which are not centred, so
    that it includes the mean direction. A class's real images are split at random into halves, SPLITS times; one half
    is compared with synthetic images and with the other half. Principal angles are those of Bjorck and Golub 1973
    (Mathematics of Computation 27), by scipy. Returns None if no class has 12 real and 6 synthetic images.
    """
    rng = np.random.default_rng(derive_seed("halves", seed))
    angles, angles_real, classes = [], [], []
    for c in np.unique(real.labels):
        mine, theirs = (f[s.labels == c] for s, f in ((real, real_features), (pool, pool_features)))
        half = min(len(mine) // 2, len(theirs))
        if half < LEAST_A_CLASS or min(np.linalg.matrix_rank(mine), np.linalg.matrix_rank(theirs)) < RANK:
            continue
        classes.append(int(c))
        for _ in range(SPLITS):
            order, other = rng.permutation(len(mine)), rng.permutation(len(theirs))
            here, there, fake = (
                _basis(f) for f in (mine[order[:half]], mine[order[half : 2 * half]], theirs[other[:half]])
            )
            angles.append(subspace_angles(here, fake))
            angles_real.append(subspace_angles(here, there))
    if not classes:
        return None
    return SubspaceOverlap(
        RANK,
        float((np.cos(angles) ** 2).mean()),
        float((np.cos(angles_real) ** 2).mean()),
        tuple(classes),
    )


def _share(right: NDArray[np.bool_], images: ImageSet, confidence: float) -> Interval:
    """Share of correct answers; for the width of the interval, identical images count once.

    Without INFLATION, 90% intervals covered 0.5 for real versus real digits in only 11 of 16 draws.
    """
    different = len(np.unique(images.images.reshape(len(images), -1), axis=0)) / INFLATION
    return share(float(right.mean()) * different, different, confidence)


def _basis(features: NDArray[np.float32]) -> NDArray[np.float64]:
    return svd(features.astype(np.float64), full_matrices=False)[2][:RANK].T


def _folds(
    images: ImageSet, subset: ImageSet, anchor: NDArray[np.int64], device: torch.device, seed: int
) -> NDArray[np.int64]:
    fold = anchor[nearest(pixels(images), pixels(subset), 1, device)[1][:, 0]]
    if np.bincount(fold, minlength=FOLDS).max() <= 0.6 * len(images):
        return fold
    # in case nearly all images have the same few neighbours, which would leave folds without images
    return np.random.default_rng(derive_seed("images", seed)).permutation(len(images)) % FOLDS


def _train(real: ImageSet, synthetic: ImageSet, seed: int, device: torch.device) -> Classifier:
    """Train on batches with equal numbers of real and synthetic images, whatever their counts."""
    both = ImageSet(
        concatenate(real, synthetic).images, np.repeat(np.array([0, 1], np.int64), [len(real), len(synthetic)])
    )
    steps, half = NIMG // BATCH, BATCH // 2
    order = torch.cat(
        [
            offset + passes(size, derive_seed("domain", seed, offset), 0, steps * half).view(steps, half)
            for offset, size in ((0, len(real)), (len(real), len(synthetic)))
        ],
        1,
    )
    return train_in_order(both, 2, order, seed, device)
