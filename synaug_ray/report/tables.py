"""Tables of the page, in which each number keeps its full precision in addition to its text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synaug_ray.report import text
from synaug_ray.report.text import Form


@dataclass(frozen=True)
class Entry:
    """A cell of a table: its text, and the unrounded numbers from which it was made."""

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    mark: str = ""  # a CSS class, such as "number", "code" or an outcome


@dataclass(frozen=True)
class Table:
    """A table with a caption, which screen readers announce."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]


def markdown(table: Table) -> str:
    """The table's texts in Markdown, as GitHub reads it."""

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"

    lines = [line(table.columns), "|---" * len(table.columns) + "|"]
    return "\n".join([*lines, *(line(cell.text for cell in row) for row in table.rows)]) + "\n"


def words(value: Any, mark: str = "") -> Entry:
    """Text, unchanged; None becomes an empty cell."""
    return Entry("" if value is None else str(value), mark=mark)


def number(value: Any, form: Form, missing: str = text.NOT_ESTIMABLE) -> Entry:
    """One number."""
    exact = text.finite(value)
    return Entry(missing if exact is None else form(exact), exact, mark="number")


def estimate(value: Any, form: Form) -> Entry:
    """A number with its interval."""
    low, high = text.ends_of(value)
    return Entry(text.with_interval(value, form), text.value_of(value), low, high, mark="number")


def of_dicts(rows: Iterable[Any], caption: str) -> Table:
    """A table of dicts with any keys: one column per key, in the order of first appearance."""
    dicts = [row if isinstance(row, Mapping) else {"value": row} for row in rows]
    columns = list(dict.fromkeys(str(key) for row in dicts for key in row))
    return Table(
        caption,
        tuple(c.replace("_", " ") for c in columns),
        tuple(tuple(entry(row.get(c)) for c in columns) for row in dicts),
    )


def entry(value: Any) -> Entry:
    """Any JSON value: numbers keep their precision, other values become text."""
    if isinstance(value, bool):
        return words("yes" if value else "no", "yes" if value else "no")
    if isinstance(value, Mapping) and "value" in value:
        return estimate(value, text.plain)
    if text.finite(value) is not None:
        return number(value, text.plain)
    if isinstance(value, Mapping):
        return words(", ".join(f"{k}: {entry(v).text}" for k, v in value.items()))
    if isinstance(value, list | tuple):
        return words(", ".join(entry(v).text for v in value))
    return words("–" if value is None else value)


def list_in(file: Mapping[str, Any] | None, name: str) -> list[Any]:
    """The list under ``name`` in a JSON file of the run; empty if the file, the key or the list is missing."""
    found = (file or {}).get(name)
    return found if isinstance(found, list) else []
