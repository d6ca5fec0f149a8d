"""The page's figures, each with its caption and a table of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from synaug_ray.analysis.verdict_text import margin
from synaug_ray.report import text
from synaug_ray.report.figures import budgets, equivalents, errors, exchange, gains, residuals, so_far, timeline, work
from synaug_ray.report.run_view import RunView
from synaug_ray.report.tables import Table
from synaug_ray.report.text import StudyNames

Laws = Mapping[str, Any]
INSTEAD = (
    " The table also compares with real images in place of the synthetic ones, where they were measured: below zero, "
    "as many real images are better."
)


@dataclass(frozen=True)
class Panel:
    """One figure; ``id`` depends only on its position on the page, and contains no text from a user."""

    id: str
    title: str
    caption: str
    figure: go.Figure
    table: Table

    @property
    def label(self) -> str:
        """What screen readers read instead of the figure."""
        return f"{self.title}. {self.caption} The table below has the same numbers."


def exchange_panels(laws: Laws, verdict: Mapping[str, Any], names: StudyNames) -> list[Panel]:
    """The headline figure (how many synthetic images replace one real image), and the trade-off if it is known."""
    studies, verdicts = laws["studies"], verdict.get("verdicts", ())
    points = [e for s in studies for e in exchange.working_points(s, verdicts)]
    if not points:
        return []
    panels = [
        Panel(
            "exchange-rate",
            "How many synthetic images replace the next real one",
            "Each point is at the amount that its verdict is about; bars are intervals. Open markers at the bottom "
            "have no rate: either no amount replaces another real image, or there are not enough data to tell.",
            exchange.rate_figure(studies, verdicts, names),
            exchange.rate_table(studies, verdicts, names),
        )
    ]
    if any(not exchange.missing_rate(e, exchange.TRADEOFF) for e in points):
        panels.append(
            Panel(
                "trade-off",
                "What lowers the error more from here: one real image, or synthetic ones?",
                "The figure above compares with training on real images alone. Here one more real image is added "
                "to the mix, where it may also improve the generator; the figure shows how many synthetic images "
                "lower the error as much. Open markers have no rate: more synthetic images do not lower the error "
                "there, or there are not enough data to tell.",
                exchange.rate_figure(studies, verdicts, names, exchange.TRADEOFF),
                exchange.tradeoff_table(studies, verdicts, names),
            )
        )
    return panels


def equivalents_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Real-equivalents, one figure per study."""
    panels = []
    for i, study in enumerate(laws["studies"]):
        panels.append(
            Panel(
                f"equivalents-{i}",
                names.name(study),
                "How many real images alone reach the same error, as a multiple of the real images in the cell: above "
                "1×, synthetic images act like additional real ones; below 1×, as if there were fewer. Arrows: at "
                "least, or at most, this many, since the real-only curve was not measured further (open arrows: "
                "according to the estimate, but not to its interval). Bars: intervals for each cell alone. Dotted: if "
                "every synthetic image were a real one.",
                equivalents.figure(study, _real(laws, study)),
                equivalents.table(study, _real(laws, study)),
            )
        )
    return panels


