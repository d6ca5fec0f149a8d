"""How sentences show lists, durations, sizes and other libraries' messages; the page's numbers: ``report.text``."""

from __future__ import annotations

from collections.abc import Iterable


def one_line(message: object, longest: int | None = None) -> str:
    """An exception's message, or any text, on one line of at most ``longest`` characters.

    An exception without a message is named by its class.
    """
    text = " ".join(str(message).split())[:longest]
    return text or (type(message).__name__ if isinstance(message, BaseException) else "")


def printable(text: str) -> str:
    """One line of valid Unicode: line breaks, and bytes of a file name that are not text, become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def some(names: Iterable[object], shown: int = 5) -> str:
    """``a, b, c``, ending in ``...`` if there are more than ``shown``; unprintable characters are escaped."""
    every = [printable(str(name)) for name in names]
    return ", ".join(every[:shown]) + (", ..." if len(every) > shown else "")


def first_few(words: Iterable[str], shown: int) -> str:
    """``a, b, c``, ending in ``and 1,234 more`` if there are more than ``shown``; printable, as in ``some``.

    For the end of a sentence, where the dots of ``some`` would meet its full stop.
    """
    words = [printable(word) for word in words]
    return ", ".join(words[:shown]) + (f" and {len(words) - shown:,} more" if len(words) > shown else "")


def counted(number: int, thing: str, things: str = "") -> str:
    """``1 cell``, ``1,234 cells``; ``things`` is the plural where it is not ``thing`` with an s."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def listed(words: Iterable[object]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *others, last = map(str, words)
    return f"{', '.join(others)} and {last}" if others else last


def fixed(value: float, form: str) -> str:
    """A number by a format such as ``+.1f`` or ``,.0f``, never as minus zero: -0.04 by ``.1f`` is 0.0."""
    sign = form[:1] if form[:1] in ("+", " ", "-") else ""
    return format(value, f"{sign}z{form[len(sign) :]}")


def times(count: int) -> str:
    """``once``, ``2 times``."""
    return "once" if count == 1 else f"{count:,} times"


def duration(seconds: float) -> str:
    """``48 s``, ``12 min``, ``3.4 h``, ``12 days``, ``3 years``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    days = seconds / 86_400
    if days < 4:
        return f"{seconds / 3600:.1f} h"
    return f"{days:,.0f} days" if days < 800 else f"{days / 365.25:,.0f} years"


def long_duration(seconds: float) -> str:
    """``48 seconds``, ``12 minutes``, ``3 hours``, ``4 days``: whole numbers, so that no unit is shown below two."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} seconds"


def size(number: float) -> str:
    """A number of bytes as text: ``12 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1_000:
            return f"{number:.0f} {unit}"
        number /= 1_000
    return f"{number:,.0f} TB" if number >= 10 else f"{number:.1f} TB"
