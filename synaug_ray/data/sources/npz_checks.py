"""What is wrong with the arrays of an .npz: their names, their shapes, the numbers of the classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.text import some
from synaug_ray.data.decoding.decode import MAX_PIXELS
from synaug_ray.data.sources.base import SPLITS, UNLABELLED, way_out
from synaug_ray.data.sources.split_words import splits_in


def images_wrong(name: str, shape: tuple[int, ...], dtype: np.dtype) -> str | None:
    """A sentence about an array that cannot be one of images, by its header."""
    expected = f"{name} is {dtype} {list(shape)}; expected uint8 [N, H, W] or [N, H, W, 3]"
    if len(shape) == 5 or (len(shape) == 4 and shape[3] not in (1, 2, 3, 4) and shape[1] not in (1, 3)):
        return f"{expected}: 3D images are not supported"
    if len(shape) == 4 and shape[3] not in (1, 3):
        if shape[1] in (1, 3):
            return f"{expected}: move the channels last (np.moveaxis(images, 1, 3))"
        return f"{expected}: {shape[3]} channels are neither greyscale nor colour; keep one or three"
    if len(shape) not in (3, 4):
        return expected
    if dtype != np.uint8:
        why = "scale the values to 0..255 and round them yourself, since the choice decides what detail is lost"
        return f"{expected}: {why}"
    if not math.prod(shape[1:]):
        return expected
    if shape[1] * shape[2] > MAX_PIXELS:
        return f"{expected}, at most {MAX_PIXELS:,} pixels"
    return None


def misnamed(at: str, held: Sequence[str]) -> list[str]:
    """A sentence where arrays are called like a split's, but not as they have to be: else they would be left out."""
    odd = [n for n in held if n.rpartition("_")[2] in ("images", "labels") and n.rpartition("_")[0] not in SPLITS]
    odd = sorted(n for n in odd if splits_in(n.rpartition("_")[0]))
    return [f"{at} has {some(odd)}: name the splits train, val and test, exactly, as test_images"] if odd else []


def numbers_wrong(labels: dict[str, NDArray[np.int64]], classes: int | None) -> list[str]:
    """Sentences about labels that are not 0 to K-1; ``classes`` is K, where the set says it."""
    unlabelled = [split for split, of in labels.items() if split != "train" and len(of) and (of == UNLABELLED).all()]
    if unlabelled:
        return [
            f"{s}_labels is -1 for all {len(labels[s]):,} images, so without labels; {way_out(s)}" for s in unlabelled
        ]
    found = np.unique(np.concatenate(list(labels.values())))
    expected = f"0..{classes - 1}" if classes else "0..K-1 without gaps, K >= 2"
    if found[0] < 0:
        split, at = next((s, int(np.argmax(of < 0))) for s, of in labels.items() if (of < 0).any())
        return [
            f"labels found: {some(found, 20)}; expected {expected}; {split}_labels[{at}] is {labels[split][at]}: "
            "renumber the classes" + (f", or {way_out(split)}" if split != "train" else "")
        ]
    if classes is not None:
        return [f"labels found: {some(found, 20)}; expected {expected}"] if found[-1] >= classes else []
    if len(found) < 2 or found[-1] != len(found) - 1:
        missing = np.setdiff1d(np.arange(min(int(found[-1]), 10_000)), found)
        gap = (
            f"; {some(missing)} missing: renumber the classes"
            if len(found) > 1
            else ("; a classifier needs at least two classes: add images of another")
        )
        return [f"labels found: {some(found, 20)}; expected {expected}{gap}"]
    return []
