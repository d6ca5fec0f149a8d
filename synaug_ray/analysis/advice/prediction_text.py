"""The answers of ``predict`` for one study, in sentences. Errors are in percent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.analysis.advice.calculator import Answer, Costs, Expectation, Mix, cost, generation_seconds
from synaug_ray.analysis.advice.recommendation import Advice, Recommendation, unknown_mix
from synaug_ray.analysis.advice.recommendation_text import unknown_collection
from synaug_ray.analysis.exchange import NOT_ESTIMABLE
from synaug_ray.analysis.generators import opened_by
from synaug_ray.analysis.verdict_text import setting, span
from synaug_ray.common.text import fixed
from synaug_ray.laws.results import Estimate


def study_title(study: dict[str, Any]) -> str:
    """Which study the sentences are about."""
    opened = opened_by(str(study.get("family") or ""), bool(study.get("open_set")))
    kind = f", {opened}" if opened else ""
    return f"{study['generator']} with {study['classifier']} ({setting(study['real_share'], study['protocol'])}{kind})"


def count(value: float) -> str:
    """A number of images, or a cost, with a thousands separator."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def percent(error: Estimate) -> str:
    """A fraction as percent with its interval."""
    if error.value is None:
        return "not estimable"
    interval = span(error, form=".2f")
    return f"{100 * error.value:.2f}%" + ("" if interval == "no interval" else f" ({interval})")


def _number(value: Estimate, digits: str) -> str:
    interval = span(value, 1, digits)
    return fixed(value.value or 0.0, digits) + ("" if interval == "no interval" else f" ({interval})")


_OFF = " The laws do not fit this cell: their prediction is outside its interval."


def off(at: Expectation, measured: Estimate) -> bool:
    """Whether the expected error is outside the interval of the cell's own measurement."""
    if at.error.value is None or measured.low is None or measured.high is None:
        return False
    return not measured.low <= at.error.value <= measured.high


def caution(misfit: str) -> str:
    """What a misfit of the laws means for predictions between and beyond the cells; empty without a misfit."""
    between = "between the measured cells this is interpolated, and beyond them little is known"
    return f"Caution: {misfit}; {between}." if misfit else ""


def why_unknown(study: Mapping[str, Any]) -> str:
    """Why a study's real-equivalents and rates are unknown; empty if they are known."""
    notes = {exchange["note"] for exchange in study.get("exchange") or ()}
    return NOT_ESTIMABLE.partition(": ")[2] if notes == {NOT_ESTIMABLE} else ""


def expectation_sentences(
    at: Expectation,
    confidence: float,
    error: str,
    *,
    measured: Estimate | None = None,
    worth: Estimate | None = None,
    misfit: str = "",
    unknown: str = "",
    ends: tuple[tuple[float, float], ...] = (),
) -> list[str]:
    """Error, equivalent and exchange rate at one point, whether it is extrapolated, and whether the laws fit there.

    Args:
        at: the point.
        confidence: of the intervals.
        error: the column that is analysed, ``test_error`` or ``balanced_error``.
        measured: the error measured at this very point, if any.
        worth: in real images, of that measurement, as its verdict has it.
        misfit: a sentence if no fitted law describes the study; then there is no rate for the next real image.
        unknown: why real-equivalents and rates are unknown, from ``why_unknown``.
        ends: smallest and largest values of the prediction grid's axes: real images, then synthetic ones.
    """
    images = f"{at.num_real:,} real" + (f" and {at.num_synthetic:,} synthetic" if at.num_synthetic else "") + " images"
    what = "Expected balanced error" if error == "balanced_error" else "Expected error"
    lines = [f"{what} at {images}: {percent(at.error)}; {100 * confidence:g}% interval."]
    if at.error.value is None:
        lines[0] = f"{what} at {images}: not estimable{_limits(at, ends)}."
    elif at.error.low is None:
        lines[0] = f"{what} at {images}: {percent(at.error)}, without an interval."
    if measured is not None and measured.value is not None:
        lines.append(f"Measured there: {percent(measured)}." + (_OFF if off(at, measured) else ""))
        if worth is not None and (interval := span(worth, 1, "+,.0f")) != "no interval":
            value = "" if worth.value is None else f"{worth.value:+,.0f}, "
            lines.append(
                f"Worth as measured: {value}{interval} real images; interval for all cells at once, as in verdicts."
            )
    if at.num_synthetic:
        lines += [_worth(at, unknown), _rate(at, misfit, unknown)]
    if misfit:
        lines.append(caution(misfit))
    why = "Extrapolated" if at.error.value is not None else "Not predicted"
    lines += [f"{why}: {sentence}." for sentence in at.outside]
    return lines


def _limits(at: Expectation, ends: Sequence[tuple[float, float]]) -> str:
    """Which limit of the predictions the point exceeds, and what to do about it."""
    said = []
    asked = (at.num_real, "real"), (at.num_synthetic, "synthetic")
    for (value, kind), (low, high) in zip(asked, ends, strict=False):
        if value < low:
            said.append(f"from {math.ceil(low):,} {kind} images on")
        elif value > high:
            said.append(f"up to {math.floor(high):,} {kind} images")
    if not said:
        return ", outside the range of the predictions"
    field = "num_real" if len(said) > 1 or said[0].endswith("real images") else "synthetic_multiples"
    return (
        f": this run predicts {' and '.join(said)}, within a factor of two of what it measured. Measure closer to it "
        f"({field})"
    )


