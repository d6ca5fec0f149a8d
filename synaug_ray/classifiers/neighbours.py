"""k nearest neighbours in frozen features, their number chosen on validation images.

Features are centred and scaled to length 1. Each of an image's k nearest rows votes for its label with its weight,
which carries the mixture as in ``head``; one vote of average weight is shared by all classes, so that none has
probability 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NUMBERS = (1, 2, 4, 8, 16, 32, 64, 128)  # of neighbours that are tried
AT_ONCE = 512  # images that are compared with all rows


@dataclass(frozen=True)
class Neighbours:
    """Training rows with labels and weights, of which the ``k`` nearest vote."""

    rows: Array  # [N, D], of length 1
    labels: NDArray[np.int64]  # [N]
    weight: Array  # [N], of mean 1
    mean: Array  # [D]
    num_classes: int
    k: int

    def log_probabilities(self, z: Array) -> Array:
        """Of features [M, D]: [M, classes]."""
        return np.concatenate([self._voted(near)[:, -1] for near in self._nearest(z, self.k)])

    def _nearest(self, z: Array, most: int) -> Iterator[NDArray[np.int64]]:
        """The nearest rows of features [M, D], nearest first, in parts [m, most]."""
        for start in range(0, len(z), AT_ONCE):
            likeness = _unit(z[start : start + AT_ONCE] - self.mean) @ self.rows.T
            # stable: of rows that are equally near the first counts
            yield np.argsort(-likeness, axis=1, kind="stable")[:, :most]

    def _voted(self, near: NDArray[np.int64]) -> Array:
        """Log probabilities by the first 1, 2, ... of the nearest rows: [m, most, classes]."""
        votes = np.zeros((*near.shape, self.num_classes))
        m, k = np.indices(near.shape)
        votes[m, k, self.labels[near]] = self.weight[near]
        votes = votes.cumsum(1) + 1 / self.num_classes
        return np.log(votes / votes.sum(2, keepdims=True))


def choose(
    features: Array,
    labels: NDArray[np.int64],
    weight: Array,
    num_classes: int,
    validation: Array,
    validation_labels: NDArray[np.int64],
) -> Neighbours:
    """The number of neighbours that gives validation images [V, D] the highest likelihood; the least of equals.

    Args:
        features: of the training rows, [N, D].
        weight: of the rows, [N].
    """
    weight = weight / weight.mean()
    mean = weight @ features / len(features)
    every = Neighbours(_unit(features - mean), labels, weight, mean, num_classes, 1)
    numbers = [k for k in NUMBERS if k <= len(features)]
    likelihood, start = np.zeros(len(numbers)), 0
    for near in every._nearest(validation, numbers[-1]):
        at = np.arange(len(near))
        log_p = every._voted(near)[:, np.array(numbers) - 1]  # [m, numbers, classes]
        likelihood += log_p[at, :, validation_labels[start : start + len(near)]].sum(0)
        start += len(near)
    chosen = numbers[int(np.argmax(likelihood))]
    return Neighbours(every.rows, labels, weight, mean, num_classes, chosen)


def _unit(rows: Array) -> Array:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
