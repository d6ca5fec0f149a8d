"""The folder of a run, ``<storage>/<run>/``: its files, and the only code that reads and writes them.

All except ``looks/`` and ``decisions.jsonl`` are views of the Store, and can be recreated from it.
"""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from enum import StrEnum
from glob import escape
from typing import Any

import pandas as pd
from fsspec.implementations.local import LocalFileSystem

from synaug_ray.common.errors import StorageProblem
from synaug_ray.common.text import size
from synaug_ray.store.backends import write_file
from synaug_ray.store.disk import free_bytes
from synaug_ray.store.filesystem import join, open_url, read_file, reason, refusals, split_folder
from synaug_ray.store.locations import check_name
from synaug_ray.store.retry import LASTING, refused
from synaug_ray.store.store import finite

GRID, STATUS, ENV, AUDIT = "grid.yaml", "status.json", "env.json", "audit.json"
MEASUREMENTS, MEASUREMENTS_CSV, PREDICTIONS = "measurements.parquet", "measurements.csv", "predictions.parquet"
QUALITY_TABLE, QUALITY, LAWS, VERDICT = "quality.parquet", "quality.json", "laws.json", "verdict.json"
SAMPLES, BY_CLASS, CONTRASTS, GAP = "samples/index.json", "by_class.csv", "contrasts.csv", "gap.csv"
SCALING = "scaling.csv"
LOOKS = "looks"  # a folder, and not a view: it records how often the results were looked at
DECISIONS = "decisions.jsonl"  # no view either: what a run with a budget decided after each round, a line each
CLASSES = "classes.json"  # all class names by number: some may occur in no prediction and no test image
TEST_GROUPS = "test_groups.parquet"  # the group of each test image, for data.group
PREDICTIONS2, TEST2_GROUPS = "predictions2.parquet", "test2_groups.parquet"  # the same of data.test2
PAGE = "report.html"
SEAL = "SHA256SUMS"  # of a finished run's files, for `sha256sum -c`; without the page, which can be rebuilt
SEALED = (
    GRID,
    STATUS,
    ENV,
    AUDIT,
    MEASUREMENTS,
    MEASUREMENTS_CSV,
    PREDICTIONS,
    PREDICTIONS2,
    QUALITY_TABLE,
    QUALITY,
    LAWS,
    VERDICT,
    SAMPLES,
    BY_CLASS,
    CONTRASTS,
    GAP,
    SCALING,
)
RUN_FILES = (STATUS, MEASUREMENTS, MEASUREMENTS_CSV, LAWS, VERDICT, GRID)  # a folder with any of these is a run's


class RunState(StrEnum):
    """``state`` in ``status.json``."""

    RUNNING = "running"
    DONE = "done"
    FINISHED_WITH_FAILURES = "finished with failures"
    INTERRUPTED = "interrupted"


def check_space(storage: str, needed: int) -> None:
    """Refuse a storage with less than ``needed`` bytes free.

    Raises:
        StorageProblem: with both sizes.
    """
    free = free_bytes(storage)
    if free is not None and needed > free:
        raise StorageProblem(
            f"{storage} has {size(free)} free, and the missing steps need about {size(needed)}; set --storage to "
            "a larger disk, or lower num_real, synthetic_multiples or draws",
            code="storage-full",
        )


def running(storage: str, data: str) -> list[str]:
    """Names of the runs on a storage whose state is "running": each has a driver, or one that was killed.

    Args:
        data: the key of a data set; runs on other data share no step with it, and are left out.
    """
    try:
        fs, root = open_url(storage)
        found: dict[str, Any] = {
            str(path).split("/")[-2]: read_file(fs, str(path)) for path in sorted(fs.glob(f"{escape(root)}/*/{STATUS}"))
        }
    except Exception:  # only a note and the order of work depend on this; unreadable files are reported elsewhere
        return []
    statuses = {name: _object(text) or {} for name, text in found.items()}
    return [
        name
        for name, status in statuses.items()
        if state_of(status) is RunState.RUNNING and status.get("data", data) == data  # older files lack it
    ]


