"""A study's predictions at any number of real and synthetic images: its averaged laws, evaluated on a grid.

``predict`` and the page interpolate in this grid, so that neither needs the laws themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from synaug_ray.analysis.anchor import Anchor, AnchoredPoints
from synaug_ray.analysis.exchange import median, rates, rates_of_slopes
from synaug_ray.analysis.results import PredictionGrid, Rows
from synaug_ray.laws.averaging import WeightedLaw
from synaug_ray.laws.equivalence import grow
from synaug_ray.laws.joint import split

Values = Callable[[np.ndarray, np.ndarray], np.ndarray]
Inside = Callable[[np.ndarray, np.ndarray], np.ndarray]
SIZE_POINTS = 17
AMOUNT_POINTS = 13
TOLERANCE = 0.01  # of interpolation: relative for errors; for equivalents, real images per image of the enlarged set
ROUNDS = 5
MOST_SIZES, MOST_AMOUNTS = 49, 65  # limits of the refinement: laws.json has twelve tables of this size per study
BEYOND = 2.0  # the grid extends by this factor below and above the sizes, and above the amounts
LEVELS = tuple(k / 20 for k in range(1, 20))  # of the stored quantiles: 5% to 95%
DIGITS = 6  # significant digits of everything except measured counts


def rounded(value: float) -> float | None:
    """Round to ``DIGITS`` significant digits; None if the value is not finite."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _between(low: float, high: float, step: float) -> list[float]:
    """Log-spaced points from ``low`` (included) to ``high`` (excluded), at most about ``step`` e-folds apart."""
    pieces = max(1, round(math.log(high / low) / step))
    inner = [float(rounded(low * (high / low) ** (i / pieces)) or low) for i in range(1, pieces)]
    return [low, *inner]


def size_grid(measured: Sequence[float]) -> tuple[float, ...]:
    """About ``SIZE_POINTS`` sizes, including all measured ones."""
    low, high = min(measured) / BEYOND, max(measured) * BEYOND
    anchors = sorted({low, *measured, high})
    step = math.log(high / low) / (SIZE_POINTS - 1)
    return (*(n for a, b in zip(anchors, anchors[1:], strict=False) for n in _between(a, b, step)), high)


def amount_grid(measured: Sequence[float]) -> tuple[float, ...]:
    """0, then log-spaced amounts from the smallest to ``BEYOND`` times the largest, including all measured ones."""
    smallest, largest = min(measured), max(measured)
    step = math.log(BEYOND * largest / smallest) / (AMOUNT_POINTS - 2)
    anchors = sorted({*measured, BEYOND * largest})
    inner = (s for a, b in zip(anchors, anchors[1:], strict=False) for s in _between(a, b, step))
    return (0.0, *inner, BEYOND * largest)


