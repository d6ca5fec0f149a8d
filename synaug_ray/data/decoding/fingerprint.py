"""Hashes the content of files, with an index that avoids reading unchanged files again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import unicodedata
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import some

# A file that is written again within the resolution of the clock keeps its time stamps, so files younger than this are
# not put into the index (git's "racy" files)
GRAIN_NS = 2_000_000_000


def fingerprint(files: Mapping[str, Path], place: Path, cache: Path | None) -> str:
    """SHA-256 over the names and all bytes of files, in the order of ``files``.

    Args:
        files: name -> path; the name is part of the content (it contains the class), the path is not.
        place: the folder or file that the user named; the index is kept under it.
        cache: the cache folder; if None, every file is read and no index is kept.

    Raises:
        DataProblem: naming the files that cannot be read.
    """
    index, unreadable = _Index(place, cache), []
    digests: dict[str, bytes | None] = {}
    for name, file in files.items():
        try:
            digests[name] = index.get(name, os.stat(file))
        except OSError as error:
            unreadable.append(f"{name} ({error.strerror or error})")

    def read(name: str) -> None:
        try:
            with open(files[name], "rb") as raw:
                stat = os.fstat(raw.fileno())
                digests[name] = digest = hashlib.file_digest(raw, "sha256").digest()
            index.put(name, stat, digest)
        except OSError as error:
            unreadable.append(f"{name} ({error.strerror or error})")

    with ThreadPoolExecutor() as pool:
        list(pool.map(read, [name for name, digest in digests.items() if digest is None]))
    if unreadable:
        raise DataProblem(
            f"{len(unreadable):,} of {len(files):,} files cannot be opened: {some(unreadable)}; check their "
            "permissions",
            code="data-unreadable",
        )
    index.save()
    whole = hashlib.sha256()
    for name, digest in digests.items():
        assert digest is not None  # otherwise it is among the unreadable files
        named = name if name.isascii() else unicodedata.normalize("NFC", name)  # macOS and Linux use different forms
        whole.update(hashlib.sha256(named.encode("utf-8", "surrogateescape") + b"\0" + digest).digest())
    return whole.hexdigest()


class _Index:
    """(size, mtime, ctime) -> SHA-256 of the files under one place, as JSON in the cache folder."""

    def __init__(self, place: Path, cache: Path | None) -> None:
        path = os.path.abspath(place).encode("utf-8", "surrogateescape")
        self._file = cache / "index" / f"{hashlib.sha256(path).hexdigest()[:32]}.json" if cache else None
        self._known: dict[str, list[int | str]] = {}
        self._seen: dict[str, list[int | str]] = {}
        self._began = time.time_ns()
        if self._file is not None:
            with contextlib.suppress(OSError, ValueError):  # optional: without it all files are read
                known = json.loads(self._file.read_bytes())
                self._known = known if isinstance(known, dict) else {}

    def get(self, name: str, stat: os.stat_result) -> bytes | None:
        entry = self._known.get(name)
        # ctime changes with content and mtime, and cannot be set
        if not isinstance(entry, list) or entry[:3] != [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]:
            return None
        self._seen[name] = entry
        return bytes.fromhex(str(entry[3]))

    def put(self, name: str, stat: os.stat_result, digest: bytes) -> None:
        if max(stat.st_mtime_ns, stat.st_ctime_ns) < self._began - GRAIN_NS:
            self._seen[name] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, digest.hex()]

    def save(self) -> None:
        if self._file is None or self._seen == self._known:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new = self._file.with_name(f".{self._file.name}.{uuid.uuid4().hex[:8]}")
            new.write_text(json.dumps(self._seen))  # ASCII: names that are not UTF-8 are kept as escapes
            new.replace(self._file)
