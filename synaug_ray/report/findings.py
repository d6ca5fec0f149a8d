"""What other rooms found out about the data and the generators: ``audit.json`` and ``quality.json`` as tables.

Both files may be absent. What they hold is shown as it stands, since their rooms choose the checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.report import tables

LEVELS = {
    "ok": ("fine", "yes"),
    "note": ("note", "none"),
    "warning": ("warning", "no"),
}  # level: word, CSS class


def audit_table(audit: Mapping[str, Any] | None) -> tables.Table | None:
    """The data audit, one check a row; None where there is none."""
    rows = [row for row in _list(audit, "rows") if isinstance(row, Mapping)]
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


def audit_warnings(audit: Mapping[str, Any] | None) -> list[str]:
    """One sentence for each check that warns."""
    rows = [row for row in _list(audit, "rows") if isinstance(row, Mapping) and row.get("level") == "warning"]
    return [
        f"Data audit: {row.get('what')}: {tables.entry(row.get('value')).text}"
        + (f" ({str(row['means']).removesuffix('.')})." if row.get("means") else ".")
        for row in rows
    ]


def quality_table(quality: Mapping[str, Any] | None) -> tables.Table | None:
    """The quality of generators and pools, in the columns of the file; None where there is none."""
    columns = [str(column) for column in _list(quality, "columns")]
    rows = [row for row in _list(quality, "rows") if isinstance(row, list)]
    if not columns or not rows:
        return None
    width = len(columns)
    return tables.Table(
        "Quality of the generators",
        tuple(column.replace("_", " ") for column in columns),
        tuple(tuple(tables.entry(value) for value in (row + [None] * width)[:width]) for row in rows),
    )


def quality_warnings(quality: Mapping[str, Any] | None) -> list[str]:
    """The warnings of the file, as they stand."""
    return [str(warning) for warning in _list(quality, "warnings")]


def _list(file: Mapping[str, Any] | None, name: str) -> list[Any]:
    found = (file or {}).get(name)
    return found if isinstance(found, list) else []
