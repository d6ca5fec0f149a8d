"""The images of ``data.judge``, if classifiers of another data set are to judge whether a pool shows its classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.errors import DataProblem, Message, Problem
from synaug_ray.common.text import some
from synaug_ray.data.duplicates.find import find
from synaug_ray.data.images import Dataset, ImageSet, concatenate
from synaug_ray.data.load import load
from synaug_ray.plan.subset import DataIdentity


def judge_images(dataset: Dataset, data: DataIdentity, cache: Path) -> ImageSet | None:
    """Training and validation images of ``data.judge``, with the labels of ``dataset``; None for ``full``.

    Classes are matched by name, or by number where one of the two sets only numbers them. Images that are also test
    images of ``dataset``, or near copies of them, are left out.

    Raises:
        DataProblem: if they cannot be read, have another size or mode, or lack a class.
    """
    if data.judge is None:
        return None
    try:
        judge = load(data.judge, cache)
    except Problem as problem:
        raise type(problem)([replace(m, place=m.place or "data.judge") for m in problem.messages]) from None
    if judge.shape != dataset.shape:
        text = (
            f"{judge.name} has {_form(judge)}, {dataset.name} {_form(dataset)}; set data.size and data.mode, which "
            "bring both to one form"
        )
        raise DataProblem(Message(text, "data.judge", "judge-form", _form(judge)))
    number = _numbers(judge.classes, dataset.classes, judge.name, dataset.name)
    images = concatenate(judge.train, judge.val)
    labels = number[images.labels]
    known = np.flatnonzero(labels >= 0)
    images = ImageSet(images.images[known], labels[known])
    kept = np.setdiff1d(np.arange(len(images)), _also_tested(images, dataset.test, data, cache))
    images = images.take(kept)
    if missing := np.setdiff1d(np.arange(dataset.num_classes), images.labels).tolist():
        names = some(dataset.classes[c] for c in missing)
        text = f"{judge.name} has no image of class {names} that is no test image; name a set that has all classes"
        raise DataProblem(Message(text, "data.judge", "judge-classes", names))
    return images


def _numbers(theirs: Sequence[str], ours: Sequence[str], judge: str, name: str) -> NDArray[np.int64]:
    """Our number of each of their classes, -1 for one that we do not have."""
    if all(map(_is_number, theirs)) or all(map(_is_number, ours)):
        if len(theirs) != len(ours):
            text = (
                f"{judge} has {len(theirs):,} classes, {name} {len(ours):,}, and one of them has no names to match "
                "them by; name a set of the same classes"
            )
            raise DataProblem(Message(text, "data.judge", "judge-classes", f"{len(theirs):,}"))
        return np.arange(len(ours))
    if missing := [c for c in ours if c not in theirs]:
        text = (
            f"{judge} has no class {some(missing)}, but {some(theirs)}; name a set with all classes of {name}, "
            "called the same"
        )
        raise DataProblem(Message(text, "data.judge", "judge-classes", some(missing)))
    return np.array([ours.index(c) if c in ours else -1 for c in theirs], dtype=np.int64)


def _is_number(name: str) -> bool:
    return name.removeprefix("-").isdecimal()


def _also_tested(images: ImageSet, test: ImageSet, data: DataIdentity, cache: Path) -> NDArray[np.int64]:
    """Which of ``images`` are test images or near copies of them; found once, and kept in ``cache``."""
    assert data.judge is not None
    name = hashlib.sha256(f"1 {data.judge.key} {data.key}".encode()).hexdigest()[:32]
    file = cache / "judges" / f"{name}.npy"
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # missing or damaged: found (again)
        found = find(images.images, test.images, labels=images.labels, reference_labels=test.labels, plant=()).images
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            np.save(out, found)
        return found


def _form(dataset: Dataset) -> str:
    channels, height, width = dataset.shape
    return f"images of {height} x {width} pixels in {'grey' if channels == 1 else 'colour'}"
