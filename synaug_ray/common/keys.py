"""Content keys: canonical JSON of every result-bearing field, hashed with SHA-256.

Equal fields have equal canonical JSON on any machine and in any process. A value without one
stable written form is an error, because a silent choice (``repr``, ``str``) could one day return
a stale result.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

SCALARS = frozenset({str, int, bool, type(None)})
KEY_DIGITS = 32  # hexadecimal: 128 bits, so collisions can be neglected


def canonical(value: object) -> str:
    """Canonical JSON of a value made of dict, list, tuple, str, int, float, bool and None.

    Raises:
        TypeError: for any other type, with the path to it.
        ValueError: for a float that is not finite.
    """
    return _encode(value if _is_plain(value) else _plain(value, "fields"))


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def _is_plain(value: object) -> bool:
    """Whether a value consists of JSON's own types alone: a fast path, taken by nearly all steps."""
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
        f"{path} is a {type(value).__name__}, which has no stable written form; "
        "pass it as numbers, strings, lists and dicts"
    )


def content_key(fields: object) -> str:
    """SHA-256 of the canonical JSON of ``fields``, its first 32 hexadecimal digits."""
    return hashlib.sha256(canonical(fields).encode()).hexdigest()[:KEY_DIGITS]


def folder_key(folder: Path) -> str:
    """Key of a folder's content: relative paths and bytes of every file that is not hidden."""
    files = sorted(
        f
        for f in folder.rglob("*")
        if f.is_file() and not any(part.startswith(".") for part in f.relative_to(folder).parts)
    )
    return content_key([[f.relative_to(folder).as_posix(), file_digest(f)] for f in files])


def file_digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits; read once a process while its size and time stay what they are."""
    stat = file.stat()
    return _file_digest(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _file_digest(file: Path, size: int, changed: int) -> str:
    """Cached by size and modification time: a pipeline has gigabytes, and a grid is validated several times."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def derive_seed(*parts: str | int | None) -> int:
    """A seed in [0, 2**63) determined by ``parts``; different parts give independent seeds."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
