"""``digits``: scikit-learn's 1,797 grey 8x8 images, in the box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from synaug_ray.data.sources.base import Part, Sample, Source

TEST, VAL = 600, 197  # so that 1,000 are left to train on


def open_digits() -> Source:
    """Values of 0 to 16 become 0 to 255."""
    from sklearn.datasets import load_digits

    raw: Any = load_digits()
    images = np.round(raw.images * (255 / 16)).astype(np.uint8)

    def samples() -> Iterator[Sample]:
        for i, (pixels, label) in enumerate(zip(images, raw.target, strict=True)):
            yield Sample(f"digits[{i}]", pixels, int(label))

    return Source(tuple("0123456789"), {"train": Part(len(images), samples)}, held=(TEST, VAL))
