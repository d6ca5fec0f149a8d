"""Images that are all alike: nothing can be learned of them, and a generator fails on them after hours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.text import printable, some
from synaug_ray.data.images import Dataset, ImageSet

TOLERANCE = 2  # of 255 grey levels: less than what re-encoding as JPEG changes
BLOCK = 256  # images compared at a time; the first one that differs ends the comparison


def alike_problems(dataset: Dataset) -> list[str]:
    """A sentence for each split that holds one image only, again and again, and for training images without content."""
    found = []
    for name, part in (("training", dataset.train), ("test", dataset.test)):
        if len(part) < 2:
            continue
        firsts = _alike_classes(part, dataset.num_classes)
        present = len(np.unique(part.labels))
        if len(firsts) == present and len(firsts) > 1:
            images = np.stack([*firsts.values()])
            if _alike(images, images[0]):
                found.append(
                    f"{printable(dataset.name)}: all {len(part):,} {name} images are one and the same, to {TOLERANCE} "
                    "of 255 grey levels: look at them; were they read as they should (data.mode, data.size)?"
                )
            elif name == "training":
                found.append(
                    f"{printable(dataset.name)}: each class has one training image only, again and again "
                    f"({len(firsts):,} different ones of {len(part):,}): there is nothing to generate; add other images"
                )
        elif name == "training" and _one_colour(part.images):
            found.append(
                f"{printable(dataset.name)}: each training image is of one colour, without content: look at them; were "
                "they read as they should (data.mode, data.size)?"
            )
    return found


def alike_classes(dataset: Dataset) -> list[str]:
    """The classes of which all training images are one and the same, where there are two or more."""
    return [dataset.classes[c] for c in _alike_classes(dataset.train, dataset.num_classes)]


def alike_class_note(dataset: Dataset) -> Iterator[str]:
    """A sentence about classes of one image, where others have several."""
    alike = alike_classes(dataset)
    if alike:
        yield (
            f"all training images of class {some(alike)} are one and the same: a generator learns no more than to copy "
            "it"
        )


def _alike_classes(part: ImageSet, num_classes: int) -> dict[int, NDArray[np.uint8]]:
    """Class -> its first image, for the classes of several images that are all alike."""
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
