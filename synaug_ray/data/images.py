"""Labelled images as arrays, independent of their source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """Sizes and modes of a source's images before conversion, counted over all splits."""

    sizes: tuple[tuple[int, int, int], ...] = ()  # (width, height, images) of the most frequent sizes
    num_sizes: int = 0
    smallest: tuple[int, int] = (0, 0)  # (width, height) of the fewest pixels
    largest: tuple[int, int] = (0, 0)
    modes: tuple[tuple[str, int], ...] = ()  # (Pillow's name of the mode, images), most frequent first


@dataclass(frozen=True)
class Dataset:
    """A data set with fixed splits: the test set is used only for the final measurement.

    ``groups`` are the groups (patients) of the train, val and test images, int64 [N] each, numbered alike
    in all three. ``dropped`` are unreadable files that were left out; ``notes`` are the reader's remarks.
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
    names: tuple[NDArray[np.uint8], ...] | None = None  # of train, val and test: ``joined`` names of the images
    judge: ImageSet | None = None  # of ``data.judge``, if that is another source
    test2: ImageSet | None = None  # of ``data.test2``, with the classes numbered as here
    test2_groups: NDArray[np.int64] | None = None  # of the images of ``test2``

    def names_of(self, split: int) -> list[str]:
        """What the source calls the images of train (0), val (1) or test (2): paths, rows; their numbers if unknown."""
        part = (self.train, self.val, self.test)[split]
        if self.names is None:
            return [f"{('train', 'val', 'test')[split]}[{i}]" for i in range(len(part))]
        return separated(self.names[split])

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        c, h, w = self.train.images.shape[1:]
        return int(c), int(h), int(w)


def joined(names: Sequence[str]) -> NDArray[np.uint8]:
    """Names as one array, which is mapped and shared as images are: UTF-8 with a zero byte after each."""
    text = "".join(f"{name}\0" for name in names).encode("utf-8", "backslashreplace")
    return np.frombuffer(text, np.uint8)


def separated(names: NDArray[np.uint8]) -> list[str]:
    """The names in an array of ``joined``."""
    return names.tobytes().decode("utf-8").split("\0")[:-1]


def interleave(turns: Sequence[int], parts: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """Rows of several arrays as one: row i is the next one of ``parts[turns[i]]``, [len(turns), ...]."""
    whose, any_part = np.asarray(turns, np.int64), next(iter(parts.values()))
    rows = np.empty((len(whose), *any_part.shape[1:]), any_part.dtype)
    for i, part in parts.items():
        at = np.flatnonzero(whose == i)
        rows[at] = part[: len(at)]
    return rows


def concatenate(first: ImageSet, second: ImageSet) -> ImageSet:
    """The images of both, in order."""
    return ImageSet(np.concatenate([first.images, second.images]), np.concatenate([first.labels, second.labels]))
