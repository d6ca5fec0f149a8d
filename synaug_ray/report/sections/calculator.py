"""The data of the page's calculator: the prediction grids (``surface``) of ``laws.json`` and the study shown first.

The arithmetic is in ``expectation.js``, equal to ``synaug_ray.analysis.advice.calculator``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synaug_ray.analysis.advice.prediction_text import caution, why_unknown
from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.report import text
from synaug_ray.report.figures import expected
from synaug_ray.report.panels import Panel
from synaug_ray.report.text import StudyNames

Study = Mapping[str, Any]


@dataclass(frozen=True)
class Calculator:
    """The names of the studies to choose from, the script's data, and the figures that it fills."""

    studies: tuple[str, ...]
    data: dict[str, Any]
    panels: list[Panel]


def of(
    laws: Mapping[str, Any],
    names: StudyNames,
    allowed: Callable[[Sequence[Study]], list[list[dict[str, Any]]]] | None = None,
) -> Calculator | None:
    """The calculator of an analysis; None if no study has a prediction grid.

    Args:
        allowed: returns each study's measured sizes, and why no mix may be recommended there (``advice.by_study``).
    """
    studies = [s for s in laws["studies"] if s.get("surface")]
    if not studies:
        return None
    error = text.error_name(laws)
    advice = allowed(studies) if allowed else [[] for _ in studies]
    return Calculator(
        tuple(names.name(s) for s in studies),
        {
            "error": error,
            "confidence": laws["confidence"],
            "start": _first(studies),
            "studies": [
                {
                    "name": names.name(s),
                    "surface": s["surface"],
                    "generation": s.get("generation") or [],
                    "advice": judged,
                    "caution": caution(s.get("misfit") or ""),
                    "unknown": why_unknown(s),
                }
                for s, judged in zip(studies, advice, strict=True)
            ],
        },
        [
            Panel(
                f"expected-{axis}",
                f"If the number of {axis} images changes",
                f"The number of {other} images stays as chosen. Dotted line and light band: extrapolated.",
                expected.figure(f"{axis} images", error),
                expected.table(f"Expected {error} against {axis} images", error),
            )
            for axis, other in (("real", "synthetic"), ("synthetic", "real"))
        ],
    )


def _first(studies: Sequence[Study]) -> int:
    """The index of the study to show first: trained generators before controls, closed-set before open-set."""
    return min(
        range(len(studies)),
        key=lambda i: (studies[i].get("family") in CONTROLS, bool(studies[i].get("open_set")), i),
    )
