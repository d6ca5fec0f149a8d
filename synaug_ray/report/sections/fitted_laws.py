"""The fitted laws: real-only curves and equivalence laws, with the chosen ones first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synaug_ray.report import tables, text
from synaug_ray.report.text import StudyNames

COLUMNS = (
    "form",
    "formula",
    "parameters",
    "status",
    "starts that reached the best fit",
    "RMSE (log error)",
    "AICc",
    "held-out cells",
    "held-out RMSE (log error)",
    "skill over no effect",
    "skill over a constant rate",
    "held-out coverage",
    "source",
)
BEFORE_HELD_OUT = COLUMNS.index("held-out cells")
AVERAGE = "average of the forms (in rates and the calculator)"


@dataclass(frozen=True)
class Fitted:
    """All forms that were fitted to a curve or study."""

    name: str
    chosen: str | None
    table: tables.Table


def all_fits(laws: Mapping[str, Any], names: StudyNames) -> tuple[Fitted, ...]:
    """One table per real-only curve, then one per study."""
    several = len({r["classifier"] for r in laws["real"]}) > 1
    curves = [
        Fitted(
            "Real only" + (f" · {r['classifier']}" if several else ""),
            r["chosen"],
            _table(r.get("fits") or (), r["chosen"], "Forms of the real-only curve"),
        )
        for r in laws["real"]
    ]
    studies = [
        Fitted(
            names.name(s),
            s["chosen"],
            _table(
                [*(s.get("fits") or ()), *(s.get("rivals") or ())],
                s["chosen"],
                "Forms of the equivalence",
                s.get("held_out"),
            ),
        )
        for s in laws["studies"]
    ]
    return tuple(curves + studies)


def chosen_fits(laws: Mapping[str, Any], names: StudyNames) -> tables.Table:
    """The chosen form of each curve and study, or 'none chosen', and the accuracy of the average of all forms."""
    several = len({r["classifier"] for r in laws["real"]}) > 1
    fitted = [("real only" + (f" · {r['classifier']}" if several else ""), r) for r in laws["real"]]
    fitted += [(names.name(s), s) for s in laws["studies"]]
    rows = []
    for name, owner in fitted:
        fit = next((f for f in owner.get("fits") or () if f["form"] == owner["chosen"]), None)
        if fit is None:
            rows.append((tables.words(name), tables.words("none chosen"), *(tables.words("") for _ in range(6))))
            continue
        held_out, averaged = fit.get("held_out") or {}, owner.get("held_out") or {}
        overdispersion = text.finite(owner.get("overdispersion"))
        misfit = None if overdispersion is None else overdispersion**0.5
        rows.append(
            (
                tables.words(name),
                tables.words(fit["form"]),
                tables.words(fit["status"]),
                tables.number(held_out.get("skill_no_effect"), text.plain, missing="–"),
                tables.number(averaged.get("skill_no_effect"), text.plain, missing="–"),
                tables.number(misfit, text.two_digits, missing="–"),
                tables.words(fit["formula"], "code"),
                _parameters(fit),
            )
        )
    return tables.Table(
        "Chosen forms",
        (
            "curve",
            "form",
            "status",
            "held-out skill",
            "held-out skill of the average",
            "misfit of the average",
            "formula",
            "parameters",
        ),
        tuple(rows),
    )


def primary(laws: Mapping[str, Any], names: StudyNames) -> tables.Table | None:
    """The source paper's law (F1) in all studies, and its published values; None for older files."""
    rows = [
        (
            tables.words(names.name(s)),
            tables.estimate(s["primary"]["c2"], text.plain),
            tables.estimate(s["primary"]["lambda_per_image"], text.plain),
            tables.words(s["primary"]["status"]),
        )
        for s in laws["studies"]
        if s.get("primary")
    ]
    if not rows:
        return None
    rows += [
        (
            tables.words(f"{p['dataset']}, {p['setting']} (published)"),
            tables.number(p["c2"], text.plain),
            tables.words("–"),
            tables.words(p["source"]),
        )
        for p in laws.get("published") or ()
    ]
    return tables.Table(
        "The law of arXiv 2508.09550", ("study", "c2", "lambda (per image)", "status, source"), tuple(rows)
    )


def _table(
    fits: Sequence[Mapping[str, Any]], chosen: str | None, caption: str, averaged: Mapping[str, Any] | None = None
) -> tables.Table:
    """The chosen form first, then the average of all forms if its held-out error is known, then the other forms."""
    rows = [_row(f, f["form"] == chosen) for f in sorted(fits, key=lambda f: f["form"] != chosen)]
    if averaged:
        blank = tables.words("")
        mean = (tables.words(AVERAGE), *(blank for _ in COLUMNS[1:BEFORE_HELD_OUT]), *_held_out(averaged), blank)
        rows.insert(1, mean)
    return tables.Table(caption, COLUMNS, tuple(rows))


def _row(fit: Mapping[str, Any], chosen: bool) -> tuple[tables.Entry, ...]:
    return (
        tables.words(fit["form"] + (" (chosen)" if chosen else "")),
        tables.words(fit["formula"], "code"),
        _parameters(fit),
        tables.words(fit["status"]),
        tables.number(fit.get("share_of_starts"), text.share, missing="–"),
        tables.number(fit.get("rmse_log_error"), text.plain, missing="–"),
        tables.number(fit.get("aicc"), text.plain, missing="–"),
        *_held_out(fit.get("held_out") or {}),
        tables.words(fit.get("source", "")),
    )


def _held_out(judged: Mapping[str, Any]) -> tuple[tables.Entry, ...]:
    """Number of held-out cells, error, skills and coverage."""
    return tuple(
        tables.number(judged.get(k), form, missing="–")
        for k, form in (
            ("cells", text.plain),
            ("rmse_log_error", text.plain),
            ("skill_no_effect", text.plain),
            ("skill_constant_rate", text.plain),
            ("coverage", text.share),
        )
    )


def _parameters(fit: Mapping[str, Any]) -> tables.Entry:
    lines = []
    for name, estimate in fit["parameters"].items():
        unit = fit.get("units", {}).get(name, "")
        lines.append(
            f"{name} = {text.with_interval(estimate, text.plain)}" + (f" {unit}" if unit and unit != "1" else "")
        )
    return tables.words("\n".join(lines + _best_weights(fit)), "lines")


def _best_weights(fit: Mapping[str, Any]) -> list[str]:
    """What J3 expects of the largest amount at each size, unless it predicts held-out mixtures worse than no effect."""
    skill, best = text.finite((fit.get("held_out") or {}).get("skill_no_effect")), fit.get("best") or ()
    if skill is None or skill <= 0:
        return []
    largest = {b["num_real"]: b for b in sorted(best, key=lambda b: (b["num_real"], b["num_synthetic"]))}
    lines = []
    for b in largest.values():
        worth = "any number of" if b["worth"] is None else text.images(b["worth"])
        lines.append(
            f"expected to be best: real weight {text.plain(b['real_weight'])} at {text.images(b['num_real'])} real and "
            f"{text.images(b['num_synthetic'])} synthetic images: worth {worth} more real images"
        )
    return lines
