"""How many draws would decide an undecided verdict, with a given probability.

The largest of several measured gains is an overestimate on average, and taken at face value it promises
decisions that do not come. So gains are shrunk towards zero according to their spread over the study's cells (a normal
prior, empirical Bayes). Then futures are simulated: a truth from its posterior distribution, further draws, and the
intervals that they would give together with the existing draws, on the same test images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from synaug_ray.laws.simultaneous import Look, next_look, seen_before

POWER = 0.8  # the probability of a decision with ``Deciding.draws``
EVEN, LIKELY = 0.5, 0.9  # the probabilities at the ends of the range
MOST_DRAWS = 10_000  # more draws are not practical
FUTURES = 1_000  # simulated futures


@dataclass(frozen=True)
class CellNoise:
    """The parts of a cell's half-widths, which are quantile * sqrt(draw / D + image)."""

    quantile: float  # of the simultaneous interval
    own: float  # quantile of the cell's own interval
    draw: float  # between-draw variance of a single draw's gain
    image: float  # variance due to the test images, and what else further draws do not lower
    freedom: float = np.inf  # degrees of freedom of both quantiles


@dataclass(frozen=True)
class Deciding:
    """Numbers of draws that decide with a probability of 80%, 50% and 90%; None if no number does."""

    draws: int | None
    even: int | None
    likely: int | None


def spread_of_gains(gains: Sequence[float], errors: Sequence[float]) -> float:
    """The variance of true gains about zero, from estimates and their standard errors, by the method of moments."""
    return max(float(np.mean(np.square(gains) - np.square(errors))), 0.0)


def next_p(p: float, looks: Sequence[Look], draws: int) -> float:
    """The approximate critical two-sided p-value of a cell at a next look with ``draws`` draws; ``p``: the last look's.

    It is the value for a Gaussian path at which the probability of crossing at that look, and not before, equals what
    the next look may spend.
    """
    now, before = looks[-1], looks[-2].share if len(looks) > 1 else 0.0
    ahead = next_look(looks, draws)
    spend = p * (ahead.share - now.share) / (now.share - before)
    bound, kept = float(stats.norm.isf(p / 2)), np.sqrt(seen_before(now, ahead))
    z = np.linspace(-bound, bound, 101)
    weights = stats.norm.pdf(z) * (z[1] - z[0])
    levels = np.geomspace(1e-6, 1.0, 50)
    later = stats.norm.isf(levels / 2)[:, None]
    scale = np.sqrt(max(1 - kept**2, 1e-9))
    crosses = stats.norm.sf((later - kept * z) / scale) + stats.norm.cdf((-later - kept * z) / scale)
    return float(np.interp(spend, crosses @ weights, levels))


def draws_to_decide(
    gains: Sequence[float],
    noise: Sequence[CellNoise],
    spread: float,
    delta: float | None,
    looks: Sequence[Look],
) -> Deciding:
    """How many draws, including the existing ones, decide the verdict on some amounts from one pool.

    Args:
        gains: as measured, of each amount, [C].
        noise: of the same, [C].
        spread: variance of true gains about zero.
        delta: the margin of "no effect"; None if that verdict is not possible.
        looks: so far; the last one left the verdict undecided.
    """
    rng, there = np.random.default_rng(0), looks[-1].draws
    gain, draw, image = np.array(gains), np.array([n.draw for n in noise]), np.array([n.image for n in noise])
    freedom = np.array([min(n.freedom, 1e6) for n in noise])
    p_joint, p_own = (2 * stats.t.sf([q(n) for n in noise], freedom) for q in (lambda n: n.quantile, lambda n: n.own))
    kept = (spread + image) / np.maximum(spread + image + draw / there, 1e-30)
    # the amounts from one pool vary together, and so do their variances
    luck, future = rng.standard_normal((2, FUTURES, 1))
    true_draw = draw * (freedom.min() / rng.chisquare(freedom.min(), (FUTURES, 1)))
    centre = (
        kept * gain + np.sqrt(kept * true_draw / there) * luck
    )  # what infinitely many draws would show on these test images

    def chance(draws: int) -> float:
        new = draws - there
        seen = (there * gain + new * (centre + np.sqrt(true_draw / new) * future)) / draws
        estimated = (freedom * draw + new * true_draw) / (freedom + new)
        error, later = np.sqrt(estimated / draws + image), freedom + new
        ahead = {p: next_p(p, looks, draws) for p in set(p_joint.round(9))}
        joint = stats.t.isf(np.array([ahead[p] for p in p_joint.round(9)]) / 2, later)
        decided = (np.abs(seen) > joint * error).any(axis=1)
        if delta is not None:
            decided |= (np.abs(seen) + stats.t.isf(p_own / 2, later) * error < delta).all(axis=1)
        return float(decided.mean())

    steps = [there + 1]
    while steps[-1] < MOST_DRAWS:
        steps.append(min(max(steps[-1] + 1, round(there + (steps[-1] - there) * 1.2)), MOST_DRAWS))
    found: dict[float, int] = {}
    for draws in steps:
        now = chance(draws)
        for wanted in (EVEN, POWER, LIKELY):
            if now >= wanted:
                found.setdefault(wanted, draws)
        if LIKELY in found:
            break
    return Deciding(found.get(POWER), found.get(EVEN), found.get(LIKELY))
