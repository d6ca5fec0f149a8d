"""What a plan's cost depends on: the shape of the images, and how many there are to train on; nothing is decoded."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from pathlib import Path

from numpy.lib import format as npy
from PIL import Image

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.decode import SUFFIXES
from synaug_ray.data.sources.npz import MAX_HEADER, UNREADABLE


def first_shape(dataset: str, options: DataOptions) -> tuple[int, int, int] | None:
    """(channels, height, width) of an ``npz:`` or ``folder:``; None for other sources, and where it cannot be read."""
    kind, _, rest = dataset.partition(":")
    if kind not in ("npz", "folder"):
        return None
    found = None
    with suppress(*UNREADABLE, KeyError, Image.DecompressionBombError):  # reported where the images are read
        path = Path(rest).expanduser()
        found = _of_npz(path) if kind == "npz" else _of_folder(path)
    if found is None:
        return None
    channels = {"gray": 1, "rgb": 3, None: found[0]}[options.mode]
    return (channels, options.size or found[1], options.size or found[2])


def training_images(dataset: str) -> int | None:
    """About how many training images an ``npz:`` or ``folder:`` has: all that are not in a folder or array of their
    own for tests. None for other sources, and where it cannot be read."""
    kind, _, rest = dataset.partition(":")
    if kind not in ("npz", "folder"):
        return None
    with suppress(*UNREADABLE, KeyError):
        path = Path(rest).expanduser()
        if kind == "npz":
            return _npz_shape(path)[0]
        train = path / "train"
        names = (name for _, _, of in os.walk(train if train.is_dir() else path) for name in of)
        return sum(name.lower().endswith(tuple(SUFFIXES)) for name in names) or None
    return None


def _npz_shape(file: Path) -> tuple[int, ...]:
    with zipfile.ZipFile(file) as archive, archive.open("train_images.npy") as member:
        version = npy.read_magic(member)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        return read(member, max_header_size=MAX_HEADER)[0]


def _of_npz(file: Path) -> tuple[int, int, int] | None:
    shape = _npz_shape(file)
    if len(shape) not in (3, 4):
        return None
    return (shape[3] if len(shape) == 4 else 1, shape[1], shape[2])


def _of_folder(folder: Path) -> tuple[int, int, int] | None:
    for where, inner, names in os.walk(folder):
        inner.sort()
        for name in sorted(names):
            if name.lower().endswith(tuple(SUFFIXES)):
                with Image.open(Path(where) / name) as image:
                    return (1 if image.mode in ("1", "L", "I", "I;16", "F", "LA") else 3, image.height, image.width)
    return None
