"""Images as arrays: nothing here knows where they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageSet:
    """``images``: uint8 [N, C, H, W]; ``labels``: int64 [N], each in [0, number of classes)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64]) -> ImageSet:
        """The images at ``index``, copied."""
        return ImageSet(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Found:
    """What a source's images were before they were made one size and mode; counts are of all splits together."""

    sizes: tuple[tuple[int, int, int], ...] = ()  # (width, height, images), most frequent first, of the commonest
    num_sizes: int = 0
    smallest: tuple[int, int] = (0, 0)  # (width, height) of the fewest pixels
    largest: tuple[int, int] = (0, 0)
    modes: tuple[tuple[str, int], ...] = ()  # (Pillow's name of it, images), most frequent first


@dataclass(frozen=True)
class Dataset:
    """A data set split once and for all: the test set is touched by nothing but the final measurement.

    ``groups`` are the train, val and test images' groups (patients), int64 [N] each; the same number
    is the same group in all three. ``dropped`` are files left out because they could not be read;
    ``notes`` are sentences on what the reader decided.
    """

    name: str
    train: ImageSet
    val: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    groups: tuple[NDArray[np.int64], ...] | None = None
    found: Found = Found()
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        c, h, w = self.train.images.shape[1:]
        return int(c), int(h), int(w)


def concatenate(first: ImageSet, second: ImageSet) -> ImageSet:
    """The images of both, in order."""
    return ImageSet(np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels]))
