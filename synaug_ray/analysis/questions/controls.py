"""Controls: generators with a known answer. If a control fails, no other result can be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from synaug_ray.analysis.questions.scaling_results import SyntheticScaling
from synaug_ray.analysis.questions.staged_results import StagedCell
from synaug_ray.analysis.results import Analysis, Study
from synaug_ray.analysis.verdict_text import points, shown_margin, span
from synaug_ray.laws.results import Estimate

ONE_FOR_ONE = (0.8, 1.25)  # synthetic images per real image that count as one for one
ENDS_WITHIN = 3.0  # margins; a wider interval of a difference of ends cannot pass
NOT_FAR_OFF = (0.5, 2.0)  # an interval that extends beyond this is too wide to pass


def _entry(
    study: Study, expected: str, quantity: str, observed: Estimate, passed: bool | None, text: str
) -> dict[str, Any]:
    return {
        "control": study.generator,
        "classifier": study.classifier,
        "protocol": study.protocol,
        "real_share": study.real_share,
        "expected": expected,
        "quantity": quantity,
        "observed": dataclasses.asdict(observed),
        "passed": passed,
        "sentence": text,
    }


def _real_holdout(study: Study) -> dict[str, Any] | None:
    """A held-out real image, mixed in proportion, must be worth about one real image: F0's rho must be near 1."""
    if study.real_share != "proportional":
        return None
    rate = next((fit.parameters.get("1/rho") for fit in study.fits if fit.form == "F0"), None)
    if rate is None or rate.value is None:
        return None
    rho = Estimate(
        1 / rate.value if rate.value > 0 else None,
        1 / rate.high if rate.high is not None and rate.high > 0 else None,
        1 / rate.low if rate.low is not None and rate.low > 0 else None,
    )
    passed = None
    if rate.low is not None and rate.high is not None:
        if rho.low is None or rho.low > ONE_FOR_ONE[1] or (rho.high is not None and rho.high < ONE_FOR_ONE[0]):
            passed = False
        elif rho.low >= NOT_FAR_OFF[0] and rho.high is not None and rho.high <= NOT_FAR_OFF[1]:
            passed = True
    shown = "no finite number" if rho.value is None else f"{rho.value:.2f}"
    return _entry(
        study,
        "about 1 held-out real image per real image",
        "average exchange s/r",
        rho,
        passed,
        f"{shown} held-out real images are worth one real image ({span(rho, 1, '.2f')}); expected about 1.",
    )


def _duplicate(study: Study, analysis: Analysis) -> dict[str, Any]:
    """Copies of the subset must have no effect.

    The control passes if each cell's own interval is inside +-delta (a claim about all cells needs no correction
    for their number, since each must pass; Berger 1982). It fails if a simultaneous interval is outside it.
    """
    deltas = {v.num_real: v.margin for v in analysis.verdicts if v.classifier == study.classifier}
    of_cells = [deltas.get(cell.num_real) or analysis.delta for cell in study.cells]
    own = [(cell.gain.low, cell.gain.high) for cell in study.cells]
    joint = [(cell.gain_simultaneous.low, cell.gain_simultaneous.high) for cell in study.cells]
    passed = None
    if any(
        low > delta or high < -delta
        for (low, high), delta in zip(joint, of_cells, strict=True)
        if low is not None and high is not None
    ):
        passed = False
    elif all(
        low is not None and high is not None and low > -delta and high < delta
        for (low, high), delta in zip(own, of_cells, strict=True)
    ):
        passed = True
    worst = max((cell.gain for cell in study.cells), key=lambda gain: abs(gain.value or 0.0))
    text = f"Duplicated real images: at most {points(worst.value or 0)} points ({span(worst)}); expected none."
    beyond = shown_margin(analysis.delta, analysis.relative_delta)
    return _entry(study, f"no gain or loss beyond {beyond}", "largest gain or loss", worst, passed, text)


def _duplicate_in_stages(study: Study, analysis: Analysis, staged: Sequence[StagedCell]) -> dict[str, Any] | None:
    """Copies in stage one must do what the real images themselves do there; judged by pointwise intervals."""
    deltas = {v.num_real: v.margin for v in analysis.verdicts if v.classifier == study.classifier}
    found = [(c.over_control, deltas.get(c.num_real) or analysis.delta) for c in staged if c.over_control is not None]
    if not found:
        return None
    passed = None
    if any(e.low is not None and e.high is not None and (e.low > d or e.high < -d) for e, d in found):
        passed = False
    elif all(e.low is not None and e.high is not None and -d < e.low and e.high < d for e, d in found):
        passed = True
    worst = max((e for e, _ in found), key=lambda e: abs(e.value or 0.0))
    beyond = shown_margin(analysis.delta, analysis.relative_delta)
    text = f"Duplicated real images in stage one: at most {points(worst.value or 0)} points ({span(worst)}) over the "
    text += "real images in their place; expected none."
    return _entry(study, f"no gain or loss beyond {beyond}", "largest gain or loss", worst, passed, text)


def _label_shuffle(study: Study) -> dict[str, Any]:
    """Wrong labels must hurt: some amount must hurt significantly, and none may help significantly."""
    gains = [cell.gain_simultaneous for cell in study.cells]
    worst = min(gains, key=lambda gain: gain.value or 0.0)
    passed = None
    if any(g.low is not None and g.low > 0 for g in gains):
        passed = False
    elif any(g.high is not None and g.high < 0 for g in gains):
        passed = True
    return _entry(
        study,
        "hurts",
        "largest loss",
        worst,
        passed,
        f"Images with shuffled labels: {points(worst.value or 0)} points ({span(worst)}); expected to hurt.",
    )


def _ends(found: SyntheticScaling) -> dict[str, Any] | None:
    """Held-out real images alone must end where real images alone do; None where the amounts do not determine it."""
    above = found.above_real
    if above.low is None or above.high is None:
        return None
    passed = None
    if above.low > found.margin or above.high < -found.margin:
        passed = False
    elif above.low <= 0 <= above.high and max(-above.low, above.high) <= ENDS_WITHIN * found.margin:
        passed = True
    text = f"Held-out real images alone end {span(above)} points above real images alone; expected no difference."
    return {
        "control": found.generator,
        "classifier": found.classifier,
        "protocol": found.protocol,
        "real_share": found.real_share,
        "expected": "ends where real images alone do",
        "quantity": "end above that of real images (points)",
        "observed": dataclasses.asdict(above),
        "passed": passed,
        "sentence": text,
    }


def controls(analysis: Analysis) -> list[dict[str, Any]]:
    """Each control that ran, with what was expected, what was observed, and whether it passed.

    ``passed`` is True, False, or None if the intervals cannot tell. Entries are plain JSON values.
    """
    out = []
    for study in analysis.studies:
        if not study.cells:
            continue
        entry = None
        staged = [c for c in analysis.staged if (c.classifier, c.protocol) == (study.classifier, study.protocol)]
        if staged:  # a new head may undo wrong labels, and the stages alone may gain or lose
            of_study = [c for c in staged if c.generator == study.generator]
            entry = _duplicate_in_stages(study, analysis, of_study) if study.family == "duplicate" else None
        elif study.family == "real-holdout":
            entry = _real_holdout(study)
        elif study.family == "duplicate":
            entry = _duplicate(study, analysis)
        elif study.family == "label-shuffle":
            entry = _label_shuffle(study)
        if entry is not None:
            out.append(entry)
    return out + [entry for s in analysis.scaling if s.family == "real-holdout" and (entry := _ends(s)) is not None]
