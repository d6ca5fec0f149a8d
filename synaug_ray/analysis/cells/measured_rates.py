"""Marginal rates from the measured equivalents alone: slopes of m between neighbouring amounts of one size.

If m(s) is concave, the slope at an amount is between the slopes of the segments on both sides. So the interval spans
both, and the value is the slope of the parabola through the three points. The largest amount has one segment only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_UNKNOWN = 0.2  # share of replicates with unknown m (beyond the measured curve) above which there are no slopes


@dataclass(frozen=True)
class Slopes:
    """The slope of m at one cell, in real images per synthetic one."""

    value: float  # of the parabola
    low: np.ndarray | None  # the smaller slope of the two segments in each replicate, [B]
    high: np.ndarray | None  # the larger one, [B]


def slopes(
    base: np.ndarray, amounts: np.ndarray, m: np.ndarray, samples: np.ndarray | None
) -> dict[tuple[float, float], Slopes]:
    """Slopes by (num_real, num_synthetic), for all cells with a measured m whose next amount has one too.

    Args:
        base: num_real of the cells, [C].
        amounts: num_synthetic of the cells, [C].
        m: real images that they are worth, [C]; not finite if unknown.
        samples: replicates of m, [B, C].
    """
    found = {}
    for n in np.unique(base):
        cells = np.flatnonzero(base == n)
        cells = cells[np.argsort(amounts[cells])]
        at = np.concatenate([[0.0], amounts[cells]])
        steps = np.diff(at)
        known_m = np.where(np.isfinite(m[cells]), m[cells], np.nan)
        pieces = np.diff(np.concatenate([[0.0], known_m])) / steps
        drawn = None
        if samples is not None:
            known = np.where(np.isfinite(samples[:, cells]), samples[:, cells], np.nan)
            drawn = np.diff(np.concatenate([np.zeros((len(known), 1)), known], axis=1), axis=1) / steps
        for i in range(len(cells) - 1):
            if not np.isfinite(pieces[i : i + 2]).all():
                continue
            value = float((steps[i + 1] * pieces[i] + steps[i] * pieces[i + 1]) / (steps[i] + steps[i + 1]))
            low = high = None
            if drawn is not None:
                both = drawn[:, i : i + 2]
                unknown = np.isnan(both).any(axis=1)
                if unknown.mean() > MOST_UNKNOWN:
                    continue
                low = np.where(unknown, -np.inf, both.min(axis=1))
                high = np.where(unknown, np.inf, both.max(axis=1))
            found[float(n), float(amounts[cells[i]])] = Slopes(value, low, high)
    return found
