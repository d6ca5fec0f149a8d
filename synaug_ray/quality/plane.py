"""Real and synthetic images as points of a plane that real images alone fix, with the densities of both.

It shows where the two differ most visibly, not all: sets may lie on each other in it, and apart in other directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 20  # images of each kind
POINTS = 200  # of each kind that are kept, to be drawn
CELLS = 32  # of the grid of densities, along each axis
MARGIN = 3.0  # bandwidths about the points that are drawn
DIGITS = 3  # of coordinates


@dataclass(frozen=True)
class Plane:
    """Coordinates are along the two principal axes of real images' features, in standard deviations of the first."""

    explained: float  # share of the real features' variance that lies in the plane
    real: tuple[tuple[float, ...], tuple[float, ...]]  # of the first real images: along the first axis, the second
    synthetic: tuple[tuple[float, ...], tuple[float, ...]]
    axes: tuple[tuple[float, ...], tuple[float, ...]]  # of the grid, CELLS each
    real_density: tuple[tuple[float, ...], ...]  # [second axis][first axis], of all real images
    synthetic_density: tuple[tuple[float, ...], ...]


def plane(real: NDArray[np.float32], synthetic: NDArray[np.float32]) -> Plane | None:
    """Project features [N, D] of held-out real images and [S, D] of synthetic ones; None with fewer than 20 of either.

    Densities are sums of Gaussians with one bandwidth for both kinds: Scott's for the real images, along each axis.
    """
    if min(len(real), len(synthetic)) < LEAST:
        return None
    centre = real.mean(0, dtype=np.float64)
    _, values, axes = np.linalg.svd(real.astype(np.float64) - centre, full_matrices=False)
    if len(values) < 2 or values[0] == 0:
        return None
    axes = axes[:2] * np.sign(axes[:2].sum(1, keepdims=True) + 1e-300)  # a sign that does not depend on the library
    unit = values[0] / np.sqrt(len(real))
    points = [((f.astype(np.float64) - centre) @ axes.T) / unit for f in (real, synthetic)]
    width = np.maximum(points[0].std(0), 1e-3) * len(real) ** (-1 / 6)
    shown = [p[:POINTS] for p in points]
    ends = [np.quantile(p, q, axis=0) for p in points for q in (0.01, 0.99)]
    low, high = np.min(ends, axis=0) - MARGIN * width, np.max(ends, axis=0) + MARGIN * width
    grid = [np.linspace(low[k], high[k], CELLS) for k in (0, 1)]
    return Plane(
        float((values[:2] ** 2).sum() / (values**2).sum()),
        _columns(shown[0]),
        _columns(shown[1]),
        (_rounded(grid[0]), _rounded(grid[1])),
        *(_density(p, grid, width) for p in points),
    )


def _density(points: NDArray[np.float64], grid: list[NDArray[np.float64]], width: NDArray[np.float64]) -> tuple:
    x, y = (
        np.exp(-0.5 * ((grid[k][:, None] - points[None, :, k]) / width[k]) ** 2) / (width[k] * np.sqrt(2 * np.pi))
        for k in (0, 1)
    )
    return tuple(_rounded(row) for row in y @ x.T / len(points))


def _columns(points: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return _rounded(points[:, 0]), _rounded(points[:, 1])


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), DIGITS + 1) for value in values)
