"""Free disk space, and whether a folder can be written to."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def nearest_existing(path: Path) -> Path:
    """The path itself, or its nearest parent that exists."""
    return next(p for p in (path, *path.parents) if p.exists())


def _nearest_seen(path: Path) -> Path:
    """The same, by what this process may see: a parent in which it may not look counts as one that exists not."""
    for one in (path, *path.parents):
        with suppress(OSError):
            if one.exists():
                return one
    return Path("/")


def not_writable(path: Path) -> str:
    """Why a folder cannot be created or written to, judging by its nearest existing parent; empty if it can."""
    try:
        nearest = nearest_existing(path)
    except PermissionError as error:
        return f"{error.filename}: {error.strerror}"
    if not nearest.is_dir():
        return f"{nearest} is a file"
    return "" if os.access(nearest, os.W_OK | os.X_OK) else f"{nearest} may not be written to"


def free_bytes(storage: str) -> int | None:
    """Free bytes on the disk of a path; None for a URL."""
    return None if "://" in storage else shutil.disk_usage(_nearest_seen(Path(storage))).free
