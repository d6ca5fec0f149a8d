"""Decodes a source in parallel and in order, straight to a file, and reports everything that is wrong at once."""

from __future__ import annotations

import itertools
import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from synaug_ray.common.errors import DataProblem, Message
from synaug_ray.common.text import some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.decode import MAX_PIXELS, Bad, Decoded, decode
from synaug_ray.data.decoding.npy_rows import RowWriter
from synaug_ray.data.decoding.pixel_format import GREY, Fault, Remark
from synaug_ray.data.images import Found
from synaug_ray.data.sources.base import Part, Sample, Source

BATCH = 16  # samples a thread decodes at a time; (THREADS + 2) batches are in memory
MOST_SIZES = 20  # how many of the sizes found are kept
# Pillow lets other threads run while it decodes and scales; opening a file does not, so small files gain little
THREADS = min(16, os.cpu_count() or 1)

_FAULTS: dict[Fault, tuple[str, str]] = {  # the code of the message, and its text
    "unreadable": ("image-unreadable", "cannot be read; repair or remove them, or set data.on_bad: drop"),
    "deep": (
        "image-bit-depth",
        "have more than 8 bits a channel; convert them to 8 bits yourself: how decides what detail is lost",
    ),
    "form": ("image-encoding", "use an encoding that is not supported; save them as 8-bit grey or RGB"),
    "bands": (
        "image-channels",
        "have bands besides grey or colour, which would be ignored; save only the one or three to be used",
    ),
    "large": ("image-size", f"have more than {MAX_PIXELS:,} pixels; downscale them first"),
    "frames": ("image-frames", "hold several frames; save one image per file"),
}
_REMARKS: dict[Remark, str] = {
    "drawn": "are partly transparent and are drawn on {ground} (data.ground)",
    "clear": "are fully transparent: only the background remains",
    "lost": "show nothing on {ground}, since they are drawn in that colour: set data.ground to another colour",
    "shallow": "have fewer than 8 bits a channel and are scaled to 0..255",
    "converted": "are CMYK or Lab and are converted to RGB; their colour profiles are not used",
    "profile": "have a colour profile other than sRGB, which is not applied",
}
NARROW = 26  # of 255: a note is made if all values span less
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Rows:
    """One part, decoded: its images lie in ``file`` (npy, uint8 [N, C, H, W])."""

    file: Path
    labels: NDArray[np.int64]  # [N]
    groups: tuple[str | None, ...]  # [N]
    names: tuple[str, ...]  # [N], as the source calls them


@dataclass
class Tally:
    """Statistics of all images of all parts: shapes, sizes, modes, remarks, and images that cannot be used."""

    total: int = 0
    shapes: Counter[tuple[int, int, int]] = field(default_factory=Counter)  # (channels, height, width), as decoded
    by_part: dict[str, Counter[tuple[int, int, int]]] = field(default_factory=dict)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    bad: list[Bad] = field(default_factory=list)
    remarks: Counter[Remark] = field(default_factory=Counter)
    darkest: int = 255
    brightest: int = 0

    def notes(self, options: DataOptions) -> list[str]:
        """Notes on how pixel values were converted, and on what is unusual about them."""
        notes = [
            f"{self.remarks[remark]:,} images {sentence.format(ground=options.ground or 'white')}"
            for remark, sentence in _REMARKS.items()
            if self.remarks[remark]
        ]
        if self.brightest - self.darkest < NARROW:
            notes.append(
                f"all pixel values of all images lie between {self.darkest} and {self.brightest}, out of 0 to 255: the "
                "images were scaled wrongly, or show almost nothing"
            )
        return notes

    def found(self) -> Found:
        sizes = tuple((w, h, n) for (w, h), n in self.sizes.most_common(MOST_SIZES))
        by_area = sorted(self.sizes, key=lambda size: (size[0] * size[1], size))
        return Found(sizes, len(by_area), by_area[0], by_area[-1], tuple(self.modes.most_common()))


def read_parts(source: Source, options: DataOptions, scratch: Path, name: str) -> tuple[dict[str, Rows], Tally]:
    """Decode every part of a source into ``scratch``.

    Memory use is that of the labels and about a hundred images, however many there are.

    Raises:
        DataProblem: with everything that prevents these images from forming one array.
    """
    tally, rows = Tally(), {}
    count = sum(part.count for part in source.parts.values())
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(THREADS) as pool,
        tqdm(total=count, desc=f"reading {name}", unit="image", delay=1.0, mininterval=1.0) as bar,
    ):
        warnings.filterwarnings("ignore", module="PIL")  # about metadata, which are not kept
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for split, part in source.parts.items():
            rows[split] = _read(split, part, options, scratch / f"{split}.rows", pool, tally, bar)
    problems = _problems(tally, options)
    for split, part in rows.items():
        if not len(part.labels) and not problems:
            problems.append(Message(f"{name}: no image of {split} can be read", code="no-images", value=split))
    if problems:
        raise DataProblem(problems)
    return rows, tally


