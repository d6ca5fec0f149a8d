"""Content keys: canonical JSON of every result-bearing field, hashed with SHA-256.

Equal fields have equal canonical JSON on any machine and in any process. A value that has no stable
serialisation is an error, because a fallback to ``repr`` or ``str`` could one day return a stale result.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

SCALARS = frozenset({str, int, bool, type(None)})
KEY_DIGITS = 32  # hexadecimal: 128 bits, so collisions are negligible


def canonical(value: object) -> str:
    """Canonical JSON of a value made of dict, list, tuple, str, int, float, bool and None.

    Raises:
        TypeError: for any other type, with the path to it.
        ValueError: for a float that is not finite.
    """
    return _encode(value if _is_plain(value) else _plain(value, "fields"))


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def _is_plain(value: object) -> bool:
    """Whether a value consists of JSON's own types only: the fast path, taken by nearly all steps."""
    kind = type(value)
    if kind is dict:
        return all(type(name) is str and _is_plain(item) for name, item in value.items())  # type: ignore[attr-defined]
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))  # type: ignore[call-overload]
    return kind in SCALARS or (kind is float and math.isfinite(value))  # type: ignore[arg-type]


def _plain(value: object, path: str) -> object:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} = {value}: only finite numbers have a content key")
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"{path}: the name {name!r} is a {type(name).__name__}; names must be strings")
        return {name: _plain(item, f"{path}.{name}") for name, item in value.items()}
    raise TypeError(
        f"{path} is a {type(value).__name__}, which has no stable serialisation; "
        "pass it as numbers, strings, lists and dicts"
    )


def content_key(fields: object) -> str:
    """The first 32 hexadecimal digits of the SHA-256 of ``fields`` as canonical JSON; raises as ``canonical``."""
    return hashlib.sha256(canonical(fields).encode()).hexdigest()[:KEY_DIGITS]


def folder_key(folder: Path) -> str:
    """Key of a folder's content: the relative paths and bytes of all files that are not hidden."""
    files = sorted(
        f
        for f in folder.rglob("*")
        if f.is_file() and not any(part.startswith(".") for part in f.relative_to(folder).parts)
    )
    return content_key([[f.relative_to(folder).as_posix(), file_digest(f)] for f in files])


def file_digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal; read once per process unless its size or modification time changes."""
    stat = file.stat()
    return _file_digest(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _file_digest(file: Path, size: int, changed: int) -> str:
    """Cached by size and modification time: pipelines take gigabytes, and a grid is validated several times."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def derive_seed(*parts: str | int | None) -> int:
    """A seed in [0, 2**63) determined by ``parts``; different parts give independent seeds."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
