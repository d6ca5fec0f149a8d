"""Predictions of one study at any number of real and synthetic images: its laws, averaged, on a grid.

``predict`` and the page read this grid, so that neither needs the laws themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from synaug_ray.analysis.exchange import median, rates
from synaug_ray.analysis.results import PredictionGrid, Rows
from synaug_ray.laws.averaging import WeightedLaw
from synaug_ray.laws.equivalence import grow
from synaug_ray.laws.joint import split

SIZE_POINTS = 17
AMOUNT_POINTS = 13
BEYOND = 2.0  # the grid reaches this factor below and above the sizes, and above the amounts
DIGITS = 6  # significant ones, of everything that is not itself a measured count


def rounded(value: float) -> float | None:
    """To ``DIGITS`` significant digits; None for what is not finite."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _between(low: float, high: float, step: float) -> list[float]:
    """Log-spaced points from ``low``, included, to ``high``, excluded, at most about ``step`` e-folds apart."""
    pieces = max(1, round(math.log(high / low) / step))
    inner = [float(rounded(low * (high / low) ** (i / pieces)) or low) for i in range(1, pieces)]
    return [low, *inner]


def size_grid(measured: Sequence[float]) -> tuple[float, ...]:
    """About ``SIZE_POINTS`` sizes; every measured one is among them."""
    low, high = min(measured) / BEYOND, max(measured) * BEYOND
    anchors = sorted({low, *measured, high})
    step = math.log(high / low) / (SIZE_POINTS - 1)
    return (*(n for a, b in zip(anchors, anchors[1:], strict=False) for n in _between(a, b, step)), high)


def amount_grid(smallest: float, largest: float) -> tuple[float, ...]:
    """0, then log-spaced from the smallest amount measured to ``BEYOND`` times the largest."""
    step = math.log(BEYOND * largest / smallest) / (AMOUNT_POINTS - 2)
    return (0.0, *_between(smallest, BEYOND * largest, step), BEYOND * largest)


def _ends(samples: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of replicates [B, G] over the first axis, as ``bootstrap.interval`` takes it."""
    tail = (1 - confidence) / 2
    low = np.quantile(samples, tail, axis=0, method="lower")
    return low, np.quantile(samples, 1 - tail, axis=0, method="higher")


def predict_on_grid(
    laws: list[WeightedLaw],
    *,
    real_sizes: Sequence[float],
    cells: Sequence[tuple[int, int]],
    n0: float,
    chance: float,
    confidence: float,
    estimable: bool,
) -> PredictionGrid:
    """The grid of a study with mixed ``cells`` (num_real, num_synthetic) and real-only ``real_sizes``.

    Values are weighted medians over the laws, as in ``exchange``; intervals are those of all replicates
    together. With ``estimable`` False (a flat real-only curve) only the error has values.
    """
    sizes = size_grid(real_sizes)
    amounts = amount_grid(float(min(s for _, s in cells)), float(max(s for _, s in cells)))
    n, amount = (axis.ravel() for axis in np.meshgrid(sizes, amounts, indexing="ij"))

    def answers(law: WeightedLaw, theta: np.ndarray) -> np.ndarray:
        """Log error, equivalent and marginal rate, [3, B, G]."""
        p, q = split(theta, law.curve, law.form)
        r = law.form.r(q, n / n0, amount / n)
        error = law.curve.log_error(p, grow(n / n0, r), chance)
        marginal, _, _ = rates(law.form, q, n, n0, np.maximum(amount, 1.0))
        return np.stack([np.broadcast_to(v, r.shape) for v in (error, np.maximum(r, -1.0) * n, marginal)])

    points = median(np.stack([answers(law, law.theta)[:, 0] for law in laws]), np.array([w.weight for w in laws]))
    drawn = [answers(law, law.thetas) for law in laws if law.thetas is not None]
    low = high = np.full(points.shape, np.nan)
    if drawn:
        samples = np.concatenate(drawn, axis=1)
        ends = [_ends(samples[i], confidence) for i in range(len(points))]
        low, high = np.stack([e[0] for e in ends]), np.stack([e[1] for e in ends])

    def rows(values: np.ndarray, known: bool = True) -> Rows:
        grid = values.reshape(len(sizes), len(amounts))
        return tuple(tuple(rounded(v) if known else None for v in row) for row in grid)

    # a power law knows no chance level and exceeds 1 at few images, which no error does
    error, error_low, error_high = (rows(np.minimum(np.exp(part[0]), 1.0)) for part in (points, low, high))
    equivalent, equivalent_low, equivalent_high = (rows(part[1], estimable) for part in (points, low, high))
    marginal, marginal_low, marginal_high = (rows(part[2], estimable) for part in (points, low, high))
    mixed_sizes = [n for n, _ in cells]
    return PredictionGrid(
        num_real=sizes,
        num_synthetic=amounts,
        measured_num_real=(min(mixed_sizes), max(mixed_sizes)),
        measured_num_synthetic=max(s for _, s in cells),
        measured_multiple=max(s / n for n, s in cells),
        error=error,
        error_low=error_low,
        error_high=error_high,
        equivalent=equivalent,
        equivalent_low=equivalent_low,
        equivalent_high=equivalent_high,
        marginal=marginal,
        marginal_low=marginal_low,
        marginal_high=marginal_high,
        measured_real_only=(int(min(real_sizes)), int(max(real_sizes))),
    )
