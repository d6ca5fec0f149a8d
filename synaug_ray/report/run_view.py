"""A run's folder, read once: what the page is made from.

Any file may be missing while a grid is running, or half written by a run that was killed. Such a file is left out and
listed in ``RunView.missing`` or ``RunView.problems``, and the page says so.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from synaug_ray.common.errors import STORAGE, Message, Problem
from synaug_ray.store.folder_reader import FolderReader, NoRunError
from synaug_ray.store.run_folder import (
    AUDIT,
    BY_CLASS,
    DECISIONS,
    ENV,
    GRID,
    LAWS,
    QUALITY,
    SAMPLES,
    STATUS,
    VERDICT,
)

__all__ = ["DamagedRunProblem", "NoRunError", "Png", "RunView", "SampleSheet", "as_a_run_writes_them", "finite", "read"]

MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)  # what reading odd JSON raises
SHEETS = ("real", "synthetic", "nearest")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class DamagedRunProblem(Problem):
    """A file of a run exists, but is not as a run writes it."""

    exit_code = STORAGE
    code = "run-damaged"


@contextmanager
def as_a_run_writes_them(location: str) -> Iterator[None]:
    """Raise DamagedRunProblem where the files of a run are valid JSON, but not what a run writes.

    Args:
        location: the run's folder, for the message.
    """
    try:
        yield
    except MALFORMED as error:
        raise DamagedRunProblem(
            Message(
                f"its files are not as a run writes them ({type(error).__name__}: {error}); a run of this version has "
                "laws.json and verdict.json with studies, cells and verdicts: run the grid's command again",
                place=location,
            )
        ) from error


@dataclass(frozen=True)
class Png:
    """A sheet of sample images; width and height are in its own pixels."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True)
class SampleSheet:
    """Samples of one generator, with one row per class and ``columns`` images per row."""

    generator: str
    num_real: int
    draw: int
    classes: tuple[str, ...]
    columns: int
    images: dict[str, Png]  # keys from SHEETS; without "nearest" if it was not computed


@dataclass(frozen=True)
class RunView:
    """The content of a run's folder; None for what does not exist (yet)."""

    name: str
    location: str
    grid: str | None
    status: dict[str, Any] | None
    env: dict[str, Any] | None
    laws: dict[str, Any] | None
    verdict: dict[str, Any] | None
    audit: dict[str, Any] | None  # of the data set
    quality: dict[str, Any] | None  # of the generators
    measurements: pd.DataFrame | None
    samples: tuple[SampleSheet, ...]
    missing: tuple[str, ...]
    problems: tuple[str, ...]
    by_class: pd.DataFrame | None = None  # errors by class; for two classes also sensitivity, specificity and AUC
    decisions: str | None = None  # of a run with a budget, a line of JSON each


def read(run_folder: str, *, images: bool = True) -> RunView:
    """Read the run at a path or URL; with ``images=False``, sample images are not even read.

    Raises:
        NoRunError: (a FileNotFoundError) if there is no run.
        StorageProblem: if the storage does not answer.
    """
    files = FolderReader(str(run_folder))
    grid = files.text(GRID)
    status, env, laws, verdict = (files.json(name, dict) for name in (STATUS, ENV, LAWS, VERDICT))
    audit, quality = files.json(AUDIT, dict), files.json(QUALITY, dict)
    measurements = files.measurements()
    samples = _samples(files) if images else ()
    by_class, decisions = _table(files, BY_CLASS), files.text(DECISIONS)
    return RunView(
        name=str((status or {}).get("run") or files.name),
        location=str(run_folder),
        grid=grid,
        status=status,
        env=env,
        laws=laws,
        verdict=verdict,
        audit=audit,
        quality=quality,
        measurements=measurements,
        samples=samples,
        missing=tuple(files.missing),
        problems=tuple(files.problems),
        by_class=by_class,
        decisions=decisions,
    )


def _table(files: FolderReader, name: str) -> pd.DataFrame | None:
    text = files.text(name)
    try:
        return None if text is None else pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])
    except ValueError as error:  # pandas' ParserError and EmptyDataError are subclasses of it
        files.problems.append(f"{name} could not be read: {error}")
        return None


def _samples(files: FolderReader) -> tuple[SampleSheet, ...]:
    sheets = []
    for entry in files.json(SAMPLES, list) or ():
        images = {}
        for kind in SHEETS:
            name = entry.get(kind)
            if not name:
                continue
            if name != PurePosixPath(name).name or "\\" in name or name in (".", ".."):
                # the page may be sent to others, so it must not embed any file from outside the run's samples
                files.problems.append(f"samples/index.json names {name!r}, which is not a file name")
                continue
            data = files.bytes(f"samples/{name}")
            png = None if data is None else _png(data)
            if png is not None:
                images[kind] = png
            elif data is not None:
                files.problems.append(f"samples/{name} is not a PNG file")
        if images:
            sheets.append(
                SampleSheet(
                    generator=str(entry.get("generator", "?")),
                    num_real=int(entry.get("num_real", 0)),
                    draw=int(entry.get("draw", 0)),
                    classes=tuple(str(c) for c in entry.get("classes", ())),
                    columns=int(entry.get("columns", 0)),
                    images=images,
                )
            )
    return tuple(sheets)


def _png(data: bytes) -> Png | None:
    if not data.startswith(PNG_SIGNATURE) or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])  # in the format, the IHDR chunk always comes first
    return Png(data, width, height) if 0 < width and 0 < height else None


def finite(value: Any) -> float | None:
    """The number; None if it is not a finite number (None, NaN, infinity, text)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
