"""Checks the arrays of an .npz: their names, their shapes, the class numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.errors import Message
from synaug_ray.common.text import some
from synaug_ray.data.decoding.decode import MAX_PIXELS
from synaug_ray.data.sources.base import SPLITS, UNLABELLED, without_labels
from synaug_ray.data.sources.split_words import splits_in


def image_problem(name: str, shape: tuple[int, ...], dtype: np.dtype) -> Message | None:
    """A message if an array, by its header, cannot be one of images."""
    expected = f"{name} is {dtype} {list(shape)}; expected uint8 [N, H, W] or [N, H, W, 3]"
    if len(shape) == 5 or (len(shape) == 4 and shape[3] not in (1, 2, 3, 4) and shape[1] not in (1, 3)):
        code, why = "data-kind", ": 3D images are not supported"
    elif len(shape) == 4 and shape[3] not in (1, 3):
        code = "image-channels"
        if shape[1] in (1, 3):
            why = ": move the channels last (np.moveaxis(images, 1, 3))"
        else:
            why = f": {shape[3]} channels are neither greyscale nor colour; keep one or three"
    elif len(shape) not in (3, 4) or not math.prod(shape[1:]):
        code, why = "image-shape", ""
    elif min(shape[1:3]) == 1 < max(shape[1:3]):
        code = "signals"
        why = (
            ": signals of one dimension ([N, 1, L]) are not images, and are not supported; make images of them, such "
            "as spectrograms"
        )
    elif dtype != np.uint8:
        code, why = (
            "image-type",
            ": scale the values to 0..255 and round them yourself: how decides what detail is lost",
        )
    elif shape[1] * shape[2] > MAX_PIXELS:
        code, why = "image-size", f", at most {MAX_PIXELS:,} pixels"
    else:
        return None
    return Message(expected + why, code=code, value=f"{dtype} {list(shape)}")


def split_name_problems(held: Sequence[str]) -> list[Message]:
    """A message about arrays named almost as those of a split, which would otherwise be ignored."""
    odd = [n for n in held if n.rpartition("_")[2] in ("images", "labels") and n.rpartition("_")[0] not in SPLITS]
    odd = sorted(n for n in odd if splits_in(n.rpartition("_")[0]))
    if not odd:
        return []
    text = f"it has {some(odd)}: name the splits exactly train, val and test, as in test_images"
    return [Message(text, code="split-names", value=some(odd))]


def label_problems(labels: dict[str, NDArray[np.int64]], classes: int | None) -> list[Message]:
    """Messages about labels other than 0 to K-1; ``classes`` is K, if the data set states it."""
    unlabelled = [split for split, of in labels.items() if split != "train" and len(of) and (of == UNLABELLED).all()]
    if unlabelled:
        return [
            Message(
                f"{s}_labels is -1 for all {len(labels[s]):,} images: they have no labels; {without_labels(s)}",
                code="unlabelled-split",
                value=s,
            )
            for s in unlabelled
        ]
    found = np.unique(np.concatenate(list(labels.values())))
    listed = some(found, 20)
    expected = f"labels found: {listed}; expected {f'0..{classes - 1}' if classes else '0..K-1 without gaps, K >= 2'}"
    if found[0] < 0:
        split, at = next((s, int(np.argmax(of < 0))) for s, of in labels.items() if (of < 0).any())
        otherwise = f", or {without_labels(split)}" if split != "train" else ""
        first = f"{split}_labels[{at}] is {labels[split][at]}: renumber the classes{otherwise}"
        return [Message(f"{expected}; {first}", code="label-out-of-range", value=str(labels[split][at]))]
    if classes is not None:
        return [Message(expected, code="label-out-of-range", value=listed)] if found[-1] >= classes else []
    if len(found) < 2:
        advice = "a classifier needs at least two classes: add images of another class"
        return [Message(f"{expected}; {advice}", code="too-few-classes", value=listed)]
    if found[-1] != len(found) - 1:
        missing = some(np.setdiff1d(np.arange(min(int(found[-1]), 10_000)), found))
        return [Message(f"{expected}; {missing} missing: renumber the classes", code="label-gap", value=listed)]
    return []
