"""Sample sheets, embedded in the page as PNG data up to a budget of bytes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from synaug_ray.report import text
from synaug_ray.report.run_view import SampleSheet

TITLES = {"real": "real", "synthetic": "synthetic", "nearest": "nearest training image"}
WORDS = 1_500  # bytes that a sheet's title, labels and descriptions take at most, in addition to its pixels
MOST_LABELS = 20  # with more classes, rows are not high enough for class names


@dataclass(frozen=True)
class Picture:
    """A sheet as an <img>."""

    title: str
    alt: str
    uri: str
    width: int  # CSS pixels: an integer multiple of the sheet's own, so that pixels stay square


@dataclass(frozen=True)
class SheetRow:
    """The sheets of one generator: real, synthetic, nearest."""

    title: str
    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]


def rows(sheets: Sequence[SampleSheet], budget: int) -> tuple[tuple[SheetRow, ...], int]:
    """The sheets that fit into a budget of bytes, with the first draws preferred; and how many are left out."""
    ordered = sorted(sheets, key=lambda s: (s.draw, s.generator, s.num_real))
    taken, spent = [], 0
    for sheet in ordered:
        size = WORDS + sum(len(png.data) * 4 // 3 + 4 for png in sheet.images.values())
        if spent + size > budget:
            continue
        spent += size
        taken.append(sheet)
    taken.sort(key=lambda s: (s.generator, s.num_real, s.draw))
    return tuple(_row(sheet) for sheet in taken), len(sheets) - len(taken)


def _row(sheet: SampleSheet) -> SheetRow:
    title = f"{sheet.generator}, {text.images(sheet.num_real)} real images, draw {sheet.draw}"
    pictures = []
    for kind, png in sheet.images.items():
        scale = max(1, min(4, 340 // png.width))
        pictures.append(
            Picture(
                title=TITLES[kind],
                uri="data:image/png;base64," + base64.b64encode(png.data).decode(),
                alt=f"{TITLES[kind]} images for {title}: one row per class, {sheet.columns} a row",
                width=png.width * scale,
            )
        )
    labels = sheet.classes if len(sheet.classes) <= MOST_LABELS else ()
    return SheetRow(title, labels, tuple(pictures))
