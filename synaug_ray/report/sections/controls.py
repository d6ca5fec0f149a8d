"""The controls: generators with a known answer, compared with the measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.report import tables, text

COLUMNS = (
    "control",
    "passed",
    "quantity",
    "observed",
    "expected",
    "classifier",
    "protocol",
    "real_share",
    "sentence",
)
SETTING = ("classifier", "protocol", "real_share")  # shown only if they differ between controls
PASSED = {True: ("passed", "yes"), False: ("failed", "no"), None: ("undecided", "undecided")}


def table(controls: Sequence[Mapping[str, Any]]) -> tables.Table:
    """One row per control; unknown keys are shown after the known ones."""
    same = [c for c in SETTING if len({str(row.get(c)) for row in controls}) == 1]
    known = [c for c in COLUMNS if c not in same and any(c in row for row in controls)]
    known += [c for c in dict.fromkeys(str(k) for row in controls for k in row) if c not in COLUMNS]
    return tables.Table(
        "Controls",
        tuple("result" if c == "passed" else "in words" if c == "sentence" else c.replace("_", " ") for c in known),
        tuple(tuple(_entry(c, row) for c in known) for row in controls),
    )


def _entry(column: str, row: Mapping[str, Any]) -> tables.Entry:
    value = row.get(column)
    if column == "passed" and (value is None or isinstance(value, bool)):
        return tables.words(*PASSED[value])
    if column == "sentence":
        return tables.words(value, "prose")
    if column == "observed" and isinstance(value, Mapping):
        gain = any(
            word in str(row.get("quantity")) for word in ("gain", "points")
        )  # gains are fractions in the file, and points on the page
        entry = tables.estimate(value, text.points if gain else text.rate)
        return tables.Entry(
            entry.text + (" points" if gain and entry.value is not None else ""),
            entry.value,
            entry.low,
            entry.high,
            entry.mark,
        )
    if column == "real_share" and isinstance(value, str):
        return tables.words(text.real_share(value))
    return tables.entry(value)


def failed(controls: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the controls that failed."""
    return list(dict.fromkeys(str(row.get("control", "?")) for row in controls if row.get("passed") is False))
