"""The four verdicts, one per (classifier, generator, protocol, real_share, num_real).

Gains are judged with intervals that hold for all cells of the analysis at once, so that testing many
cells does not produce false effects: helps, if some amount's interval lies above 0; else
hurts, if some amount's lies below; else no effect, if every amount's *own* interval lies inside
+-delta; else undecided. "No effect" is a claim about all amounts, each of which must pass by itself:
such an intersection-union test of equivalence needs no correction for their number (Berger and Hsu 1996).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy import stats

from synaug_ray.analysis.paired_cells import StudyKey
from synaug_ray.analysis.results import Cell, Exchange, Outcome, Verdict
from synaug_ray.analysis.verdict_text import verdict_sentence
from synaug_ray.laws.results import Estimate

MOST_DRAWS = 10_000  # more than this is not practical
FEW_DRAWS = 5  # with fewer, the intervals assume normal draw effects, which cannot be checked
ROUGHLY = 0.9  # confidence of the range of deciding draws where draws are few


@dataclass(frozen=True)
class CellNoise:
    """The parts of a cell's half widths: quantile * sqrt(draw / D + image).

    ``quantile`` is that of the simultaneous interval, ``own`` of the cell's own; ``draw`` is the variance
    between draws of one draw's gain, ``image`` the test set's.
    """

    quantile: float
    own: float
    draw: float
    image: float


def _ends(gains: list[Estimate]) -> list[tuple[float, float]]:
    return [(g.low, g.high) for g in gains if g.low is not None and g.high is not None]


def outcome_of(simultaneous: list[Estimate], own: list[Estimate], delta: float) -> Outcome:
    """The verdict over the amounts of one num_real. Gains without an interval decide nothing."""
    ends = _ends(simultaneous)
    if not ends:
        return Outcome.UNDECIDED
    if any(low > 0 for low, _ in ends):
        return Outcome.HELPS
    if any(high < 0 for _, high in ends):
        return Outcome.HURTS
    ends = _ends(own)
    if len(ends) == len(own) and all(-delta < low and high < delta for low, high in ends):
        return Outcome.NO_EFFECT
    return Outcome.UNDECIDED


def draws_to_decide(gains: list[float], noise: list[CellNoise], delta: float) -> int | None:
    """The number of draws that would probably decide the verdict, if the gains are as estimated.

    Either the largest effect's half width falls below the effect, or every half width below what
    is left of delta. Only the part between draws shrinks; None where the test set is too small.
    """

    def needed(part: CellNoise, quantile: float, width: float) -> float:
        room = (width / quantile) ** 2 - part.image
        return math.inf if width <= 0 or room <= 0 else part.draw / room

    effect = min(needed(part, part.quantile, abs(gain)) for gain, part in zip(gains, noise, strict=True))
    nothing = max(needed(part, part.own, delta - abs(gain)) for gain, part in zip(gains, noise, strict=True))
    return math.ceil(min(effect, nothing)) if min(effect, nothing) < MOST_DRAWS else None


def rough_range(gains: list[float], noise: list[CellNoise], delta: float, draws: int) -> tuple[int, int | None] | None:
    """The same as a range, from the chi-square interval of the variance between a few draws.

    None where even the smallest such variance is too large; an upper end of None is "perhaps never".
    """
    freedom = max(draws - 1, 1)
    tail = (1 - ROUGHLY) / 2
    ends = [
        draws_to_decide(gains, [replace(part, draw=part.draw * freedom / chi) for part in noise], delta)
        for chi in (float(stats.chi2.ppf(1 - tail, freedom)), float(stats.chi2.ppf(tail, freedom)))
    ]
    low, high = (None if end is None else max(end, draws + 1) for end in ends)
    return None if low is None else (low, high)


def judge(
    study: StudyKey,
    cells: list[Cell],
    exchanges: dict[tuple[int, int], Exchange],
    noise: dict[tuple[int, int], CellNoise],
    *,
    delta: float,
    draws: int,
    seconds_per_draw: float,
    why_undecided: str,
) -> Verdict:
    """The verdict over ``cells``, all amounts of one num_real of one study.

    ``noise`` is empty where there are no intervals, and ``why_undecided`` then says why.
    """
    gains = [cell.gain_simultaneous for cell in cells]
    values = [gain.value or 0.0 for gain in gains]
    outcome = outcome_of(gains, [cell.gain for cell in cells], delta)
    also_hurts = None
    if outcome is Outcome.HELPS:
        helping = [c for c in cells if (c.gain_simultaneous.low or 0.0) > 0]
        cell = max(helping, key=lambda c: c.gain_simultaneous.value or 0.0)
        hurting = [c for c in cells if c.gain_simultaneous.high is not None and c.gain_simultaneous.high < 0]
        also_hurts = max((c.synthetic_multiple for c in hurting), default=None)
    elif outcome is Outcome.HURTS:
        cell = min(cells, key=lambda c: c.gain_simultaneous.value or 0.0)
    else:
        cell = max(cells, key=lambda c: abs(c.gain_simultaneous.value or 0.0))
    where = (cell.num_real, cell.num_synthetic)
    gain = cell.gain_simultaneous
    detectable = 0.0 if gain.low is None or gain.high is None else (gain.high - gain.low) / 2
    deciding_draws = deciding_seconds = deciding_range = None
    if outcome is Outcome.UNDECIDED and noise:
        parts = [noise[c.num_real, c.num_synthetic] for c in cells]
        if draws < FEW_DRAWS:
            deciding_range = rough_range(values, parts, delta, draws)
        else:
            deciding_draws = draws_to_decide(values, parts, delta)
        if deciding_draws is not None:
            deciding_draws = max(deciding_draws, draws + 1)
            deciding_seconds = (deciding_draws - draws) * seconds_per_draw
    sentence = verdict_sentence(
        outcome,
        study.generator,
        study.protocol,
        study.real_share,
        cell,
        exchanges.get(where),
        also_hurts=also_hurts,
        delta=delta,
        detectable=detectable,
        deciding_draws=deciding_draws,
        deciding_seconds=deciding_seconds,
        deciding_range=deciding_range,
        draws=draws,
        why_undecided=why_undecided,
    )
    return Verdict(
        *study,
        num_real=cell.num_real,
        outcome=outcome,
        best_multiple=cell.synthetic_multiple,
        gain=cell.gain if outcome is Outcome.NO_EFFECT else gain,
        equivalent=cell.equivalent,
        exchange=exchanges.get(where),
        smallest_detectable_gain=detectable,
        deciding_draws=deciding_draws,
        deciding_seconds=deciding_seconds,
        sentence=sentence,
        deciding_range=deciding_range,
    )
