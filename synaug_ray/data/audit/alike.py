"""Finds identical images: nothing can be learned from them, and a generator would fail on them only after hours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.errors import Message
from synaug_ray.common.text import printable, some
from synaug_ray.data.images import Dataset, ImageSet

TOLERANCE = 2  # of 255 grey levels: less than what re-encoding as JPEG changes
BLOCK = 256  # images compared at a time; the comparison ends at the first block with a difference


def alike_problems(dataset: Dataset) -> list[Message]:
    """Messages about splits of identical images, classes of one image each, and training images without content."""
    found, name = [], printable(dataset.name)
    reading = "look at them; were they read correctly (data.mode, data.size)?"
    for split, part in (("training", dataset.train), ("test", dataset.test)):
        if len(part) < 2:
            continue
        firsts = _alike_classes(part, dataset.num_classes)
        present = len(np.unique(part.labels))
        if len(firsts) == present and len(firsts) > 1:
            images = np.stack([*firsts.values()])
            if _alike(images, images[0]):
                text = (
                    f"all {len(part):,} {split} images are identical, within {TOLERANCE} of 255 grey levels: {reading}"
                )
                found.append(Message(text, name, "identical-images", split))
            elif split == "training":
                text = (
                    f"all training images of a class are identical ({len(firsts):,} different ones among "
                    f"{len(part):,}): there is nothing to generate; add other images"
                )
                found.append(Message(text, name, "one-image-per-class", f"{len(firsts):,}"))
        elif split == "training" and _one_colour(part.images):
            text = f"each training image is of one colour, without content: {reading}"
            found.append(Message(text, name, "uniform-images"))
    return found


def alike_classes(dataset: Dataset) -> list[str]:
    """The classes of two or more training images that are all identical."""
    return [dataset.classes[c] for c in _alike_classes(dataset.train, dataset.num_classes)]


def alike_class_note(dataset: Dataset) -> Iterator[str]:
    """A note on classes whose images are identical, while those of others are not."""
    alike = alike_classes(dataset)
    if alike:
        yield (f"all training images of class {some(alike)} are identical: a generator can only learn to copy them")


def _alike_classes(part: ImageSet, num_classes: int) -> dict[int, NDArray[np.uint8]]:
    """Class -> its first image, for classes of several images that are all identical."""
    found = {}
    for c in range(num_classes):
        index = np.flatnonzero(part.labels == c)
        if len(index) > 1:
            first = part.images[index[0]]
            blocks = (part.images[index[i : i + BLOCK]] for i in range(0, len(index), BLOCK))
            if all(_alike(block, first) for block in blocks):
                found[c] = first
    return found


def _alike(images: NDArray[np.uint8], first: NDArray[np.uint8]) -> bool:
    return bool((np.abs(images.astype(np.int16) - first) <= TOLERANCE).all())


def _one_colour(images: NDArray[np.uint8]) -> bool:
    if images.shape[2] * images.shape[3] < 2:
        return False
    blocks = (images[i : i + BLOCK] for i in range(0, len(images), BLOCK))
    return all(bool((np.abs(b.astype(np.int16) - b[:, :, :1, :1]) <= TOLERANCE).all()) for b in blocks)
