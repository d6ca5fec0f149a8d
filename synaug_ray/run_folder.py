"""The folder a run leaves: ``<storage>/<run>/``. Views of the Store, any of which can be made again."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd

from synaug_ray.errors import StorageProblem, UsageProblem
from synaug_ray.store import write_file

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = ("store", "ray")


def storage_root(flag: str | None) -> str:
    """``--storage``, else ``$SYNAUG_STORAGE``, else ``~/synaug_ray``; never below the working directory.

    Raises:
        UsageProblem: for a path below the working directory, which under a submitted job is a copy
            that vanishes.
    """
    chosen = flag or os.environ.get("SYNAUG_STORAGE") or str(Path.home() / "synaug_ray")
    if "://" in chosen and not chosen.startswith("file://"):
        return chosen.rstrip("/")
    path = Path(chosen.removeprefix("file://")).expanduser().resolve()
    here = Path.cwd().resolve()
    if path == here or here in path.parents:
        raise UsageProblem(f"storage {path} lies below the working directory {here}, which under a submitted job is "
                           "a copy that vanishes with the job; name another folder with --storage")
    return str(path)


def check_name(name: str) -> str:
    """A run's name.

    Raises:
        UsageProblem: for one that could leave the storage, or take the Store's place.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        allowed = "letters, digits, . _ - (64 at most, beginning with a letter or digit)"
        raise UsageProblem(f"--name {name!r} is not a run name: {allowed}, and not {' or '.join(RESERVED)}")
    return name


class RunFolder:
    """One run's folder on a path or URL."""

    def __init__(self, storage: str, name: str) -> None:
        self.url = f"{storage}/{check_name(name)}"
        self.fs, self.root = fsspec.core.url_to_fs(self.url)

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file whole or not at all.

        Raises:
            StorageProblem: where the storage refuses.
        """
        try:
            write_file(self.fs, f"{self.root}/{name}", data.encode() if isinstance(data, str) else data)
        except OSError as error:
            raise StorageProblem(f"cannot write {self.url}/{name} ({error.strerror or error})") from None

    def write_json(self, name: str, value: Any) -> None:
        """Write plain values; numbers that are not finite become null."""
        self.write(name, json.dumps(_finite(value), indent=1, allow_nan=False))

    def write_parquet(self, name: str, table: pd.DataFrame) -> None:
        """Write a table."""
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False, compression="zstd")
        self.write(name, buffer.getvalue())

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None where it is not."""
        try:
            return self.fs.cat_file(f"{self.root}/{name}")  # type: ignore[return-value]
        except FileNotFoundError:
            return None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not (value == value and abs(value) != float("inf")):
        return None
    return value
