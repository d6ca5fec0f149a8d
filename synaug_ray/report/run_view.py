"""A run's folder, read once into a frozen value: what the page is made from.

Every file may be missing while a grid is still running, and one may be half
written by a run that was killed: such a file is left out and named in
``RunView.problems``, and the page says so.
"""

from __future__ import annotations

import io
import json
import math
import struct
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa

from synaug_ray.store.filesystem import check_reachable, open_url, reason, refusals

KNOWN_FILES = (
    "status.json",
    "measurements.parquet",
    "measurements.csv",
    "laws.json",
    "verdict.json",
    "grid.yaml",
)
SHEETS = ("real", "synthetic", "nearest")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class NoRunError(FileNotFoundError):
    """The path or URL given is not a run's folder."""


@dataclass(frozen=True)
class Png:
    """One sheet of sample images; width and height in its native pixels."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True)
class SampleSheet:
    """Samples of one generator: one row per class, ``columns`` images per row."""

    generator: str
    num_real: int
    draw: int
    classes: tuple[str, ...]
    columns: int
    images: dict[str, Png]  # by SHEETS; "nearest" is absent where it was not computed


@dataclass(frozen=True)
class RunView:
    """What a run's folder holds; None for what is not there (yet)."""

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


class _Folder:
    """One folder on one file system, remembering what was missing and what could not be read."""

    def __init__(self, run_folder: str) -> None:
        check_reachable(run_folder)
        self.fs, self.root = open_url(run_folder)
        found = any(self.fs.isfile(self.path(name)) for name in KNOWN_FILES)
        if not found:
            raise NoRunError(
                f"no run at {run_folder!r}: a run's folder is <storage>/<run> and holds at least one of "
                + ", ".join(KNOWN_FILES)
            )
        self.missing: list[str] = []
        self.problems: list[str] = []

    def path(self, name: str) -> str:
        return self.root.rstrip("/") + "/" + name

    def bytes(self, name: str) -> bytes | None:
        try:
            return self.fs.cat_file(self.path(name))  # type: ignore[return-value]
        except FileNotFoundError:
            self.missing.append(name)
        except Exception as error:  # object stores raise exceptions of their own
            self.problems.append(f"{name} could not be read: {reason(error)}")
        return None

    def text(self, name: str) -> str | None:
        data = self.bytes(name)
        return None if data is None else data.decode("utf-8", errors="replace")

    def json(self, name: str, kind: type) -> Any:
        data = self.bytes(name)
        if data is None:
            return None
        try:
            value = json.loads(data, parse_constant=lambda _: None)  # NaN means "not estimable" too
        except ValueError as error:
            self.problems.append(f"{name} is not valid JSON ({error}); it may be half written")
            return None
        if not isinstance(value, kind):
            self.problems.append(f"{name} does not hold a JSON {'object' if kind is dict else 'list'}")
            return None
        return value


def read(run_folder: str, *, images: bool = True) -> RunView:
    """Read the run at a path or URL; with ``images=False`` no pixel is even read.

    Raises NoRunError (a FileNotFoundError) where there is no run, StorageProblem where nobody answers.
    """
    folder = _Folder(str(run_folder))
    grid = folder.text("grid.yaml")
    status, env = folder.json("status.json", dict), folder.json("env.json", dict)
    laws, verdict = folder.json("laws.json", dict), folder.json("verdict.json", dict)
    audit, quality = folder.json("audit.json", dict), folder.json("quality.json", dict)
    measurements = _measurements(folder)
    samples = _samples(folder) if images else ()
    name = (status or {}).get("run") or PurePosixPath(folder.root.rstrip("/")).name
    return RunView(
        name=str(name),
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
        missing=tuple(folder.missing),
        problems=tuple(folder.problems),
    )


def write_text(run_folder: str, name: str, text: str) -> str:
    """Write one file of the run's folder so that a reader sees the old or the new one, never half.

    Returns where it was written. Raises OSError, or StorageProblem, where the storage refuses.
    """
    fs, root = open_url(str(run_folder))
    target = root + "/" + name
    if "file" not in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)):
        with refusals(fs, f"write {run_folder}/{name}"):
            fs.pipe_file(target, text.encode())  # an object store shows an object only once it is whole
        return fs.unstrip_protocol(target)
    import os
    import tempfile

    handle, scratch = tempfile.mkstemp(dir=root, prefix=f".{name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(scratch, 0o644)  # mkstemp's 0600 would hide the page from colleagues
        os.replace(scratch, target)
    except BaseException:
        os.unlink(scratch)
        raise
    return target


def _measurements(folder: _Folder) -> pd.DataFrame | None:
    for name, parse in (("measurements.parquet", _parquet), ("measurements.csv", _csv)):
        data = folder.bytes(name)
        if data is None:
            continue
        try:
            return parse(data)
        except (ValueError, OSError, ImportError) as error:
            folder.problems.append(f"{name} could not be read: {error}")
    return None


def _parquet(data: bytes) -> pd.DataFrame:
    """From Arrow's own memory: its threads abort a process that exits while they hold a Python file (1 in 8)."""
    return pd.read_parquet(pa.BufferReader(data))


def _csv(data: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(data))


def _samples(folder: _Folder) -> tuple[SampleSheet, ...]:
    sheets = []
    for entry in folder.json("samples/index.json", list) or ():
        images = {}
        for kind in SHEETS:
            name = entry.get(kind)
            if not name:
                continue
            if name != PurePosixPath(name).name or "\\" in name or name in (".", ".."):
                # The page may be sent to others: it embeds nothing from outside the run's samples.
                folder.problems.append(f"samples/index.json names {name!r}, which is not a file name")
                continue
            data = folder.bytes(f"samples/{name}")
            png = None if data is None else _png(data)
            if png is not None:
                images[kind] = png
            elif data is not None:
                folder.problems.append(f"samples/{name} is not a PNG file")
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
    width, height = struct.unpack(">II", data[16:24])  # the IHDR chunk comes first, by the format
    return Png(data, width, height) if 0 < width and 0 < height else None


def finite(value: Any) -> float | None:
    """The number, or None for anything that is not one (None, NaN, infinity, text)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
