"""The data audit, from ``audit.json``: what was checked in the data set, and what it means for the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.report import tables

LEVELS = {
    "ok": ("ok", "yes"),
    "note": ("note", "none"),
    "warning": ("warning", "no"),
    "not checked": ("not checked", "none"),
}  # level: word, CSS class


def table(audit: Mapping[str, Any] | None) -> tables.Table | None:
    """One row per check; None without an audit."""
    rows = [row for row in tables.list_in(audit, "rows") if isinstance(row, Mapping)]
    if not rows:
        return None
    return tables.Table(
        "Data audit",
        ("check", "found", "what it means", "result"),
        tuple(
            (
                tables.words(row.get("what")),
                tables.entry(row.get("value")),
                tables.words(row.get("means"), "prose"),
                tables.words(*LEVELS.get(str(row.get("level")), (row.get("level"), ""))),
            )
            for row in rows
        ),
    )


def warnings(audit: Mapping[str, Any] | None) -> list[str]:
    """What each check with a warning found, and what that means."""
    rows = [row for row in tables.list_in(audit, "rows") if isinstance(row, Mapping) and row.get("level") == "warning"]
    return [
        f"Data audit, {row.get('what')}: {tables.entry(row.get('value')).text}. {row.get('means') or ''}".rstrip()
        for row in rows
    ]
