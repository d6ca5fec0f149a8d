"""Whether more of the same synthetic images would ever do, in sentences."""

from __future__ import annotations

from synaug_ray.analysis.questions.scaling_results import Ever, SyntheticScaling
from synaug_ray.analysis.verdict_text import margin, span
from synaug_ray.common.text import fixed
from synaug_ray.laws.results import Estimate


def scaling_sentence(found: SyntheticScaling) -> str:
    """Where synthetic images alone end, and whether that is where real images alone do."""
    of = f"at {found.num_real:,} real images" if found.num_real else "without real images"
    who = f"{found.generator} {of} ({found.classifier})"
    if not found.form:
        return f"{who}: where synthetic images alone would end is not determined: {found.why_not}."
    if found.floor.value is None:
        said = f"{who}: the error at which synthetic images alone would end is not determined"
        at_most = "" if found.floor.high is None else f"; it is at most {percent(found.floor.high)}%"
        said += f" ({found.why_not}){at_most}"
    else:
        said = f"{who}: synthetic images alone end at an error of {_percents(found.floor)}"
    return f"{said}. {_compared(found)}{_near(found)}"


def _compared(found: SyntheticScaling) -> str:
    above, real = found.above_real, found.real_floor
    if above == Estimate(None):
        return f"It cannot be compared with that of real images alone: {found.why_not}."
    theirs = f"{percent(real.high)}% at most" if real.value is None and real.high is not None else _percents(real)
    apart = f"{span(above)} points" if above.value is None else f"{points(above.value)} points ({span(above)})"
    if found.ever is Ever.NO:
        apart = f"{span(above, form='.1f')} points"
        if above.value is not None:
            apart = f"{percent(above.value)} points ({span(above, form='.1f')})"
        return f"More of the same would not do: real images alone end at {theirs}, and this is {apart} above."
    if found.ever is Ever.YES:
        return (
            f"In the end they would do: real images alone end at {theirs}, no more than {margin(found.margin)} lower."
        )
    return (
        f"Whether more of the same would do is not known: real images alone end at {theirs}, a difference of {apart}."
    )


def _near(found: SyntheticScaling) -> str:
    near = found.near_floor
    if near.value is None:
        return ""
    return (
        f" From about {_rounded(near.value)} images on ({_images(near)}), all further ones together gain less than "
        f"{margin(found.margin)}."
    )


def _images(near: Estimate) -> str:
    low, high = (None if end is None else _rounded(end) for end in (near.low, near.high))
    return f"at least {low}" if high is None else f"{low} to {high}"


def _rounded(count: float) -> str:
    """Two significant digits: an extrapolation."""
    return f"{float(f'{count:.2g}'):,.0f}"


def percent(error: float) -> str:
    """An error in percent, without its sign."""
    return fixed(100 * error, ".1f")


def points(value: float) -> str:
    """A difference of errors in points, with its sign."""
    return fixed(100 * value, "+.1f")


def _percents(error: Estimate) -> str:
    if error.value is None:
        return "an error that is not known"
    return f"{percent(error.value)}% ({span(error, 100, '.1f')})"
