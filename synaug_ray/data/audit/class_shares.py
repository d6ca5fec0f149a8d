"""Whether the classes have the same shares of the training and of the test images, and why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synaug_ray.common.text import printable
from synaug_ray.data.images import Dataset, ImageSet

SHIFT = 0.1  # difference of a class's share in training and test images that gets a note


@dataclass(frozen=True)
class SharesApart:
    """The class whose shares differ most, where they differ by more than ``SHIFT``."""

    points: float  # between the two shares, in percentage points
    found: str  # both shares
    means: str  # why they differ, and of what the results hold


def shares_apart(dataset: Dataset, before: Dataset | None = None) -> SharesApart | None:
    """Compare the shares; None where they are alike.

    Args:
        before: the data set before test images that are also in train were left out, if any were: if its shares are
            alike, leaving them out is the reason.
    """
    train, test = _shares(dataset.train, dataset), _shares(dataset.test, dataset)
    apart = np.abs(train - test)
    k = int(apart.argmax())
    if apart[k] <= SHIFT:
        return None
    name, left = printable(dataset.classes[k]), ""
    means = "the two come from different populations, and the results hold for that of the test set"
    if before is not None and len(before.test) != len(dataset.test):
        was = _shares(before.test, before)[k]
        left = f" that are left ({was:.0%} of all {len(before.test):,})"
        if abs(train[k] - was) <= SHIFT:
            means = "how many are also in train differs by class, and the results hold for the images that are left"
    found = f"{name} is {train[k]:.0%} of the training images and {test[k]:.0%} of the test images{left}"
    return SharesApart(100 * float(apart[k]), found, means)


def _shares(part: ImageSet, dataset: Dataset) -> np.ndarray:
    counts = np.bincount(part.labels, minlength=dataset.num_classes)
    return counts / max(counts.sum(), 1)
