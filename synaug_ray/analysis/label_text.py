"""The labels that a cell saves, in a sentence."""

from __future__ import annotations

from synaug_ray.analysis.label_results import LabelSaving
from synaug_ray.analysis.verdict_text import setting, span
from synaug_ray.laws.results import Estimate


def saving_sentence(saving: LabelSaving) -> str:
    """What a cell is worth in real images alone, and what it saves, without and with the labels of its generator."""
    said = f"{_start(saving)} is as good as {_number(saving.needed, 'real images alone')}"
    if saving.needed.value is None:
        said = f"{_start(saving)} is {_beyond(saving.needed)}"
    if (claim := _claim(saving.saved)) != "":
        said += f": it {claim}"
    extra = 0 if saving.labels is None else saving.labels - saving.num_real
    if extra > 0 and (claim := _claim(saving.saved_in_all)) != "":
        said += f". With the {extra:,} more labels that {saving.generator} was made from, it {claim}"
    elif saving.labels is None:
        said += ". The labels that the generator learnt from are not counted: the table does not tell them"
    return said + "."


def _start(saving: LabelSaving) -> str:
    how = f"({saving.generator}, {setting(saving.real_share, saving.protocol)}, {saving.classifier})"
    if not saving.num_real:
        return f"Without any real image, training on {saving.num_synthetic:,} synthetic ones {how}"
    mixed = saving.protocol == "mixed"
    synthetic = (
        f"{'adding' if mixed else 'training on'} {saving.num_synthetic:,} synthetic ones{'' if mixed else ' first'}"
    )
    return f"With {saving.num_real:,} real images, {synthetic} {how}"


def _number(estimate: Estimate, what: str) -> str:
    interval = span(estimate, 1, ",.0f")
    return f"{estimate.value or 0.0:,.0f} {what}" + ("" if interval == "no interval" else f" ({interval})")


def _beyond(needed: Estimate) -> str:
    """Where the error is beyond those of the measured sizes; an end of the interval is the bound."""
    if needed.low is not None and needed.high is None:
        return f"as good as at least {needed.low:,.0f} real images alone"
    if needed.high is not None and needed.low is None:
        return f"as good as at most {needed.high:,.0f} real images alone"
    return "not to be compared with real images alone, whose measured errors it is beyond"


def _claim(saved: Estimate) -> str:
    """What is saved, as the end of a sentence; '' if nothing is known."""
    value, low, high = saved.value, saved.low, saved.high
    if value is None:
        if high is not None and low is None:
            return "saves no label" if high < 1 else f"saves at most {high:,.0f} labels"
        if low is not None and high is None:
            return f"saves at least {low:,.0f} labels" if low >= 1 else "is not known whether it saves any label"
        return ""
    interval = span(saved, 1, ",.0f")
    shown = "" if interval == "no interval" else f" ({interval})"
    if round(value) <= 0:
        return f"saves no label: {value:,.0f}{shown}"
    return f"saves {value:,.0f} labels{shown}" + (", perhaps none" if low is not None and low <= 0 else "")
