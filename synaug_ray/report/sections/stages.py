"""Protocols in two stages: what they gain over real-only training, and over the same stages on real images alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.report import tables, text

HEADER = (
    "protocol",
    "classifier",
    "stage one sees",
    "real images",
    "synthetic images",
    "gain over real-only (points)",
    "gain over the control (points)",
    "its control",
    "LEEP of stage one (nats)",
)


def table(cells: Sequence[Mapping[str, Any]]) -> tables.Table | None:
    """One row per cell, controls first, from ``laws.json``; None if no protocol has two stages."""
    rows = tuple(_row(cell) for cell in cells)
    return tables.Table("Protocols in two stages", HEADER, rows) if rows else None


def _row(cell: Mapping[str, Any]) -> tuple[tables.Entry, ...]:
    synthetic, over = cell.get("num_synthetic"), cell.get("over_control")
    return (
        tables.words(cell.get("protocol")),
        tables.words(cell.get("classifier")),
        tables.words(cell.get("generator") if synthetic else "real images (control)"),
        tables.number(cell.get("num_real"), text.images),
        tables.number(synthetic, text.images),
        tables.estimate(cell.get("gain"), text.points),
        tables.words(text.NO_SHARE) if over is None else tables.estimate(over, text.points),
        tables.words(cell.get("control") or text.NO_SHARE),
        tables.number(cell.get("leep"), text.plain, missing=text.NO_SHARE),
    )
