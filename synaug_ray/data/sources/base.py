"""The common form of all sources before decoding: parts, each a sequence of samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synaug_ray.common.errors import DataProblem, Message
from synaug_ray.common.text import printable, some
from synaug_ray.config.data_options import DataOptions

SPLITS = ("train", "val", "test")
UNLABELLED = -1  # the label of an unlabelled image, by the convention of the Hub and others


def your_copy(kind: str, path: Path, what: str, where: str = "dataset") -> str:
    """What to do if a file or folder is missing: name your own copy, on the command line or in the grid.

    Args:
        what: such as "a folder that contains <class>/*.png".
        where: the place that names it, for which another key than ``dataset`` is found in it.
    """
    looked = "" if path.is_absolute() else f" below {printable(str(Path.cwd()))}"
    key = re.search(r"data\.\w+", where)
    example = f"{key[0] if key else 'dataset'}={kind}:/path/to/{printable(path.name) or 'images'}"
    return f"{looked}; name {what}, in the grid or on the command line: {example}"


class Sample(NamedTuple):
    """One image, not yet decoded.

    ``content`` is a path, encoded bytes, pixels (uint8 [H, W] or [H, W, 3]), or a callable that returns an
    image and its label; only then is ``label`` None. Samples of one ``group`` stay in one split.
    """

    name: str  # for messages: a path inside the source, a row of a table
    content: Path | bytes | NDArray[np.uint8] | Callable[[], tuple[Image.Image, int]]
    label: int | None
    group: str | None = None


@dataclass(frozen=True)
class Part:
    """``count`` samples; each call of ``samples`` iterates over them from the start."""

    count: int
    samples: Callable[[], Iterator[Sample]]


@dataclass(frozen=True)
class Source:
    """A data set with its original splits: "train", and "val" and "test" if present."""

    classes: tuple[str, ...]
    parts: dict[str, Part]
    val_of_test: bool = False  # if "val" is missing, it is taken from the test images
    held: tuple[int, int] | None = None  # fixed numbers of test and validation images to hold out
    notes: tuple[str, ...] = ()


def missing_splits(options: DataOptions, splits: Collection[str], name: str) -> list[Message]:
    """A message if ``data.leave_out`` names splits that the source ``name``, which has ``splits``, does not have."""
    missing = [split for split in options.leave_out if split not in splits]
    if not missing:
        return []
    text = f"data.leave_out: {name} has no {' and no '.join(missing)} split; remove it"
    return [Message(text, code="no-such-split", value=some(missing))]


def named(source: Source, names: tuple[str, ...]) -> Source:
    """The source with ``names`` for its classes, which it only numbers.

    Raises:
        DataProblem: if it names them itself, or if there are more or fewer classes than names.
    """
    if not names:
        return source
    known = source.classes
    if not numbered(known):
        raise DataProblem(f"data.classes: the classes have names ({some(known)}); remove it", code="class-names")
    if len(names) != len(known):
        raise DataProblem(
            f"data.classes: {len(names):,} names ({some(names)}) for {len(known):,} classes, numbered "
            f"{min(map(int, known))} to {max(map(int, known))}; give one for each, in the order of the numbers",
            code="class-names",
        )
    return replace(source, classes=tuple(names[i] for i in in_order(known)))


def in_order(names: Sequence[str]) -> list[int]:
    """The place of each class: by number where they are only numbered, else as they are."""
    if not numbered(names):
        return list(range(len(names)))
    place = {name: i for i, name in enumerate(sorted(names, key=int))}
    return [place[name] for name in names]


def numbered(names: Collection[str]) -> bool:
    """Whether classes are only numbered; as text, "10" may come before "2"."""
    return all(name.removeprefix("-").isdecimal() for name in names)


MISSING = frozenset({"", "nan", "none", "null", "<na>"})  # texts that stand for no value where a table was written


def is_missing(value: object) -> bool:
    """Whether a cell that should name a group is empty: None, NaN, or a text that some tools write for it."""
    return value is None or value != value or str(value).strip().lower() in MISSING


def without_labels(split: str) -> str:
    """What to do about a split whose images have no labels."""
    if split == "train":
        return "label the images, or give a set that has labels"
    return f"set data.leave_out: {split}, and images of train are held out instead"
