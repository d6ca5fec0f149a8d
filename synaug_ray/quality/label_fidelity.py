"""Whether images show the requested class, according to classifiers trained on real images, never on test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synaug_ray.data.images import ImageSet
from synaug_ray.quality.intervals import Interval, share
from synaug_ray.quality.label_classifiers import LabelClassifiers

LEAST = 20  # no share is reported for fewer images
ABLE = 0.5  # (reference - chance) / (1 - chance) below which the classifiers cannot tell good images from poor ones


@dataclass(frozen=True)
class ClassFidelity:
    """Agreement within one class; None if it has too few images."""

    label: int
    agreement: Interval | None  # share of the pool's images of this class that are classified as it
    reference: Interval | None  # the same share of held-out real images


@dataclass(frozen=True)
class LabelFidelity:
    """How often the classifiers see the requested class, and their accuracy on held-out real images.

    ``skill`` is (agreement - chance) / (reference - chance): 1 for real images, 0 if labels and images are independent.
    It is None if the classifiers are wrong too often even on real images (``ABLE``): poor classifiers see no difference
    between real images and images that hardly show their class.
    """

    num_judged: int  # images of the pool
    num_training: int  # real images that the classifiers were trained on
    agreement: Interval  # share of the pool's images that are classified as the requested class
    reference: Interval | None  # held-out real images, weighted to the pool's class proportions
    chance: float  # agreement if the same labels and predictions were independent
    skill: Interval | None
    by_class: tuple[ClassFidelity, ...]


def label_fidelity(
    classifiers: LabelClassifiers, pool: ImageSet, held_out: ImageSet, confidence: float = 0.9
) -> LabelFidelity | None:
    """How often labels and classifiers agree on ``pool`` and ``held_out``; None for pools of fewer than 20 images."""
    if len(pool) < LEAST:
        return None
    seen = classifiers.log_probabilities(pool).argmax(1)
    real = classifiers.log_probabilities(held_out).argmax(1) == held_out.labels if len(held_out) else np.zeros(0, bool)
    classes = np.unique(pool.labels)
    by_class, weights = [], []
    for c in classes:
        mine, theirs = pool.labels == c, held_out.labels == c
        by_class.append(
            ClassFidelity(
                int(c),
                share(float((seen[mine] == c).sum()), float(mine.sum()), confidence) if mine.sum() >= LEAST else None,
                share(float(real[theirs].sum()), float(theirs.sum()), confidence) if theirs.sum() >= LEAST else None,
            )
        )
        weights.append(float(mine.mean()))
    agreement = share(float((seen == pool.labels).sum()), len(pool), confidence)
    reference = _reference(real, held_out, classes, weights, confidence)
    chance = float(sum(w * (seen == c).mean() for c, w in zip(classes, weights, strict=True)))
    return LabelFidelity(
        len(pool),
        len(classifiers.training),
        agreement,
        reference,
        chance,
        _skill(agreement, reference, chance),
        tuple(by_class),
    )


def _reference(
    right: NDArray[np.bool_], held_out: ImageSet, classes: NDArray[np.int64], weights: list[float], confidence: float
) -> Interval | None:
    """Accuracy on held-out images, weighted to the pool's class proportions."""
    if len(held_out) < LEAST:
        return None
    counts = np.array([(held_out.labels == c).sum() for c in classes])
    present = counts > 0
    if not present.any():
        return None
    w = np.array(weights)[present] / np.sum(np.array(weights)[present])
    p = np.array([right[held_out.labels == c].mean() for c in classes[present]])
    effective = 1 / float((w**2 / counts[present]).sum())  # size of an unweighted sample with the same precision
    return share(float(w @ p) * effective, effective, confidence)


def _skill(agreement: Interval, reference: Interval | None, chance: float) -> Interval | None:
    if reference is None or reference.low <= chance or reference.value - chance < ABLE * (1 - chance):
        return None
    # by linear error propagation; with differences of logarithms, a skill could not be zero
    value = (agreement.value - chance) / (reference.value - chance)
    span = reference.value - chance
    down = np.hypot(agreement.value - agreement.low, value * (reference.high - reference.value)) / span
    up = np.hypot(agreement.high - agreement.value, value * (reference.value - reference.low)) / span
    return Interval(value, float(value - down), float(value + up))
