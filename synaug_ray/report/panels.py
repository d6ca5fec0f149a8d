"""The figures of the page, each with its caption and the table of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import text
from synaug_ray.report.figures import equivalents, errors, exchange, gains, residuals, so_far, timeline, work
from synaug_ray.report.run_view import RunView
from synaug_ray.report.tables import Table
from synaug_ray.report.text import StudyNames

Laws = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """One figure. ``id`` is fixed by its place on the page and holds no user's text."""

    id: str
    title: str
    caption: str
    figure: go.Figure
    table: Table

    @property
    def label(self) -> str:
        """What a screen reader says in place of the drawing."""
        return f"{self.title}. {self.caption} The table below holds the same numbers."


def exchange_panels(laws: Laws, verdict: Mapping[str, Any], names: StudyNames) -> list[Panel]:
    """The headline figure: what one more real image is worth in synthetic ones; then the trade-off, where known."""
    studies, verdicts = laws["studies"], verdict.get("verdicts", ())
    points = [e for s in studies for e in exchange.working_points(s, verdicts)]
    if not points:
        return []
    panels = [
        Panel(
            "exchange-rate",
            "How many synthetic images replace the next real one",
            "Each point stands at the amount its verdict is about; bars are intervals. Open markers below "
            "have no price: either no amount replaces another real image, or the data do not tell.",
            exchange.rate_figure(studies, verdicts, names),
            exchange.rate_table(studies, verdicts, names),
        )
    ]
    if any(not exchange.standing(e, exchange.TRADEOFF) for e in points):
        panels.append(
            Panel(
                "trade-off",
                "The other question: what lowers the error more, from here?",
                "Replacement, above, compares with real images alone. Here one more real image is added to the "
                "mix as it stands, and may improve the generator too: so many synthetic images lower the error "
                "as much as it does. Open markers have no rate: more synthetic images do not lower the error "
                "there, or the data do not tell.",
                exchange.rate_figure(studies, verdicts, names, exchange.TRADEOFF),
                exchange.tradeoff_table(studies, verdicts, names),
            )
        )
    return panels


def equivalents_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Real-equivalents, one figure a study."""
    panels = []
    for i, study in enumerate(laws["studies"]):
        panels.append(
            Panel(
                f"equivalents-{i}",
                names.name(study),
                "How many real images alone reach the same error, as a multiple of n: above 1× the "
                "synthetic images act like additional real ones, below 1× they cost some. Arrows: at least, "
                "or at most, so many, as the real-only curve was not measured further (open arrows: by the "
                "estimate, while its interval tells neither). Dotted: were every synthetic image a real one.",
                equivalents.figure(study, _real(laws, study)),
                equivalents.table(study, _real(laws, study)),
            )
        )
    return panels


def error_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Error against real images, one figure a study, or the real-only curves where there is no study."""
    error = text.error_name(laws)
    caption = (
        f"Points are means with intervals; the line is the real-only law with its band. The error is the {error}"
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
    """Mean errors of a run that has measurements and no laws yet."""
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
            "Means of the trials done; cells have different numbers of trials and no intervals yet, so "
            "differences between them prove nothing.",
            so_far.figure(means, names),
            so_far.table(means, names),
        )
    ]


def gain_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Gain against multiple, one figure a study; studies of one generator share their range."""
    delta = float(laws["delta"])
    panels = []
    for i, study in enumerate(laws["studies"]):
        kin = [
            s for s in laws["studies"] if (s["generator"], s["classifier"]) == (study["generator"], study["classifier"])
        ]
        panels.append(
            Panel(
                f"gains-{i}",
                names.name(study),
                f"Above zero the synthetic images help. Grey: ±{100 * delta:g} points, where an "
                "effect is too small to matter. Thick bars: this cell alone; thin: all cells at once, as in "
                "the verdicts.",
                gains.figure(study, delta, gains.reach(kin, delta), text.error_name(laws)),
                gains.table(study),
            )
        )
    return panels


def residual_panels(laws: Laws, names: StudyNames) -> list[Panel]:
    """Predicted against measured, where any law predicts."""
    predicted = [c for s in laws["studies"] for c in s["cells"] if c.get("predicted_error")]
    if not predicted:
        return []
    held_out = any(c["held_out"] for c in predicted)
    return [
        Panel(
            "residuals",
            "Does the law predict what was measured?",
            "Filled markers are held-out cells, which the choice of the law never saw: these are the test."
            if held_out
            else "No cell was held out: the law was chosen and fitted on all of these, so how near they lie to "
            "the line is no test of it.",
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
                "What stands, by stage.",
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
                "Time inside the steps, by stage.",
                work.seconds_figure(status["seconds"], cpu),
                work.seconds_table(status["seconds"], cpu),
            )
        )
    if status and (status.get("timeline") or {}).get("work"):
        panels.append(
            Panel(
                "timeline",
                "What ran where, and when",
                "Each process of the last session of the command.",
                timeline.figure(status["timeline"]),
                timeline.table(status["timeline"]),
            )
        )
    return panels


def _real(laws: Laws, study: Mapping[str, Any]) -> Mapping[str, Any] | None:
    curves: Sequence[Mapping[str, Any]] = laws["real"]
    return next((r for r in curves if r["classifier"] == study["classifier"]), None)
