"""What every source becomes before anything is decoded: parts, each a row of samples read one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SPLITS = ("train", "val", "test")


class Sample(NamedTuple):
    """One image, not yet decoded.

    ``content`` is a file, the bytes of one, pixels (uint8 [H, W] or [H, W, 3]), or what gives an image
    and its label when called; only then ``label`` is None. ``group`` is what must not be split.
    """

    name: str  # for messages: a path inside the source, a row of a table
    content: Path | bytes | NDArray[np.uint8] | Callable[[], tuple[Image.Image, int]]
    label: int | None
    group: str | None = None


@dataclass(frozen=True)
class Part:
    """``count`` samples; ``samples`` gives them in order, from the start each time it is called."""

    count: int
    samples: Callable[[], Iterator[Sample]]


@dataclass(frozen=True)
class Source:
    """A data set as its owner laid it out: "train", and what there is of "val" and "test"."""

    classes: tuple[str, ...]
    parts: dict[str, Part]
    val_of_test: bool = False  # validation images, where there are none, come out of the test images
    held: tuple[int, int] | None = None  # test and validation images to hold out, where that is laid down
    notes: tuple[str, ...] = ()