def state_of(status: dict[str, Any] | None) -> RunState | None:
    """The state in the values of ``status.json``; None if there is none."""
    try:
        return RunState((status or {}).get("state"))
    except ValueError:
        return None


def _object(text: bytes) -> dict[str, Any] | None:
    """The values of a JSON object; None for anything else, such as a half-written file."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class RunFolder:
    """One run's folder on a path or URL."""

    def __init__(self, storage: str, name: str) -> None:
        self._open(storage, join(storage, check_name(name)))

    @classmethod
    def at(cls, url: str) -> RunFolder:
        """The folder at a path or URL; a copy of a run may have any name."""
        folder = cls.__new__(cls)
        folder._open(split_folder(url)[0], url.rstrip("/") or url)
        return folder

    def _open(self, storage: str, url: str) -> None:
        self.storage = storage
        self.url = url
        self.fs, self.root = open_url(self.url)

    def write(self, name: str, data: bytes | str) -> str:
        """Write a file atomically; returns its path or URL.

        Raises:
            StorageProblem: if the storage cannot be written to.
        """
        try:
            with refusals(self.fs, f"write {self.url}/{name}"):
                write_file(self.fs, f"{self.root}/{name}", data.encode() if isinstance(data, str) else data)
        except OSError as error:
            if error.errno in LASTING:
                raise refused(error, f"write {self.url}/{name}") from None
            raise StorageProblem(
                f"cannot write {self.url}/{name} ({reason(error)})", code="storage-not-writable"
            ) from None
        path = f"{self.root}/{name}"
        return path if isinstance(self.fs, LocalFileSystem) else self.fs.unstrip_protocol(path)

    def write_json(self, name: str, value: Any) -> None:
        """Write plain values as JSON; numbers that are not finite become null."""
        self.write(name, json.dumps(finite(value), indent=1, allow_nan=False))

    def write_parquet(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as Parquet."""
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False, compression="zstd")
        self.write(name, buffer.getvalue())

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None if it does not exist.

        Raises:
            StorageProblem: if the storage cannot be read.
        """
        try:
            with refusals(self.fs, f"read {self.url}/{name}"):
                return read_file(self.fs, f"{self.root}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageProblem(
                f"cannot read {self.url}/{name} ({reason(error)})", code="storage-unreadable"
            ) from None

    def names(self, folder: str) -> list[str]:
        """Names of the files in a sub-folder; none if it does not exist.

        Raises:
            StorageProblem: if the storage cannot be read.
        """
        try:
            with refusals(self.fs, f"list {self.url}/{folder}"):
                self.fs.invalidate_cache()
                return [str(path).rpartition("/")[2] for path in self.fs.ls(f"{self.root}/{folder}", detail=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StorageProblem(
                f"cannot list {self.url}/{folder} ({reason(error)})", code="storage-unreadable"
            ) from None

    def read_json(self, name: str) -> dict[str, Any] | None:
        """The values of a file with a JSON object; None if it is missing, half written, or something else."""
        data = self.read(name)
        return None if data is None else _object(data)

    def seal(self) -> None:
        """Write the checksums of all files, after the last write."""
        found = {name: data for name in SEALED if (data := self.read(name)) is not None}
        self.write(SEAL, "".join(f"{_digest(data)}  {name}\n" for name, data in found.items()))

    def unseal(self) -> None:
        """Remove the checksums, before the first write."""
        self.remove(SEAL)

    def remove(self, name: str) -> None:
        """Delete a file, if it exists."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self.fs.rm_file(f"{self.root}/{name}")

    def damaged(self) -> list[str]:
        """Files of a finished run that have changed since, or are missing; none if the run was not finished."""
        seal = self.read(SEAL)
        if seal is None:
            return []
        sums = dict(line.split("  ", 1)[::-1] for line in seal.decode(errors="replace").splitlines() if "  " in line)
        return [name for name in SEALED if name in sums and _digest(self.read(name) or b"") != sums[name]]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
