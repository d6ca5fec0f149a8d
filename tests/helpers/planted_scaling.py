"""Cells of real and of synthetic images alone with planted curves of error, without trials or a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import ndtri

from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells, RealCell
from synaug_ray.analysis.generators import Kind
from synaug_ray.analysis.study_key import StudyKey

Curve = Callable[[float], float]
HARD, UNCOVERED = 0.55, 0.15  # shares of a score's variance: of the image, and of the image in a draw


def power(floor: float, b: float, c: float, at: float = 100.0) -> Curve:
    """E = floor + b (n / at)^-c."""
    return lambda n: floor + b * (n / at) ** -c


def planted_cells(
    real: Curve,
    synthetic: Mapping[str, Curve],
    *,
    sizes: tuple[int, ...] = (20, 40, 80, 160, 320, 640),
    amounts: tuple[int, ...] = (80, 160, 320, 640, 1280, 2560),
    num_real: int = 80,
    draws: int = 6,
    images: int = 600,
    noise: float = 1.0,
    seed: int = 0,
) -> PairedCells:
    """Draw, generator and cell effects of 8, 5 and 4% (times ``noise``) on planted errors; binomial test images."""
    rng = np.random.default_rng(seed)
    hard, uncovered = rng.standard_normal(images), rng.standard_normal((draws, images))

    def effect(share: float) -> np.ndarray:
        return np.exp(noise * share * rng.standard_normal(draws))

    def wrong(error: float, common: np.ndarray) -> np.ndarray:
        own = rng.standard_normal((2, draws, images))  # two seeds
        score = np.sqrt(HARD) * hard + np.sqrt(UNCOVERED) * uncovered + np.sqrt(1 - HARD - UNCOVERED) * own
        planted = np.clip(error * common * effect(0.04), 1e-6, 0.95)
        return (score > -ndtri(planted)[:, None]).mean(0).astype(np.float32)

    draw = effect(0.08)
    mixed = []
    for name, curve in synthetic.items():
        common, study = draw * effect(0.05), StudyKey("mlp", name, "synthetic-only", "none")
        for amount in amounts:
            errors = wrong(curve(amount), common)
            mixed.append(
                MixedCell(
                    study=study,
                    num_real=num_real,
                    num_synthetic=amount,
                    gains=np.full_like(errors, np.nan),
                    errors=errors,
                    trials=2 * draws,
                    seconds=1.0,
                    pool_seconds=1.0,
                )
            )
    return PairedCells(
        error="test_error",
        real=tuple(RealCell("mlp", n, wrong(real(n), draw), 2 * draws, 1.0) for n in sizes),
        mixed=tuple(mixed) if num_real else (),
        draws=tuple(range(draws)),
        seeds=(0, 1),
        image_weights=np.full(images, 1 / images),
        strata=np.zeros(images, dtype=int),
        num_classes=10,
        warnings=(),
        kinds={name: Kind("edm", False) for name in synthetic},
        generation={},
        alone=() if num_real else tuple(mixed),
    )
