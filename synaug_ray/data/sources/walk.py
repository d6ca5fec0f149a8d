"""The image files below a folder, in an order independent of the file system."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from synaug_ray.common.errors import Message
from synaug_ray.data.decoding.decode import SUFFIXES

# folders that archivers, file servers and file systems add
SKIPPED = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")


@dataclass
class Walk:
    """The contents of a folder: hidden files and folders skipped, symbolic links followed.

    Links are followed out of the folder too: subsets of a large collection are commonly made of
    links, they are the user's own, and only pixels of their targets are kept.
    """

    root: Path
    files: dict[str, Path] = field(default_factory=dict)  # path inside the folder, with "/" -> its path
    folders: list[str] = field(default_factory=list)  # all, including those without images
    ignored: Counter[str] = field(default_factory=Counter)  # suffixes that are not read
    outside: int = 0  # images outside the folder, reached by links
    problems: list[Message] = field(default_factory=list)


def walk(root: Path) -> Walk:
    """Walk the tree in name order; a folder that links back to an ancestor is reported and not entered."""
    found = Walk(root)
    _enter(found, root, "", frozenset(), os.path.realpath(root))
    return found


def _enter(found: Walk, folder: Path, prefix: str, above: frozenset[tuple[int, int]], root: str) -> None:
    try:
        here = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        found.problems.append(Message(closed(error), code="data-unreadable"))
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in SKIPPED:
            continue
        name, path = prefix + entry.name, folder / entry.name
        try:
            status = entry.stat()
        except OSError:
            if entry.name.lower().endswith(SUFFIXES):
                found.problems.append(Message(f"{path} is a broken link", code="broken-link"))
            continue
        if stat.S_ISDIR(status.st_mode):
            at = (status.st_dev, status.st_ino)
            if at in above or at == (here.st_dev, here.st_ino):
                text = f"{path} links back to one of its parent folders; remove the link"
                found.problems.append(Message(text, code="circular-link"))
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
            found.problems.append(Message(f"{path} is not a regular file", code="not-a-file"))


def closed(error: OSError) -> str:
    """Which folder cannot be opened, why, and what to do."""
    return (
        f"{error.filename} cannot be opened ({error.strerror or error}); change its permissions, or move it elsewhere"
    )
