"""Free disk space, and sizes in words."""

from __future__ import annotations

import shutil
from pathlib import Path


def existing(path: Path) -> Path:
    """The path itself, or the nearest one above it that there is."""
    return next(p for p in (path, *path.parents) if p.exists())


def free_bytes(storage: str) -> int | None:
    """Free bytes of a disk; None for a URL."""
    return None if "://" in storage else shutil.disk_usage(existing(Path(storage))).free


def size(number: float) -> str:
    """Bytes in words: ``12 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1_000:
            return f"{number:.0f} {unit}"
        number /= 1_000
    return f"{number:,.0f} TB" if number >= 10 else f"{number:.1f} TB"
