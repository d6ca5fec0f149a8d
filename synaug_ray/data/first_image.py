"""The shape of a data set's images as its first one shows it, for the cost of a plan; nothing is decoded."""

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


def _of_npz(file: Path) -> tuple[int, int, int] | None:
    with zipfile.ZipFile(file) as archive, archive.open("train_images.npy") as member:
        version = npy.read_magic(member)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape = read(member, max_header_size=MAX_HEADER)[0]
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
