"""The labels that a cell saves, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.analysis.advice.prediction_text import percent
from synaug_ray.analysis.questions.label_results import LabelSaving
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.analysis.verdict_text import setting, span
from synaug_ray.common.text import listed
from synaug_ray.laws.results import Estimate


def saving_sentence(saving: LabelSaving) -> str:
    """What a cell is worth in real images alone, and what it saves, without and with the labels of its generator."""
    known, why = saving.needed != Estimate(None), "its error is beyond those measured"
    said = f"{_start(saving)} is as good as {_needed(saving.needed)} real images alone: it {_claim(saving.saved)}"
    if not known:
        said = f"{_start(saving)} cannot be compared with real images alone: {saving.why_not or why}"
    extra = 0 if saving.labels is None else saving.labels - saving.num_real
    if extra > 0 and known:
        said += (
            f". Counting the {extra:,} further labels that {saving.generator} takes, it {_claim(saving.saved_in_all)}"
        )
    elif saving.labels is None:
        said += ". The labels that the generator learnt from are not counted, since the table does not tell them"
    return said + "."


def saving_at(laws: Mapping[str, Any], study: Mapping[str, Any], num_real: int, num_synthetic: int) -> Any:
    """The ``LabelSaving`` of ``laws.json`` that was measured at this very point of a study; None if none was."""
    savings = _savings(laws, study, num_real)
    return next((saving for saving in savings if saving["num_synthetic"] == num_synthetic), None)


def label_lines(laws: Mapping[str, Any], study: Mapping[str, Any], num_real: int, num_synthetic: int) -> list[str]:
    """What the images save in labels at a point; at 0 real images, what is known there."""
    found = saving_at(laws, study, num_real, num_synthetic)
    if found is not None:
        error = Estimate(**found["error"])
        return [f"Measured without real images: {percent(error)}."] * (not num_real) + [f"Labels: {found['sentence']}"]
    if num_real:
        return []
    measured = [f"{s['num_synthetic']:,}" for s in _savings(laws, study, 0)]
    known = f"only {listed(measured)} synthetic images were" if measured else "nothing was"
    return [f"Not predicted: no law reaches 0 real images, and {known} measured there (num_real: [0], num_synthetic)."]


def _savings(laws: Mapping[str, Any], study: Mapping[str, Any], num_real: int) -> list[Mapping[str, Any]]:
    """Those of a study at a number of real images; at 0, protocols are one."""
    same = STUDY[: None if num_real else 2]
    savings = laws.get("label_savings") or ()
    return [s for s in savings if s["num_real"] == num_real and all(s[name] == study[name] for name in same)]


def _start(saving: LabelSaving) -> str:
    how = f"({saving.generator}, {setting(saving.real_share, saving.protocol)}, {saving.classifier})"
    synthetic = f"{saving.num_synthetic:,} synthetic ones"
    if not saving.num_real:
        return f"Without any real image, training on {synthetic} {how}"
    done = f"adding {synthetic}" if saving.protocol == "mixed" else f"training on {synthetic} first"
    return f"With {saving.num_real:,} real images, {done} {how}"


def _needed(needed: Estimate) -> str:
    if needed.value is None:
        return span(needed, 1, ",.0f")
    return f"{needed.value:,.0f}{_interval(needed)}"


def _interval(estimate: Estimate) -> str:
    interval = span(estimate, 1, ",.0f")
    return "" if interval == "no interval" else f" ({interval})"


def _claim(saved: Estimate) -> str:
    """What is saved, as the end of a sentence."""
    least, most = saved.low, saved.high
    if saved.value is None:
        if most is not None and most < 1:
            return "saves none"
        if least is not None and least < 1:
            return "is not shown to save any"
        return f"saves {span(saved, 1, ',.0f')} labels"
    if round(saved.value) <= 0:
        return "saves none" + ("" if most is not None and most < 1 else " that could be shown")
    doubt = "" if least is not None and least >= 1 else ", perhaps none"
    return f"saves {saved.value:,.0f} labels{_interval(saved)}{doubt}"
