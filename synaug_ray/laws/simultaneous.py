"""Intervals that hold for all cells at once, and over repeated looks at growing data.

For one look: the multiplier bootstrap of the maximum (Chernozhukov, Chetverikov and Kato 2013, arXiv 1212.6906). The
image x draw noise enters through the images, where it has full rank, and only what the draws add to it through the
D - 1 directions that D draws span. These few directions would make cells seem more similar than their generators are,
so draws and the t scale are drawn separately for each ``block``, a size and a generator: independence is conservative
(Sidak 1967).

Over looks: each look may spend a share of the false verdicts allowed (Lan and DeMets 1983). What a look costs is
less than its share alone would take, since it sees the earlier draws again: the boundary is found on simulated
paths, Brownian in the number of draws, among those that no earlier look has stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from synaug_ray.laws.bootstrap import Components, root
from synaug_ray.laws.moderation import StandardErrors

LEAST_PATHS = 10_000  # simulated; the later looks' boundaries lie far out in the tail
FIRST_SHARE = 0.6  # of the false verdicts allowed is the first look's
LEAST_STEP = 0.95  # a look at no more draws leaves at least this of what is left


@dataclass(frozen=True)
class Look:
    """One look at the data: its number of draws, and the share of the allowed false verdicts spent up to it."""

    draws: int
    share: float


def next_look(earlier: Sequence[Look], draws: int) -> Look:
    """The look after the ``earlier`` ones, by the default spending rule.

    What is left unspent after the first look falls in proportion to 1 / draws: 0.4 at 5 draws, 0.2 at 10. It goes
    by draws and not by looks, so that looking often costs little, and never ends, so that there may always be another.
    """
    if not earlier:
        return Look(draws, FIRST_SHARE)
    kept = min(earlier[-1].draws / max(draws, 1), LEAST_STEP)
    return Look(draws, 1 - (1 - earlier[-1].share) * kept)


def critical_p(
    parts: Components,
    errors: StandardErrors,
    block: np.ndarray,
    alpha: float,
    looks: Sequence[Look],
    paths: int,
    rng: np.random.Generator,
) -> float:
    """The two-sided p-value that a cell must fall below at the last of ``looks``.

    With it, under "no effect anywhere", the chance that any cell falls below its look's value at any look is the last
    look's share of ``alpha``. A half width is the t quantile of p / 2 at the cell's degrees of freedom, times its
    standard error.

    Args:
        block: int [Q], cells that rest on the same generators.
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
    squares = [np.zeros(paths) for _ in members]  # chi-square of the draws seen so far, by block
    held = [0.0 for _ in members]  # and its degrees of freedom
    alive, spent, value = np.ones(paths, dtype=bool), 0.0, 1.0
    deviation, before = None, None
    last = max(looks[-1].draws - 1, 1)
    for look in looks:
        fresh = rng.standard_normal((paths, len(total)), dtype=np.float32) @ image_root
        for index in members:
            xi = rng.standard_normal((paths, directions.shape[1]), dtype=np.float32)
            fresh[:, index] += xi @ directions[index].T
        if deviation is None or before is None:
            deviation = fresh
        else:
            kept = min(before / max(look.draws, 1), 1.0)
            deviation = np.sqrt(kept) * deviation + np.sqrt(1 - kept) * fresh
        before = look.draws
        least = np.ones(paths)
        for b, index in enumerate(members):
            now = max(freedom[b] * min((look.draws - 1) / last, 1.0), 1.0)
            if now > held[b]:
                squares[b] = squares[b] + rng.chisquare(now - held[b], paths)
                held[b] = now
            largest = np.abs(deviation[:, index]).max(axis=1) / np.sqrt(squares[b] / held[b])
            least = np.minimum(least, _two_sided(largest, held[b]))
        crossing = max(int(round((look.share - spent) * alpha * paths)), 1)
        among = np.sort(least[alive])
        value = float(among[min(crossing, len(among) - 1)])
        alive &= least >= value
        spent = look.share
    return value


def _two_sided(t: np.ndarray, freedom: float) -> np.ndarray:
    """P-values of many |t|, interpolated in a table: 20 times as fast as one by one, and equal to 1 in 1,000."""
    knots = np.sinh(np.linspace(0, np.arcsinh(max(float(t.max()), 1.0)), 400))
    return np.exp(np.interp(t, knots, stats.t.logsf(knots, freedom))) * 2


def quantiles(errors: StandardErrors, p: float) -> np.ndarray:
    """The multiple [Q] of each standard error whose two-sided p-value is ``p``."""
    return stats.t.isf(p / 2, errors.freedom)
