"""Intervals that hold for all cells simultaneously, and over repeated looks at growing data (group-sequential).

One look uses the multiplier bootstrap of the maximum (Chernozhukov, Chetverikov and Kato 2013, arXiv 1212.6906). The
image x draw noise is drawn with the images, where it has full rank; only what draws add to it is drawn in the D - 1
directions that D draws span. These few directions would make cells seem more similar than their generators are, so
draws and the t scale are drawn separately for each ``block`` (a size and a generator): independence is conservative
(Sidak 1967).

Each of several looks may spend a share of the allowed false verdicts (alpha spending, Lan and DeMets 1983). The
boundary of a look is found on simulated paths, Brownian in the number of draws, among those that were not stopped by an
earlier look. Since a look sees the earlier draws again, its boundary is closer than its share alone would make it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from synaug_ray.laws.bootstrap import Components, root
from synaug_ray.laws.moderation import StandardErrors

LEAST_PATHS = 10_000  # simulated paths: the boundaries of later looks are far out in the tail
FIRST_SHARE = 0.6  # share of the allowed false verdicts that the first look spends
LEAST_STEP = 0.95  # a look without further draws leaves at least this fraction of what is unspent


@dataclass(frozen=True)
class Look:
    """One look at the data: its number of draws, and the share of the allowed false verdicts spent up to it."""

    draws: int
    share: float
    seeds: int = 0  # of each draw; 0: as many as at the look before
    real_draws: int = 0  # of real images alone, which correct gains; 0: those of ``draws``


def next_look(earlier: Sequence[Look], draws: int, seeds: int = 0, real_draws: int = 0) -> Look:
    """The look after the ``earlier`` ones, by the default spending rule.

    After the first look, the unspent share falls in proportion to 1 / draws: 0.4 at 5 draws, 0.2 at 10. It depends on
    draws instead of looks, so that looking often costs little, and never reaches zero, so that another look is always
    possible.
    """
    if not earlier:
        return Look(draws, FIRST_SHARE, seeds, real_draws)
    kept = min(earlier[-1].draws / max(draws, 1), LEAST_STEP)
    return Look(draws, 1 - (1 - earlier[-1].share) * kept, seeds, real_draws)


def seen_before(before: Look, now: Look) -> float:
    """The squared correlation of two looks, at least: the share of the later look's data that the earlier one had.

    With n times the seeds, the variance of a draw is divided by n or less, by n where it is due to seeds alone. The
    smallest correlation gives the widest boundary.
    """
    seeds = min(before.seeds / now.seeds, 1.0) if before.seeds and now.seeds else 1.0
    alone = (before.real_draws or before.draws) / max(now.real_draws or now.draws, 1)
    return min(before.draws / max(now.draws, 1), alone, 1.0) * seeds


def single_look(draws: int) -> tuple[Look, ...]:
    """The looks at data that are analysed for the first time, with ``draws`` draws."""
    return (next_look((), draws),)


def critical_p(
    parts: Components,
    errors: StandardErrors,
    block: np.ndarray,
    alpha: float,
    looks: Sequence[Look],
    paths: int,
    rng: np.random.Generator,
) -> float:
    """The critical value of a cell's two-sided p-value at the last of ``looks``.

    If there is no effect anywhere, the probability that any cell's p-value is below the critical value of any look is
    the last look's share of ``alpha``. The half-width of an interval is the t quantile of p / 2 with the cell's degrees
    of freedom, times its standard error.

    Args:
        block: int [Q]; cells of a block have the same generators.
        paths: number of simulated paths.
    """
    paths = max(paths, LEAST_PATHS)
    total = errors.draw_variance + errors.image_variance
    by_image = np.minimum((np.diag(parts.interaction) + errors.image_variance) / total, 1.0)
    scale = np.sqrt(np.maximum(np.diag(parts.image_covariance), 1e-30))
    correlation = parts.image_covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    image_root = (root(correlation).T * np.sqrt(by_image)).astype(np.float32)
    length = np.maximum(np.sqrt(parts.draw_variance), 1e-30)
    directions = parts.draw_deviations / length[:, None] * np.sqrt(1 - by_image)[:, None]
    directions = directions.astype(np.float32)
    members = [np.flatnonzero(block == one) for one in np.unique(block)]
    freedom = [float(np.median(errors.freedom[index])) for index in members]
    squares = [np.zeros(paths) for _ in members]  # chi-square of the draws so far, by block
    held = [0.0 for _ in members]  # its degrees of freedom
    alive, spent, value = np.ones(paths, dtype=bool), 0.0, 1.0
    deviation: np.ndarray | None = None
    before = looks[0]
    last = max(looks[-1].draws - 1, 1)
    for look in looks:
        fresh = rng.standard_normal((paths, len(total)), dtype=np.float32) @ image_root
        for index in members:
            xi = rng.standard_normal((paths, directions.shape[1]), dtype=np.float32)
            fresh[:, index] += xi @ directions[index].T
        if deviation is not None:
            kept = seen_before(before, look)
            fresh = np.sqrt(kept) * deviation + np.sqrt(1 - kept) * fresh
        deviation, before = fresh, look
        least = np.ones(paths)
        for b, index in enumerate(members):
            now = max(freedom[b] * min((look.draws - 1) / last, 1.0), 1.0)
            if now > held[b]:
                squares[b] = squares[b] + rng.chisquare(now - held[b], paths)
                held[b] = now
            largest = np.abs(fresh[:, index]).max(axis=1) / np.sqrt(squares[b] / held[b])
            least = np.minimum(least, _two_sided(largest, held[b]))
        crossing = max(int(round((look.share - spent) * alpha * paths)), 1)
        among = np.sort(least[alive])
        value = float(among[min(crossing, len(among) - 1)])
        alive &= least >= value
        spent = look.share
    return value


def _two_sided(t: np.ndarray, freedom: float) -> np.ndarray:
    """P-values of many |t|, interpolated in a table: 20 times faster, with a relative error of at most 1 in 1,000."""
    knots = np.sinh(np.linspace(0, np.arcsinh(max(float(t.max()), 1.0)), 400))
    return np.exp(np.interp(t, knots, stats.t.logsf(knots, freedom))) * 2


def quantiles(errors: StandardErrors, p: float) -> np.ndarray:
    """The multiple [Q] of each standard error whose two-sided p-value is ``p``."""
    return stats.t.isf(p / 2, errors.freedom)
