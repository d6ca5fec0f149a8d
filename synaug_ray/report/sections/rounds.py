"""What a run with a budget knew after each of its rounds, and what it decided."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from synaug_ray.common.text import counted
from synaug_ray.report.figures import rounds as figures
from synaug_ray.report.panels import Panel

CAPTION = (
    "The widest interval of a gain at each number of real images, of the generators that may help there, after each "
    "round. Open symbols: not yet known whether to collect or to generate there. Where it is known, synthetic images "
    "get no further draws, nor does elsewhere a generator that cannot help by more than the margin."
)


@dataclass(frozen=True)
class RoundsSection:
    """What the section shows."""

    sentences: tuple[str, ...]
    panels: tuple[Panel, ...]


def of(lines: str | None) -> RoundsSection | None:
    """The section, from ``decisions.jsonl``; None without a decision on the last grid that was decided on."""
    found = _decisions(lines or "")
    if not found:
        return None
    panel = Panel("rounds-0", "What each round told", CAPTION, figures.figure(found), figures.table(found))
    sentences = tuple(f"{counted(d['draws'], 'draw')}: {d['why']}" for d in found)
    return RoundsSection(sentences, (panel,) if figures.sizes(found) else ())


def _decisions(lines: str) -> list[dict[str, Any]]:
    """One a look, its last; lines that are damaged, or of an older version, are left out."""
    found = []
    for line in lines.splitlines():
        try:
            told = json.loads(line)
            complete = {"draws", "spent", "open", "half_widths", "why"} <= set(told)
        except (ValueError, TypeError):
            continue
        if complete and isinstance(told["half_widths"], dict):
            found.append(told)
    last = found[-1].get("grid") if found else None
    return list({told["draws"]: told for told in found if told.get("grid") == last}.values())
