"""Classes whose names differ in what is easily mistyped: case, spaces, Unicode form."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from synaug_ray.common.text import some


def alike_note(classes: Sequence[str]) -> list[str]:
    """A sentence about classes that may be meant as one; none about single letters, which differ by case alone."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(_folded(name), []).append(name)
    alike = [names for names in groups.values() if len(names) > 1 and _long(names)]
    if not alike:
        return []
    pairs = some((" and ".join(map(_quoted, names)) for names in alike), 5)
    return [
        f"classes that differ by case, spaces, hyphens or Unicode form alone: {pairs}; where they are one class, write "
        "them alike"
    ]


def alike_to(name: str, classes: Iterable[str]) -> str | None:
    """The class that ``name`` may be meant for; None where no other is nearly the same."""
    return next((c for c in classes if c != name and _folded(c) == _folded(name)), None)


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    joining = "_-\u200b\ufeff" if any(c.isalpha() for c in plain) else "\u200b\ufeff"  # -1 is not 1
    return "".join(c for c in plain if not c.isspace() and c not in joining) or name


def _long(names: Sequence[str]) -> bool:
    return any(len(name) > 1 for name in names)


def _quoted(name: str) -> str:
    """In quotes, so that a space at the end is seen, and with what is not ASCII escaped where forms differ."""
    return repr(name) if unicodedata.is_normalized("NFC", name) else ascii(name)
