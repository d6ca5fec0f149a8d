"""Finds class names that differ only by likely typing errors: case, spaces, hyphens, Unicode form, a number's zeros."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from synaug_ray.common.text import some


def alike_note(classes: Sequence[str]) -> list[str]:
    """A note on classes that may be meant as one; single letters that differ by case are not noted."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(_folded(name), []).append(name)
    alike = [names for names in groups.values() if len(names) > 1 and _long(names)]
    if not alike:
        return []
    pairs = some((" and ".join(map(_quoted, names)) for names in alike), 5)
    return [
        f"classes that differ only by case, spaces, hyphens, Unicode form or zeros of a number: {pairs}; if they are "
        "one class, give them the same name"
    ]


def alike_to(name: str, classes: Iterable[str]) -> str | None:
    """The class that ``name`` may be a misspelling of; None if there is none."""
    return next((c for c in classes if c != name and _folded(c) == _folded(name)), None)


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    joining = "_-\u200b\ufeff" if any(c.isalpha() for c in plain) else "\u200b\ufeff"  # -1 is not 1
    joined = "".join(c for c in plain if not c.isspace() and c not in joining) or name
    number = re.fullmatch(r"([+-]?)0*(\d+?)(?:\.0*)?", joined)  # 01, 1 and 1.0
    return f"{'-' if number[1] == '-' else ''}{number[2]}" if number else joined


def _long(names: Sequence[str]) -> bool:
    return any(len(name) > 1 for name in names)


def _quoted(name: str) -> str:
    """In quotes, so that a final space is visible, and escaped as ASCII if the Unicode form is unusual."""
    return repr(name) if unicodedata.is_normalized("NFC", name) else ascii(name)
