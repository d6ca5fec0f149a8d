"""The image files below a folder, in an order that no file system decides."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from synaug_ray.data.decoding.decode import SUFFIXES

SKIPPED = ("__MACOSX", "@eaDir")  # what archivers and file servers leave beside the images


@dataclass
class Walk:
    """What lies below a folder: hidden files and folders left out, symbolic links followed.

    Links are followed out of the folder too: subsets of a large collection are commonly made of
    links, they are the user's own, and only pixels are kept of what they lead to.
    """

    root: Path
    files: dict[str, Path] = field(default_factory=dict)  # path inside the folder, with "/" -> where it lies
    folders: list[str] = field(default_factory=list)  # every one, also without images
    ignored: Counter[str] = field(default_factory=Counter)  # suffixes that are not read
    outside: int = 0  # images that a link leads to
    problems: list[str] = field(default_factory=list)


def walk(root: Path) -> Walk:
    """All of it, each folder's entries by name; a folder inside itself (by a link) is not entered again."""
    found = Walk(root)
    _enter(found, root, "", frozenset(), os.path.realpath(root))
    return found


def _enter(found: Walk, folder: Path, prefix: str, above: frozenset[tuple[int, int]], root: str) -> None:
    try:
        here = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        found.problems.append(f"{folder} cannot be opened ({error.strerror or error})")
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in SKIPPED:
            continue
        name, path = prefix + entry.name, folder / entry.name
        try:
            status = entry.stat()
        except OSError:
            if entry.name.lower().endswith(SUFFIXES):
                found.problems.append(f"{path} is a link to nothing")
            continue
        if stat.S_ISDIR(status.st_mode):
            at = (status.st_dev, status.st_ino)
            if at in above or at == (here.st_dev, here.st_ino):
                found.problems.append(f"{path} leads back to a folder that it lies in; remove the link")
                continue
            found.folders.append(name)
            _enter(found, path, name + "/", above | {(here.st_dev, here.st_ino)}, root)
        elif not entry.name.lower().endswith(SUFFIXES):
            found.ignored[Path(entry.name).suffix.lower() or entry.name] += 1
        elif stat.S_ISREG(status.st_mode):
            found.files[name] = path
            if entry.is_symlink() and not os.path.realpath(path).startswith(root + os.sep):
                found.outside += 1
        else:
            found.problems.append(f"{path} is no regular file")
