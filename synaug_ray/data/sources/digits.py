"""``digits``: scikit-learn's 1,797 greyscale 8x8 images, bundled with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from synaug_ray.data.sources.base import Part, Sample, Source

TEST, VAL = 600, 197  # leaves 1,000 training images


def open_digits() -> Source:
    """The digits, rescaled from 0..16 to 0..255."""
    from sklearn.datasets import load_digits

    raw: Any = load_digits()
    images = np.round(raw.images * (255 / 16)).astype(np.uint8)

    def samples() -> Iterator[Sample]:
        for i, (pixels, label) in enumerate(zip(images, raw.target, strict=True)):
            yield Sample(f"digits[{i}]", pixels, int(label))

    return Source(tuple("0123456789"), {"train": Part(len(images), samples)}, held=(TEST, VAL))
