"""Reads a run's folder for the page and the commands: what is missing or damaged is recorded instead of raised."""

from __future__ import annotations

import io
import json
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa

from synaug_ray.store.filesystem import check_reachable, open_url, read_file, reason
from synaug_ray.store.run_folder import MEASUREMENTS, MEASUREMENTS_CSV, RUN_FILES


class NoRunError(FileNotFoundError):
    """A path or URL is not a run's folder."""


class FolderReader:
    """Reads the files of a run's folder, and records which are missing or cannot be read.

    Raises:
        NoRunError: if it is not a run's folder.
        StorageProblem: if the storage does not answer.
    """

    def __init__(self, url: str) -> None:
        check_reachable(url)
        self._fs, self._root = open_url(url)
        if not any(self._fs.isfile(f"{self._root}/{name}") for name in RUN_FILES):
            raise NoRunError(
                f"no run at {url!r}: a run's folder is <storage>/<run>, with at least one of " + ", ".join(RUN_FILES)
            )
        self.name = PurePosixPath(self._root).name
        self.missing: list[str] = []
        self.problems: list[str] = []

    def bytes(self, name: str) -> bytes | None:
        try:
            return read_file(self._fs, f"{self._root}/{name}")
        except FileNotFoundError:
            self.missing.append(name)
        except Exception as error:  # each remote file system raises exceptions of its own
            self.problems.append(f"{name} could not be read: {reason(error)}")
        return None

    def text(self, name: str) -> str | None:
        data = self.bytes(name)
        return None if data is None else data.decode("utf-8", errors="replace")

    def json(self, name: str, kind: type) -> Any:
        """The values of a JSON object (``kind`` is dict) or list; NaN, which means "not estimable", becomes None."""
        data = self.bytes(name)
        if data is None:
            return None
        try:
            value = json.loads(data, parse_constant=lambda _: None)
        except ValueError as error:
            self.problems.append(f"{name} is not valid JSON ({error}); it may be half written")
            return None
        if not isinstance(value, kind):
            self.problems.append(f"{name} does not contain a JSON {'object' if kind is dict else 'list'}")
            return None
        return value

    def measurements(self) -> pd.DataFrame | None:
        """The table of trials from its Parquet file, else from its CSV file; None if there is neither."""
        for name, parse in ((MEASUREMENTS, _parquet), (MEASUREMENTS_CSV, _csv)):
            data = self.bytes(name)
            if data is None:
                continue
            try:
                return parse(data)
            except (ValueError, OSError, ImportError) as error:
                self.problems.append(f"{name} could not be read: {error}")
        return None


def _parquet(data: bytes) -> pd.DataFrame:
    """Read from Arrow's own memory: with a Python file, 1 in 8 processes was aborted by Arrow's threads at its exit."""
    return pd.read_parquet(pa.BufferReader(data))


def _csv(data: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(data))