def _read(
    split: str, part: Part, options: DataOptions, file: Path, pool: ThreadPoolExecutor, tally: Tally, bar: tqdm
) -> Rows:
    labels: list[int] = []
    groups: list[str | None] = []
    names: list[str] = []
    shapes: Counter[tuple[int, int, int]] = tally.by_part.setdefault(split, Counter())

    def work(batch: list[Sample]) -> list[Decoded | Bad]:
        return [decode(s, options.size, options.mode, options.resize, options.ground) for s in batch]

    with RowWriter(file) as out:
        for batch in _in_order(pool, work, _batched(part.samples(), BATCH), THREADS + 2):
            bar.update(len(batch))
            tally.total += len(batch)
            for image in batch:
                if isinstance(image, Bad):
                    tally.bad.append(image)
                    continue
                tally.sizes[image.size] += 1
                tally.modes[image.mode] += 1
                tally.remarks.update(image.remarks)
                tally.darkest = min(tally.darkest, int(image.pixels.min()))
                tally.brightest = max(tally.brightest, int(image.pixels.max()))
                shapes[image.pixels.shape] += 1
                tally.shapes[image.pixels.shape] += 1
                if len(tally.shapes) == 1:  # otherwise the source is refused, and only errors are collected
                    out.write(image.pixels)
                    labels.append(image.label)
                    groups.append(image.group)
                    names.append(image.name)
    return Rows(file, np.asarray(labels, dtype=np.int64), tuple(groups), tuple(names))


def _in_order(pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T], ahead: int) -> Iterator[U]:
    """``map`` over a pool that never has more than ``ahead`` results waiting."""
    waiting = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _problems(tally: Tally, options: DataOptions) -> list[Message]:
    found = []
    for fault, (code, sentence) in _FAULTS.items():
        bad = [b for b in tally.bad if b.fault == fault]
        if bad and not (fault == "unreadable" and options.on_bad == "drop"):
            names = some(f"{b.name} ({b.why})" for b in bad)
            text = f"{len(bad):,} of {tally.total:,} images {sentence}: {names}"
            found.append(Message(text, code=code, value=f"{len(bad):,}"))
    channels = {c for c, _, _ in tally.shapes}
    if len(channels) > 1:
        modes = ", ".join(f"{n:,} {mode}" for mode, n in tally.modes.most_common())
        grey = " and ".join(sorted({m for m in tally.modes if m in GREY}))
        text = f"mixed modes: {modes}; {grey} are grey, the others colour: set data.mode: rgb or gray"
        found.append(Message(text, code="mixed-modes", value=modes))
    sizes = {(h, w) for _, h, w in tally.shapes}
    if len(sizes) > 1:
        found.append(_sizes_differ(tally))
    elif sizes:
        ((height, width),) = sizes
        if height != width:
            text = (
                f"images are {width} x {height} (width x height), not square; set data.size (pixels a side) and "
                f"data.resize: crop, pad or stretch ({options.resize} is the default)"
            )
            found.append(Message(text, code="not-square", value=f"{width} x {height}"))
    return found


def _sizes_differ(tally: Tally) -> Message:
    advice = "set data.size (pixels a side), and data.resize: crop, pad or stretch for images that are not square"
    each = {part: next(iter(shapes)) for part, shapes in tally.by_part.items() if len(shapes) == 1}
    if len(each) == len(tally.by_part) > 1:  # each split has a size of its own
        sizes = ", ".join(f"{part} {w} x {h}" for part, (_, h, w) in each.items())
        return Message(f"the splits differ in size ({sizes}); {advice}", code="mixed-sizes", value=sizes)
    by_area = sorted(tally.sizes, key=lambda size: (size[0] * size[1], size))
    (w, h), (x, y) = by_area[0], by_area[-1]
    text = f"{len(by_area):,} different sizes, from {w} x {h} to {x} x {y} (width x height); {advice}"
    return Message(text, code="mixed-sizes", value=f"{len(by_area):,}")
