"""Where results were made: recorded beside them, never part of their identity."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("synaug-ray", "torch", "torchvision", "diffusers", "timm", "ray", "numpy", "scipy", "pandas", "plotly",
            "pydantic", "scikit-learn")


def _digest() -> str:
    root, digest = Path(__file__).resolve().parent, hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


# of this package's code, taken when it is imported: what lies there later is not what runs. It is there in a
# submitted job and in an installed package too, which have no commit
CODE = _digest()


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The git commit of the code, with ``+`` where files differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True,
                          timeout=10).stdout.strip()


def environment(device: str, threads: int) -> dict[str, Any]:
    """Versions and machine for ``env.json``; no environment variables, so no secrets."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "platform": platform.platform(), "packages": versions,
            "commit": commit(), "code": CODE, "device": device, "threads": threads, "cores": os.cpu_count()}
