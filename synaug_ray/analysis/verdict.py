"""The four verdicts, one per (classifier, generator, protocol, real_share, num_real).

Gains are judged by intervals that hold for all cells of the analysis at once, so that testing many cells does not
produce false effects. The verdict is *helps* if the interval of some amount lies above 0; otherwise *hurts* if that of
some amount lies below 0; otherwise *no effect* if the *own* interval of every amount lies within +-delta; otherwise
*undecided*. "No effect" is a claim about all amounts, each of which must pass separately: such an intersection-union
test of equivalence needs no correction for their number (Berger and Hsu 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synaug_ray.analysis.deciding import CellNoise, draws_to_decide
from synaug_ray.analysis.results import Cell, Exchange, Outcome, Verdict
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.analysis.verdict_text import failure_sentence, verdict_sentence
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import Look

FEW_DRAWS = 5  # with fewer draws, intervals assume normal draw effects, which cannot be checked
WIDEST_MARGIN = 0.25  # of the real-only error: about the gain of doubling the real images. Wider margins show nothing


@dataclass(frozen=True)
class Margin:
    """Gains within +-``delta`` count as no effect; ``wide``: too large relative to the error to show anything."""

    delta: float
    error: float  # real-only error at this size

    @classmethod
    def at(cls, error: float, delta: float, relative_delta: float | None) -> Margin:
        """The margin for a real-only error: ``delta``, or ``relative_delta`` times the error."""
        return cls(delta if relative_delta is None else relative_delta * error, error)

    @property
    def wide(self) -> bool:
        return self.delta > WIDEST_MARGIN * self.error


@dataclass(frozen=True)
class Failures:
    """Draws of one size whose generator failed, draws tried, and the gain if failed draws were as bad as the worst."""

    failed: int
    tried: int
    gain: float


def _ends(gains: list[Estimate]) -> list[tuple[float, float]]:
    return [(g.low, g.high) for g in gains if g.low is not None and g.high is not None]


def outcome_of(simultaneous: list[Estimate], own: list[Estimate], delta: float) -> Outcome:
    """The verdict over the amounts of one num_real. Gains without an interval are not considered."""
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


def judge(
    study: StudyKey,
    cells: list[Cell],
    exchanges: dict[tuple[int, int], Exchange],
    noise: dict[tuple[int, int], CellNoise],
    *,
    margin: Margin,
    spread: float,
    looks: Sequence[Look],
    failures: dict[int, Failures],
    seconds_per_draw: float,
    why_undecided: str,
) -> Verdict:
    """The verdict over ``cells``, all amounts of one num_real of one study.

    ``noise`` is empty if there are no intervals; ``why_undecided`` then gives the reason. ``spread`` is the variance of
    the true gains of the study; ``failures`` are by num_synthetic.
    """
    gains = [cell.gain_simultaneous for cell in cells]
    draws, delta = looks[-1].draws, margin.delta
    outcome = outcome_of(gains, [cell.gain for cell in cells], delta)
    too_wide = outcome is Outcome.NO_EFFECT and margin.wide
    if too_wide:
        outcome = Outcome.UNDECIDED
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
    deciding, deciding_seconds = None, None
    if outcome is Outcome.UNDECIDED and noise:
        deciding = draws_to_decide(
            [gain.value or 0.0 for gain in gains],
            [noise[c.num_real, c.num_synthetic] for c in cells],
            spread,
            None if margin.wide else delta,
            looks,
        )
        if deciding.draws is not None:
            deciding_seconds = (deciding.draws - draws) * seconds_per_draw
    failed = failures.get(cell.num_synthetic)
    sentence = verdict_sentence(
        outcome,
        study.generator,
        study.protocol,
        study.real_share,
        cell,
        exchanges.get(where),
        also_hurts=also_hurts,
        delta=delta,
        error=margin.error,
        too_wide=too_wide,
        detectable=detectable,
        deciding=deciding,
        deciding_seconds=deciding_seconds,
        draws=draws,
        why_undecided=why_undecided,
    )
    if failed is not None:
        sentence += failure_sentence(failed.failed, failed.tried, failed.gain)
    return Verdict(
        *study,
        num_real=cell.num_real,
        outcome=outcome,
        best_multiple=cell.synthetic_multiple,
        gain=cell.gain if outcome is Outcome.NO_EFFECT else gain,
        equivalent=cell.equivalent if outcome is Outcome.NO_EFFECT else cell.equivalent_simultaneous,
        exchange=exchanges.get(where),
        smallest_detectable_gain=detectable,
        deciding_draws=None if deciding is None else deciding.draws,
        deciding_seconds=deciding_seconds,
        sentence=sentence,
        deciding_range=None if deciding is None or deciding.even is None else (deciding.even, deciding.likely),
        margin=delta,
        failed_draws=0 if failed is None else failed.failed,
        tried_draws=None if failed is None else failed.tried,
        gain_if_failed=None if failed is None else failed.gain,
    )