def error_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Error against real images, one figure per study, or the real-only curves if there is no study."""
    error = text.error_name(laws)
    caption = (
        f"Points are means with intervals; the line is the real-only law with its interval. The error is the {error}"
        + (": the mean over classes." if error == "balanced error" else ".")
    )
    if not laws["studies"]:
        return [
            Panel(
                f"errors-{i}",
                str(real["classifier"]),
                caption,
                errors.figure(None, real, error),
                errors.table(None, real, error),
            )
            for i, real in enumerate(laws["real"])
        ]
    return [
        Panel(
            f"errors-{i}",
            names.name(study),
            caption,
            errors.figure(study, _real(laws, study), error),
            errors.table(study, _real(laws, study), error),
        )
        for i, study in enumerate(laws["studies"])
    ]


def so_far_panels(run: RunView) -> list[Panel]:
    """Mean errors of a run that has measurements, but no laws yet."""
    needed = {
        "status",
        "test_error",
        "classifier",
        "generator",
        "protocol",
        "real_share",
        "num_real",
        "synthetic_multiple",
    }
    if run.measurements is None or not needed <= set(run.measurements.columns):
        return []
    means = so_far.means_of(run.measurements)
    if not means:
        return []
    names = StudyNames.of([m for m in means if m["synthetic_multiple"] > 0] or means)
    return [
        Panel(
            "errors-so-far",
            "Mean test error so far",
            "Means of the finished trials. Cells have different numbers of trials and no intervals yet, so "
            "differences between them are not evidence.",
            so_far.figure(means, names),
            so_far.table(means, names),
        )
    ]


def _least_error(laws: Laws, classifier: str) -> float:
    """The smallest measured real-only error of a classifier."""
    found = [
        p["error"]["value"] for curve in laws["real"] if curve["classifier"] == classifier for p in curve["points"]
    ]
    return min((float(value) for value in found if value is not None), default=0.0)


def gain_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Gain against the synthetic multiple, one figure per study; studies of the same generator share their range."""
    relative = laws.get("relative_delta")
    panels = []
    for i, study in enumerate(laws["studies"]):
        kin = [
            s for s in laws["studies"] if (s["generator"], s["classifier"]) == (study["generator"], study["classifier"])
        ]
        delta = float(laws["delta"]) if relative is None else relative * _least_error(laws, study["classifier"])
        band = margin(delta) if relative is None else f"{100 * relative:g}% of the smallest real-only error"
        panels.append(
            Panel(
                f"gains-{i}",
                names.name(study),
                f"Above zero the synthetic images help. Grey band: ±{band}, effects too small to matter. "
                "Thick bars: intervals for each cell alone; thin bars: for all cells at once, as in the verdicts."
                + (INSTEAD if any(c.get("instead") for c in study["cells"]) else ""),
                gains.figure(study, delta, gains.reach(kin, delta), text.error_name(laws)),
                gains.table(study),
            )
        )
    return panels


def budget_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Gain against the length of training, one figure per study and recipe; older files have none."""
    by_study: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for curve in laws.get("budgets") or ():
        key = (curve["classifier"], curve["protocol"], curve["real_share"], tuple(curve["generators"]))
        by_study.setdefault(key, []).append(curve)
    relative = laws.get("relative_delta")
    panels = []
    for i, (key, curves) in enumerate(by_study.items()):
        delta = float(laws["delta"]) if relative is None else relative * _least_error(laws, str(key[0]))
        panels.append(
            Panel(
                f"budgets-{i}",
                names.name(budgets.study_of(curves[0])),
                "The same recipe trained for longer, at the largest amount of synthetic images of each size. If the "
                "lines are flat, the verdict does not depend on the length of training. Bars are intervals of each "
                "point alone; those of the changes, in the table, are narrower, since lengths share their images.",
                budgets.figure(curves, delta, text.error_name(laws)),
                budgets.table(curves),
            )
        )
    return panels


def residual_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Predicted against measured errors, if any law predicts."""
    predicted = [c for s in laws["studies"] for c in s["cells"] if c.get("predicted_error")]
    if not predicted:
        return []
    held_out = any(c["held_out"] for c in predicted)
    return [
        Panel(
            "residuals",
            "Does the law predict what was measured?",
            "Filled markers are held-out cells, which were not used to choose the law: these test it."
            if held_out
            else "No cell was held out: the law was chosen and fitted with all of these cells, so their distance from "
            "the line does not test it.",
            residuals.figure(laws["studies"], names, text.error_name(laws)),
            residuals.table(laws["studies"], names),
        )
    ]


def work_panels(status: Mapping[str, Any] | None) -> list[Panel]:
    """Counts and seconds by stage."""
    panels = []
    if status and status.get("steps"):
        panels.append(
            Panel(
                "steps",
                "Steps",
                "Steps by stage and state.",
                work.counts_figure(status["steps"]),
                work.counts_table(status["steps"]),
            )
        )
    if status and status.get("seconds"):
        cpu = status.get("cpu_seconds") or {}
        panels.append(
            Panel(
                "seconds",
                "Seconds",
                "Time spent inside the steps, by stage.",
                work.seconds_figure(status["seconds"], cpu),
                work.seconds_table(status["seconds"], cpu),
            )
        )
    if status and (status.get("timeline") or {}).get("work"):
        panels.append(
            Panel(
                "timeline",
                "What ran where, and when",
                "One row per process of the last session.",
                timeline.figure(status["timeline"]),
                timeline.table(status["timeline"]),
            )
        )
    return panels


def _real(laws: Laws, study: Mapping[str, Any]) -> Mapping[str, Any] | None:
    curves: Sequence[Mapping[str, Any]] = laws["real"]
    return next((r for r in curves if r["classifier"] == study["classifier"]), None)