def cost_sentence(generation: Sequence[Mapping[str, Any]], costs: Costs, at: Expectation) -> str:
    """The cost of a point at the given prices."""
    spent = generation_seconds(generation, at.num_real, at.num_synthetic)
    total = count(cost(generation, costs, at.num_real, at.num_synthetic))
    hours = f", including {spent / 3600:.3g} core-hours (or GPU-hours) of generation" if spent else ""
    untimed = ""
    if costs.core_hour and at.num_synthetic and not spent:
        untimed = " Generation is not included: this run has no timings of it."
    return f"Cost: {total}{hours}.{untimed}"


def _worth(at: Expectation, unknown: str) -> str:
    if at.equivalent.value is None:
        interval = span(at.equivalent, 1, ",.0f")
        known = "" if interval == "no interval" else f" ({interval})"
        return f"Worth in real images: not estimable{known}{_because(unknown or at.why)}."
    what = "worth" if at.equivalent.value >= 0 else "as harmful as removing"
    size = Estimate(at.equivalent.value, at.equivalent.low, at.equivalent.high)
    if at.equivalent.value < 0:
        low, high = at.equivalent.high, at.equivalent.low
        size = Estimate(-at.equivalent.value, None if low is None else -low, None if high is None else -high)
    real_only = percent(Estimate(at.error_real_only.value))
    return (
        f"By the fitted law, the synthetic images are {what} {_number(size, ',.0f')} real ones; "
        f"without them the expected error is {real_only}."
    )


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _rate(at: Expectation, misfit: str, unknown: str) -> str:
    if "equivalent" in at.not_estimable:
        return "Exchange rate: not estimable."  # the line about their worth says why
    if set(at.not_estimable) == {"average", "marginal"}:
        return f"Exchange rate: not estimable: {at.why}."
    if at.equivalent.value is None and at.marginal.value is None and at.marginal.low is None:
        return f"Exchange rate: not estimable{_because(unknown)}."
    parts = []
    if "average" in at.not_estimable:
        parts.append(f"on average not estimable ({at.why})")
    elif at.num_synthetic and at.average.value is not None:
        parts.append(f"{_number(at.average, ',.1f')} synthetic images for one real image on average")
    elif at.num_synthetic:
        parts.append("this amount replaces no real image")
    if "marginal" in at.not_estimable:
        parts.append(f"for the next one not estimable ({at.why})")
    elif at.marginal.value is not None:
        parts.append(f"{_number(at.marginal, ',.1f')} for the next one")
    elif misfit:  # only laws could say whether more synthetic images are worth one, and none fits
        parts.append("for the next one not estimable")
    else:
        parts.append("further synthetic images replace no real image (not reachable)")
    return "Exchange rate: " + "; ".join(parts) + "."


def _mix(mix: Mix, costs: Costs) -> str:
    more = max(mix.num_real - costs.have, 0)
    bought = f" ({more:,} to collect)" if costs.have else ""
    return (
        f"{mix.num_real:,} real{bought} and {mix.num_synthetic:,} synthetic images, cost {count(mix.cost)}, "
        f"expected error {percent(mix.error)}"
    )


def plan_sentences(
    answer: Answer,
    target: float,
    costs: Costs,
    found: Sequence[Recommendation],
    collecting_helps: bool,
    unknown: str = "",
) -> list[str]:
    """The cheapest mix and what it saves, or why there is none.

    A mix is only recommended if the measured sizes on both sides of it show a gain, and more real images only if more
    of them were measured to help.

    Args:
        found: what is recommended at the measured sizes, for this study alone.
        collecting_helps: whether more real images were measured to lower the error at the largest sizes.
        unknown: why nothing is known of the worth of a real image, as ``why_unknown`` has it.
    """
    if answer.mix is None:
        if answer.reached is None:
            return [f"No mix inside the measured range: you have {costs.have:,} real images, more than were measured."]
        return [
            f"No mix inside the measured range is expected to reach {100 * target:g}%: the lowest is "
            f"{percent(answer.reached.error)}, at {answer.reached.num_real:,} real and "
            f"{answer.reached.num_synthetic:,} synthetic images. "
            + (
                "Collect more real images and measure beyond it."
                if collecting_helps
                else "More real images were not shown to help at the largest sizes either: look at the classifier, the "
                "labels and the images that it gets wrong."
            )
        ]
    doubt = unknown_mix(found, answer.mix.num_real, answer.mix.num_synthetic)
    if doubt:
        alone = None if unknown else answer.collect_only
        return [doubt] + ([f"Real images alone: {_mix(alone, costs)}."] if alone else [])
    if why := unknown_collection(unknown, answer.mix.num_real, costs.have):
        return [why]
    lines = [f"Cheapest mix for {100 * target:g}%: {_mix(answer.mix, costs)}."]
    if answer.mix.num_synthetic == 0 and unknown_mix(found, answer.mix.num_real, 1).startswith(Advice.NOT_KNOWN):
        lines.append("Whether synthetic images would make it cheaper is not known yet.")
    elif answer.mix.num_synthetic == 0:
        lines.append("Synthetic images would only add to the cost.")
    elif answer.collect_only is None:
        lines.append("Real images alone are not expected to reach it inside the measured range.")
    else:
        lines.append(f"Real images alone: {_mix(answer.collect_only, costs)}.")
    return lines