def _halved(axis: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The axis with midpoints inserted into the intervals selected by ``which`` [len(axis) - 1]."""
    return np.sort(np.concatenate([axis, (axis[:-1] + axis[1:])[which] / 2]))


def refined(
    sizes: Sequence[float], amounts: Sequence[float], values: Values, inside: Inside
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both axes, with points added until interpolation at the midpoints of their intervals is within ``TOLERANCE``.

    Args:
        sizes: ascending num_real.
        amounts: 0, then ascending num_synthetic.
        values: maps num_real and num_synthetic, arrays of the same shape [...], to quantities [q, ...] that are
            interpolated linearly, each on a scale on which a difference of ``TOLERANCE`` is 1%.
        inside: maps the same arrays to whether a point is in the measured range, in which the tolerance must hold.
    """
    first = amounts[1]
    u, v = np.log(sizes), np.log1p(np.asarray(amounts) / first)
    for _ in range(ROUNDS):
        fine_u, fine_v = (_halved(axis, np.ones(len(axis) - 1, dtype=bool)) for axis in (u, v))
        n, amount = np.meshgrid(np.exp(fine_u), first * np.expm1(fine_v), indexing="ij")
        exact = values(n, amount)
        off = np.abs(exact - _from_nodes(exact)).max(axis=0)
        # to first order, the error of bilinear interpolation at a rectangle's centre is the sum of those at its sides
        off = np.where(inside(n, amount), off, 0.0) > TOLERANCE / 2
        split_u, split_v = off[1::2, ::2].any(axis=1), off[::2, 1::2].any(axis=0)
        split_u &= len(u) + split_u.sum() <= MOST_SIZES
        split_v &= len(v) + split_v.sum() <= MOST_AMOUNTS
        if not (split_u.any() or split_v.any()):
            break
        u, v = _halved(u, split_u), _halved(v, split_v)
    return _as_counts(np.exp(u), sizes), _as_counts(first * np.expm1(v), amounts)


def _from_nodes(exact: np.ndarray) -> np.ndarray:
    """Bilinear interpolation from every second point of both axes, [q, 2 a - 1, 2 b - 1]."""
    out = exact.copy()
    out[:, 1::2, ::2] = (exact[:, :-2:2, ::2] + exact[:, 2::2, ::2]) / 2
    out[:, :, 1::2] = (out[:, :, :-2:2] + out[:, :, 2::2]) / 2
    return out


def _as_counts(axis: np.ndarray, known: Sequence[float]) -> tuple[float, ...]:
    """The points of ``known`` exactly as they were, the others rounded."""
    exact = np.asarray(known)
    nearest = exact[np.abs(axis[:, None] - exact).argmin(axis=1)]
    return tuple(
        float(k) if math.isclose(a, k, rel_tol=1e-9, abs_tol=1e-9) else float(rounded(a) or a)
        for a, k in zip(axis, nearest, strict=True)
    )


def _ends(samples: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals over the first axis of replicates [B, G], as in ``bootstrap.interval``."""
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
    anchor: Anchor | None = None,
    misfit: str = "",
    falls: str = "",
    decided: tuple[tuple[int, bool], ...] = (),
) -> PredictionGrid:
    """The prediction grid of a study.

    Values are weighted medians over the laws, as in ``exchange``; intervals are from the replicates of all laws
    together.

    Args:
        real_sizes: num_real of the real-only cells.
        cells: (num_real, num_synthetic) of the mixed cells.
        chance: the error of guessing.
        estimable: False with a flat real-only curve; then only the error has values.
        anchor: corrects the laws by the measurements.
        misfit: a sentence if the laws do not describe the measurements; then there are no marginal rates.
        falls: as in the result.
        decided: as in the result.
    """
    weights = np.array([law.weight for law in laws])
    mixed_sizes, mixed_amounts = [n for n, _ in cells], [float(s) for _, s in cells]
    most_multiple = max(s / n for n, s in cells)

    def answers(law: WeightedLaw, theta: np.ndarray, residual: np.ndarray | None, rows: np.ndarray | None,
                n: np.ndarray, amount: np.ndarray, at: AnchoredPoints | None) -> np.ndarray:  # fmt: skip
        """Log error, equivalent, and the lower and upper end of the marginal slope, [4, B, G]."""
        p, q = split(theta, law.curve, law.form)
        r = law.form.r(q, n / n0, amount / n)
        error = law.curve.log_error(p, grow(n / n0, r), chance)
        marginal, _, _ = rates(law.form, q, n, n0, np.maximum(amount, 1.0))
        ends = marginal, marginal
        if at is not None and residual is not None:
            slope = law.form.slope(q, n / n0, np.maximum(amount, 1.0) / n)
            lower, upper = at.of_slope(law, theta, rows)
            ends = rates_of_slopes(slope + upper), rates_of_slopes(slope + lower)
            if not at.anchor.slopes:
                ends = marginal, marginal
            error = error + at.of_error(residual, rows)
            r = r + at.of_equivalent(law, theta, r, rows)
        return np.stack([np.broadcast_to(v, r.shape) for v in (error, np.maximum(r, -1.0) * n, *ends)])

    def point(n: np.ndarray, amount: np.ndarray) -> np.ndarray:
        """Averages over laws, [4, G]."""
        at = anchor and anchor.at(n, amount / n)
        return median(
            np.stack([answers(law, law.theta, law.residual, None, n, amount, at)[:, 0] for law in laws]), weights
        )

    def middle(n: np.ndarray, amount: np.ndarray) -> np.ndarray:
        """Log error and equivalent on the scale of ``refined``, [2, ...]."""
        error, equivalent, *_ = point(n.ravel(), amount.ravel())
        return np.stack([error, equivalent / (n.ravel() + np.abs(equivalent))]).reshape(2, *n.shape)

    def measured(n: np.ndarray, amount: np.ndarray) -> np.ndarray:
        mixed = (n >= min(mixed_sizes)) & (n <= max(mixed_sizes)) & (amount <= max(mixed_amounts))
        alone = (n >= min(real_sizes)) & (n <= max(real_sizes))
        return np.where(amount > 0, mixed & (amount <= most_multiple * n), alone)

    sizes, amounts = refined(size_grid(real_sizes), amount_grid(mixed_amounts), middle, measured)
    n, amount = (axis.ravel() for axis in np.meshgrid(sizes, amounts, indexing="ij"))
    points = point(n, amount)
    at = anchor and anchor.at(n, amount / n)
    drawn = [answers(law, law.thetas, law.residuals, law.rows, n, amount, at) for law in laws if law.thetas is not None]
    low = high = np.full(points.shape, np.nan)
    levels, quantiles = (), ()
    if drawn:
        samples = np.concatenate(drawn, axis=1)
        ends = [_ends(samples[i], confidence) for i in range(len(points))]
        low, high = np.stack([e[0] for e in ends]), np.stack([e[1] for e in ends])
        alone = samples[0][:, amount == 0]  # log errors of real images alone, [B, sizes]
        levels = LEVELS
        quantiles = tuple(
            tuple(rounded(min(math.exp(e), 1.0)) for e in of_size)
            for of_size in np.quantile(alone, LEVELS, axis=0, method="lower").T
        )

    def rows(values: np.ndarray, known: bool = True) -> Rows:
        grid = values.reshape(len(sizes), len(amounts))
        return tuple(tuple(rounded(v) if known else None for v in row) for row in grid)

    # a power law has no chance level, and exceeds 1 for few images, unlike any error
    error, error_low, error_high = (rows(np.minimum(np.exp(part[0]), 1.0)) for part in (points, low, high))
    equivalent, equivalent_low, equivalent_high = (rows(part[1], estimable) for part in (points, low, high))
    rated = estimable and not misfit
    marginal, marginal_low, marginal_high = rows(points[2], rated), rows(low[2], rated), rows(high[3], rated)
    return PredictionGrid(
        num_real=sizes,
        num_synthetic=amounts,
        measured_num_real=(min(mixed_sizes), max(mixed_sizes)),
        measured_num_synthetic=max(s for _, s in cells),
        measured_multiple=most_multiple,
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
        misfit=misfit,
        falls=falls,
        decided=decided,
        error_levels=levels,
        error_quantiles=quantiles,
    )
