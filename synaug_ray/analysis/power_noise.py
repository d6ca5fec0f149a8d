"""The noise of gains as measured in finished trials, for ``power``, which otherwise has to assume it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.analysis.power import Noise
from synaug_ray.analysis.trials import CELL_COLUMNS, REAL_ONLY, checked_trials, wrong_answers

LEAST_DRAWS, LEAST_CELLS = 3, 2  # with fewer, a spread cannot be estimated
SMALLEST = 1e-4  # used for a discordance of 0, which only means that none was observed


def noise_of(measurements: pd.DataFrame, predictions: pd.DataFrame, assumed: Noise) -> tuple[Noise, dict[int, Noise]]:
    """The noise averaged over all sizes, and that of each size.

    Shares of variance and the spread are means over cells with several draws (of trained generators, if there are any),
    since one cell says little about them; errors and discordances are those of each size. If there are no seeds to
    compare, the draw's share is that of ``assumed``. With fewer than two cells of three draws, ``assumed`` and {} are
    returned.

    Args:
        measurements: one row per trial; only done ones count.
        predictions: one row per done trial.
        assumed: the noise without measurements.
    """
    trials, wrong, _, _ = wrong_answers(checked_trials(measurements), predictions, [])
    at: dict[Any, np.ndarray] = {}
    real: Any = trials[trials["num_synthetic"] == 0]
    for i, *key in zip(real.index, *(real[name] for name in REAL_ONLY), strict=True):
        at[tuple(key)] = wrong[i]
    found = []
    grouped: Any = trials[trials["num_synthetic"] > 0].groupby(CELL_COLUMNS, sort=True)
    for cell, rows in grouped:
        pairs = {
            (d, s): at[cell[0], cell[4], d, s].astype(np.float32) - wrong[i]
            for i, d, s in zip(rows.index, rows["draw"], rows["seed"], strict=True)
            if (cell[0], cell[4], d, s) in at
        }
        draws, seeds = sorted({d for d, _ in pairs}), sorted({s for _, s in pairs})
        if len(draws) < LEAST_DRAWS or len(pairs) < len(draws) * len(seeds):
            continue
        error = float(np.mean([at[cell[0], cell[4], d, s].mean() for d in draws for s in seeds]))
        family = str(rows["family"].iloc[0]) if "family" in rows else str(cell[1])
        gains = np.stack([[pairs[d, s] for s in seeds] for d in draws])
        found.append((int(cell[4]), family in CONTROLS, error, *_parts(gains)))
    learnt = [one for one in found if not one[1]]
    found = learnt if len(learnt) >= LEAST_CELLS else found
    if len(found) < LEAST_CELLS:
        return assumed, {}
    columns = np.array([one[2:] for one in found], dtype=float)
    error, discordance, image, draw, squared = columns.T
    share = float(np.clip(image.mean(), 0, 0.9))
    of_draw = assumed.draw if np.isnan(draw).all() else float(np.nanmean(draw)) - share
    relative = float(np.mean(squared / np.maximum(error, SMALLEST) ** 2))
    whole = Noise(
        error=float(error.mean()),
        discordance=max(float(discordance.mean()), SMALLEST),
        image=share,
        draw=float(np.clip(of_draw, 0, 0.95 - share)),
        spread=float(np.sqrt(max(relative, 0.0))),
    )
    sizes = np.array([one[0] for one in found])
    return whole, {
        int(n): replace(
            whole,
            error=float(error[sizes == n].mean()),
            discordance=max(float(discordance[sizes == n].mean()), SMALLEST),
        )
        for n in np.unique(sizes)
    }


def _parts(gains: np.ndarray) -> tuple[float, float, float, float]:
    """The components of one cell's gains [D, S, I].

    Returns the discordance, the variance shares of an image and of an image within a draw (NaN with one seed), and the
    between-draw variance of the true gain, whose estimate may be negative.
    """
    draws, seeds, images = gains.shape
    mean, total = float(gains.mean()), float(gains.var())
    by_draw = gains.mean(axis=1)

    def between(values: np.ndarray, axis: int) -> float:
        """The mean product of two different values along an axis, minus the square of the mean."""
        count = values.shape[axis]
        pairs = values.sum(axis=axis) ** 2 - (values**2).sum(axis=axis)
        return float(pairs.mean()) / (count * (count - 1)) - mean**2

    seen = max(total, SMALLEST)
    image = between(by_draw, 0) / seen
    within = between(gains, 1) / seen if seeds > 1 else np.nan
    rest = (by_draw - by_draw.mean(axis=0)).var(axis=1, ddof=1).mean() / images * draws / (draws - 1)
    return float((gains != 0).mean()), image, within, float(by_draw.mean(axis=1).var(ddof=1) - rest)
