"""Where downloads, decoded images and their audits are kept: all of it can be made again."""

from __future__ import annotations

import os
from pathlib import Path

from synaug_ray.common.errors import StorageProblem, UsageProblem
from synaug_ray.store.disk import existing


def cache_folder(flag: str | None) -> Path:
    """``--data``, else ``synaug_ray`` in the user's cache folder (``$XDG_CACHE_HOME``, else ``~/.cache``).

    Raises:
        UsageProblem: for an empty name.
        StorageProblem: for a name that no folder can have, or that a file has.
    """
    if flag == "":
        raise UsageProblem("--data is empty; name a folder, or leave it out")
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        cache = Path(flag or home / "synaug_ray").expanduser()
        if not existing(cache).is_dir():
            raise StorageProblem(f"--data {cache}: {existing(cache)} is a file; name a folder")
    except (OSError, RuntimeError) as error:  # a name too long, a user that is not there
        raise StorageProblem(f"--data {flag}: {getattr(error, 'strerror', None) or error}") from None
    return cache
