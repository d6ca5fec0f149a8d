"""Where results were made: recorded with them, but never part of their identity."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from synaug_ray import __version__

PACKAGE = Path(__file__).resolve().parent.parent
PACKAGES = (
    "synaug-ray",
    "torch",
    "torchvision",
    "diffusers",
    "timm",
    "ray",
    "numpy",
    "scipy",
    "pandas",
    "plotly",
    "pydantic",
    "scikit-learn",
)


def _digest() -> str:
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


# computed at import, because files that change later are not the code that runs. Unlike the commit, it is also known in
# a submitted job and in an installed package
CODE = _digest()


@dataclass(frozen=True)
class Software:
    """The versions with which one interpreter runs a step."""

    python: str
    packages: dict[str, str]  # version by name, of installed packages only
    version: str  # synaug_ray's
    code: str  # fingerprint of synaug_ray's source: checkouts of one version differ
    folder: str  # of that source


def software() -> Software:
    """This process's versions, without importing any of the packages."""
    return Software(platform.python_version(), packages(), __version__, CODE, str(PACKAGE))


def packages() -> dict[str, str]:
    """Versions of the installed packages that results may depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The git commit of the code, followed by ``+`` if tracked files differ from it; None outside a checkout."""
    root = PACKAGE.parent
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


def environment(device: str, threads: int) -> dict[str, Any]:
    """Versions and machine for ``env.json``; no environment variables, so no secrets."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages(),
        "commit": commit(),
        "code": CODE,
        "device": device,
        "threads": threads,
        "cores": os.cpu_count(),
    }
