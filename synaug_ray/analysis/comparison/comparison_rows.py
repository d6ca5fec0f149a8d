"""One row of a comparison: a study of a run at one size and amount, or the reason why it has no numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from synaug_ray.analysis.advice.more_real import number
from synaug_ray.analysis.advice.prediction_text import why_unknown
from synaug_ray.analysis.comparison.comparison_check import disagreement
from synaug_ray.analysis.comparison.comparison_places import beside_baseline, ceiling, estimate, length_note
from synaug_ray.analysis.comparison.comparison_results import Json, Reason, Role, Row, RunFiles, Why
from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.analysis.guessing import guessing
from synaug_ray.analysis.questions.baselines import BASELINES
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.common.text import counted, listed, some
from synaug_ray.laws.results import Estimate, FitStatus
from synaug_ray.store.run_folder import RunState, state_of

LEAKS = ("test images in train", "groups")  # rows of an audit: with a warning, classifiers know test images
LARGEST_C2 = 0.99 * math.exp(20)  # the upper limit of its search: an end there is open
SHOWS, REAL_SHOWS, COPIES, SEEN, FOUND = (
    "shows the requested class",
    "real images do",
    "near-copies",
    "real images seen",
    "found",
)


def usable_sizes(study: Json) -> list[int]:
    """Sizes with real and with synthetic images, ascending: only there is a gain over real images alone."""
    return sorted({int(c["num_real"]) for c in study["cells"] if c["num_real"] and c["num_synthetic"]})


def without_numbers(run: RunFiles) -> Row:
    """The row of a run that has no study to show."""
    why = run_reason(run) or Reason(Why.NOT_MEASURED, "no cell with real and synthetic images was measured as asked")
    return _row(run, why)


def row_of(
    run: RunFiles, study: Json, size: int | None, amount: float | None, asked: int | None, sizes: Sequence[int]
) -> Row:
    """The row of a study at ``size`` real images and ``amount`` synthetic ones per real one.

    Args:
        size: one of ``sizes``; None if none of them is near the ``asked`` one.
        amount: None where nothing was measured anywhere.
    """
    laws, verdicts = run.laws or {}, (run.verdict or {}).get("verdicts") or ()
    own = [v for v in verdicts if all(str(v.get(k)) == str(study[k]) for k in STUDY)]
    here = next((v for v in own if v["num_real"] == size), {})
    row = replace(
        _row(run, run_reason(run)),
        generator=str(study["generator"]),
        family=str(study.get("family") or study["generator"]),
        role=role_of(study),
        classifier=str(study["classifier"]),
        pretrained=any(v.get("classifier_saw") for v in own),
        protocol=str(study["protocol"]),
        real_share=str(study["real_share"]),
        num_real=size,
        outcome=str(here.get("outcome") or ""),
    )
    if size is None:
        text = f"at {asked:,} real images nothing was measured ({some(f'{n:,}' for n in sizes)})"
        return _refused(row, Reason(Why.NOT_MEASURED, text))
    row = replace(row, real_error=_real_error(laws, row.classifier, size), **_quality(run.quality, study, size))
    blind = {g.classifier: g for g in guessing(laws)}
    if row.classifier in blind and row.outcome != "helps":  # what helps even these is believed, as on the card
        return _refused(row, Reason(Why.NEAR_CHANCE, blind[row.classifier].sentence))
    cells = [c for c in study["cells"] if c["num_real"] == size]
    cell = next((c for c in cells if amount is not None and math.isclose(c["synthetic_multiple"], amount)), None)
    if cell is None:
        had = some(f"{c['synthetic_multiple']:g}×" for c in cells)
        wanted = "synthetic images" if amount is None else f"{amount:g}× synthetic images"
        return _refused(row, Reason(Why.NOT_MEASURED, f"{wanted} were not measured at {size:,} real images ({had})"))
    row = replace(row, num_synthetic=int(cell["num_synthetic"]), multiple=float(cell["synthetic_multiple"]))
    if row.why:
        return row
    row = replace(_measured(row, study, cell), **ceiling(laws, row), **beside_baseline(laws, row))
    row = replace(row, notes=(*row.notes, *length_note(laws, row)))
    doubt = disagreement(run.trials, row, int(cell.get("trials") or 0), float(study.get("real_only_slope") or 0.0))
    return replace(row, notes=(*row.notes, doubt)) if doubt else row


def run_reason(run: RunFiles) -> Reason | None:
    """Why no number of this run may be taken; None if they may."""
    state = state_of(dict(run.status or {}))
    if state in (RunState.RUNNING, RunState.INTERRUPTED):
        trials = ((run.status or {}).get("steps") or {}).get("trial") or {}
        far = f": {trials.get('done', 0):,} of {trials['total']:,} trials are done" if trials.get("total") else ""
        return Reason(Why.NOT_FINISHED, f"the run is {'at work' if state is RunState.RUNNING else 'interrupted'}{far}")
    if run.laws is None:
        return Reason(Why.NOT_ANALYSED, "the run has no laws.json, since no cell is finished")
    rows = [r for r in (run.audit or {}).get("rows") or () if r.get("what") in LEAKS and r.get("level") == "warning"]
    if rows:
        found = listed(f"{r['what']}: {r['value']}" for r in rows)
        return Reason(Why.LEAKY, f"{found} (data.duplicates: drop-test, or data.group, mends it)")
    return None


def _row(run: RunFiles, why: Reason | None) -> Row:
    laws, status = run.laws or {}, run.status or {}
    name = str((run.audit or {}).get("dataset") or _short(str(status.get("dataset") or run.dataset or run.name)))
    notes = []
    if run.status is None:
        notes.append("no status.json: whether the run is finished is not known")
    elif state_of(dict(status)) is RunState.FINISHED_WITH_FAILURES:
        lost = ((run.verdict or {}).get("missing") or {}).get("trials") or 0
        notes.append(f"{counted(int(lost), 'trial')} failed" if lost else "finished with failures")
    if run.audit is None:
        notes.append("no audit.json: whether test images are known from training is not known")
    failed = sorted({str(c.get("control")) for c in laws.get("controls") or () if c.get("passed") is False})
    if failed:
        notes.append(f"a control failed ({some(failed)}): trust no number of this run before the cause is found")
    return Row(
        run=run.name,
        dataset=name,
        unit=str(status.get("fingerprint") or name),
        why=why,
        pixels=_pixels(run.audit),
        advice=run.advice,
        classes=laws.get("num_classes"),
        test_images=laws.get("test_images"),
        draws=laws.get("draws"),
        core_hours=_core_hours(status),
        error_name="balanced error" if laws.get("error") == "balanced_error" else "test error",
        confidence=float(laws.get("confidence") or 0.9),
        notes=tuple(notes),
    )


def _pixels(audit: Json | None) -> tuple[int, int] | None:
    """Height and width of the images that were trained on."""
    shape = ((audit or {}).get("numbers") or {}).get("shape")
    return (int(shape[1]), int(shape[2])) if shape else None


def _core_hours(status: Json) -> float | None:
    spent = status.get("cpu_seconds")
    known = [value for value in map(number, spent.values()) if value is not None] if isinstance(spent, dict) else []
    return sum(known) / 3600 if known else None


def _short(dataset: str) -> str:
    kind, colon, rest = dataset.partition(":")
    if kind in ("npz", "folder", "parquet") and colon:
        return PurePosixPath(rest.rstrip("/")).stem or dataset
    return dataset


def _refused(row: Row, why: Reason) -> Row:
    return row if row.why else replace(row, why=why)


def role_of(study: Json) -> Role:
    """What the generator of a study is to the question."""
    if study.get("family") in BASELINES:
        return Role.BASELINE
    if study.get("family") in CONTROLS:
        return Role.CONTROL
    return Role.OPEN if study.get("open_set") else Role.CLOSED


def _measured(row: Row, study: Json, cell: Json) -> Row:
    gain, unknown = estimate(cell.get("gain")), why_unknown(study)
    unjudged = Reason(Why.FLAT, unknown) if unknown else None
    equivalent = Estimate(None) if unknown else estimate(cell.get("equivalent"))
    nothing = equivalent == Estimate(None)
    return replace(
        row,
        gain=gain,
        log_ratio=_log_ratio(gain, number(cell.get("error")), row.real_error),
        equivalent=equivalent,
        equivalent_why=(unjudged or Reason(Why.NO_INTERVAL, "beyond the measured real-only errors"))
        if nothing
        else None,
        **_rate(study, row.num_real, row.num_synthetic),
        **_law(study, unjudged),
        notes=row.notes
        if gain.low is not None and gain.high is not None
        else (*row.notes, "one draw: no interval, so it is in no mean"),
    )


def _real_error(laws: Json, classifier: str, size: int) -> Estimate:
    points = [p for c in laws.get("real") or () if c["classifier"] == classifier for p in c["points"]]
    return next((estimate(p["error"]) for p in points if p["num_real"] == size), Estimate(None))


def _log_ratio(gain: Estimate, error: float | None, real: Estimate) -> Estimate:
    """ln(error without / error with synthetic images).

    Both errors have the draws and test images in common, so most of the noise is that of the gain; what is left of the
    real-only error's is taken to be independent of it (delta method).
    """
    if gain.value is None or error is None or error <= 0 or error + gain.value <= 0:
        return Estimate(None)
    without = error + gain.value
    value = math.log(without / error)
    if gain.low is None or gain.high is None:
        return Estimate(value)
    level = 0.0 if real.low is None or real.high is None else (real.high - real.low) / 2
    return Estimate.around(
        value, math.hypot((gain.high - gain.low) / 2 / error, level * gain.value / (without * error))
    )


def _rate(study: Json, n: int | None, s: int | None) -> dict[str, Any]:
    found = [e for e in study.get("exchange") or () if (e["num_real"], e["num_synthetic"]) == (n, s)]
    if not found:
        return {"rate_why": "not measured"}
    rate, note = estimate(found[0].get("marginal")), str(found[0].get("note") or "")
    if not found[0].get("reachable", True):
        return {"rate_why": note or "not reachable"}
    return {"rate_why": note or "not estimable"} if rate.value is None else {"rate": rate}


def _law(study: Json, unjudged: Reason | None) -> dict[str, Any]:
    """c2 and lambda of F1, or why they are not estimable."""
    primary = study.get("primary")
    if not primary:
        return {"law_why": unjudged or Reason(Why.NOT_MEASURED, "too few sizes for a law")}
    if unjudged or study.get("misfit"):
        return {"law_why": unjudged or Reason(Why.LACK_OF_FIT, str(study["misfit"]))}
    c2, status = estimate(primary["c2"]), str(primary["status"])
    if status != FitStatus.CONVERGED or c2.value is None or c2.value >= LARGEST_C2:
        return {"law_why": Reason(Why.AT_BOUND, f"the fit of F1 is {status}: these data do not determine c2")}
    if c2.high is not None and c2.high >= LARGEST_C2:
        c2 = Estimate(c2.value, c2.low, None)
    return {"c2": c2, "lambda_per_image": estimate(primary["lambda_per_image"])}


def _quality(quality: Json | None, study: Json, size: int) -> dict[str, Any]:
    """What the quality checks found of the generator at this size; nothing where they were not made."""
    columns = [str(c) for c in (quality or {}).get("columns") or ()]
    rows = [dict(zip(columns, row, strict=False)) for row in (quality or {}).get("rows") or ()]
    seen = [r for r in rows if r.get("generator") == study["generator"]]
    here = next((r for r in seen if r.get(SEEN) == size), seen[0] if len(seen) == 1 else {})
    shows, real = _share(here.get(SHOWS)), _share(here.get(REAL_SHOWS))
    return {
        "fidelity": None if shows is None else shows / real if real else shows,
        "copies": _share(here.get(COPIES)),
    }


def _share(text: Any) -> float | None:
    """'96.9%' -> 0.969; None for anything else."""
    try:
        return float(str(text).removesuffix("%")) / 100 if str(text).endswith("%") else None
    except ValueError:
        return None
