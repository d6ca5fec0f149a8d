"""A second source beside the data set (``data.judge``, ``data.test2``): its images, with our class numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.errors import DataProblem, Message, Problem, collect_problems
from synaug_ray.common.text import some
from synaug_ray.data.duplicates.find import find
from synaug_ray.data.images import Dataset, ImageSet
from synaug_ray.data.load import load
from synaug_ray.data.sources.base import in_order, numbered
from synaug_ray.plan.subset import DataIdentity


def load_other(other: DataIdentity, dataset: Dataset, option: str, cache: Path) -> tuple[Dataset, NDArray[np.int64]]:
    """The other source, and the data set's number of each of its classes (-1 for one that the data set lacks).

    Classes are matched by name, and where both sets only number them, by number. Where one of them numbers its
    classes and the other names them, they are matched in their order, and ``pairs`` tells how.

    Args:
        option: judge or test2, for messages.

    Raises:
        DataProblem: with all that is wrong: it cannot be read, has another size or mode, or lacks a class.
    """
    try:
        theirs = load(other, cache)
    except Problem as problem:
        told = [replace(m, place=m.place or f"data.{option}") for m in problem.messages]
        raise type(problem)(told) from None
    _, number = collect_problems(
        partial(_check_form, theirs, dataset, option), partial(_numbers, theirs, dataset, option)
    )
    return theirs, number


def pairs(other: Dataset, dataset: Dataset) -> str:
    """How numbers of one set were matched with names of the other, for a note; '' where both have the same kind."""
    if numbered(other.classes) == numbered(dataset.classes):
        return ""
    theirs, ours = ([names[i] for i in np.argsort(in_order(names))] for names in (other.classes, dataset.classes))
    each = some([f"{theirs[i]} = {ours[i]}" for i in range(len(ours))])
    return (
        f"classes are matched in their order, since only one of {other.name} and {dataset.name} names them ({each}); "
        "data.classes gives names to numbers"
    )


def renumbered(images: ImageSet, number: NDArray[np.int64]) -> tuple[ImageSet, NDArray[np.int64]]:
    """The images of known classes with their new labels, and which of the ``images`` these are."""
    labels = number[images.labels]
    known = np.flatnonzero(labels >= 0)
    return ImageSet(images.images[known], labels[known]), known


def check_classes(images: ImageSet, dataset: Dataset, name: str, option: str, what: str) -> None:
    """Refuse images that lack one of the data set's classes; ``what`` says which images count."""
    if missing := np.setdiff1d(np.arange(dataset.num_classes), images.labels).tolist():
        names = some(dataset.classes[c] for c in missing)
        text = f"{name} has no image of class {names} that is no {what} image; name a set that has all classes"
        raise DataProblem(Message(text, f"data.{option}", f"{option}-classes", names))


def copies_among(images: ImageSet, of: ImageSet, name: str, cache: Path) -> NDArray[np.int64]:
    """Which of ``images`` are also among ``of``, or near copies of some; found once, and kept in ``cache``.

    Args:
        name: identifies both, and the folder.
    """
    folder, _, rest = name.partition(" ")
    file = cache / folder / f"{hashlib.sha256(rest.encode()).hexdigest()[:32]}.npy"
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # missing or damaged: found (again)
        found = find(images.images, of.images, labels=images.labels, reference_labels=of.labels, plant=()).images
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            np.save(out, found)
        return found


def _check_form(theirs: Dataset, dataset: Dataset, option: str) -> None:
    if theirs.shape != dataset.shape:
        text = (
            f"{theirs.name} has {_form(theirs)}, {dataset.name} {_form(dataset)}; set data.size and data.mode, which "
            "bring both to one form"
        )
        raise DataProblem(Message(text, f"data.{option}", f"{option}-form", _form(theirs)))


def _numbers(other: Dataset, dataset: Dataset, option: str) -> NDArray[np.int64]:
    theirs, ours, place, code = other.classes, dataset.classes, f"data.{option}", f"{option}-classes"
    if numbered(theirs) != numbered(ours):
        if len(theirs) != len(ours):
            text = (
                f"{other.name} has {len(theirs):,} classes, {dataset.name} {len(ours):,}, and one of them has no names "
                "to match them by; name a set of the same classes"
            )
            raise DataProblem(Message(text, place, code, f"{len(theirs):,}"))
        return np.argsort(in_order(ours))[in_order(theirs)]
    theirs, ours = _as_numbers(theirs), _as_numbers(ours)
    if missing := [c for c in ours if c not in theirs]:
        text = (
            f"{other.name} has no class {some(missing)}, but {some(theirs)}; name a set with all classes of "
            f"{dataset.name}, called the same"
        )
        raise DataProblem(Message(text, place, code, some(missing)))
    return np.array([ours.index(c) if c in ours else -1 for c in theirs], dtype=np.int64)


def _as_numbers(names: Sequence[str]) -> tuple[str, ...]:
    """Numbers as they are usually written ("01" as "1"), if that leaves them different; names as they are."""
    plain = tuple(str(int(name)) for name in names) if numbered(names) else tuple(names)
    return plain if len(set(plain)) == len(plain) else tuple(names)


def _form(dataset: Dataset) -> str:
    channels, height, width = dataset.shape
    return f"images of {height} x {width} pixels in {'grey' if channels == 1 else 'colour'}"
