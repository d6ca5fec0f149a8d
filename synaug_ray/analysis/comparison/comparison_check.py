"""Whether a run's tables are of the same trials: the gain of each cell again, from the table of trials alone."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import pandas as pd

from synaug_ray.analysis.comparison.comparison_results import Row

TOLERANCE = 1e-6  # a fraction; the two differ by rounding alone
MIXTURE = ("protocol", "generator", "real_share", "num_synthetic")
COLUMNS = ("status", "classifier", "num_real", *MIXTURE, "draw", "seed")


def gain_of_trials(trials: pd.DataFrame | None, row: Row, count: int, slope: float = 0.0) -> float | None:
    """The mean over draws of the errors without minus with synthetic images, paired by draw and seed, a fraction.

    Args:
        trials: ``measurements.parquet``.
        row: with its size and amount.
        count: trials with synthetic images that there have to be.
        slope: with which further real-only draws correct the gain: see ``extra_draws``.

    Returns:
        None where the table lacks these trials, or is of an older version.
    """
    error = "balanced_error" if row.error_name == "balanced error" else "test_error"
    if trials is None or not {*COLUMNS, error} <= set(trials.columns):
        return None
    wanted = (row.protocol, row.generator, row.real_share, row.num_synthetic)
    real: dict[tuple[int, int], float] = {}
    mine: dict[tuple[int, int], float] = {}
    # in plain Python: for some hundred short rows, a tenth of the time of pandas
    for status, classifier, n, *study, draw, seed, value in zip(
        *(trials[c].tolist() for c in (*COLUMNS, error)), strict=True
    ):
        if (status, classifier, n) == ("done", row.classifier, row.num_real):
            if study[0] == "real-only":
                real[draw, seed] = value
            elif tuple(study) == wanted:
                mine[draw, seed] = value
    if len(mine) != count or not mine or not mine.keys() <= real.keys():
        return None
    by_draw: dict[int, list[float]] = {}
    for (draw, seed), value in mine.items():
        by_draw.setdefault(draw, []).append(real[draw, seed] - value)
    alone: dict[int, list[float]] = {}
    for (draw, _), value in real.items():
        alone.setdefault(draw, []).append(value)
    own, every = (_mean_of_means([alone[d] for d in draws]) for draws in (by_draw, alone))
    gain = _mean_of_means(by_draw.values()) - slope * (own - every)
    return gain if math.isfinite(gain) else None


def _mean_of_means(groups: Collection[Sequence[float]]) -> float:
    return sum(sum(values) / len(values) for values in groups) / len(groups)


def disagreement(trials: pd.DataFrame | None, row: Row, count: int, slope: float = 0.0) -> str:
    """A sentence if the trials have another gain than the row; else ''.

    Args:
        count: trials with synthetic images that the row is made from. With another number, as where some of a draw are
            missing, the two need not agree.
        slope: as in ``gain_of_trials``.
    """
    told, again = row.gain.value, gain_of_trials(trials, row, count, slope)
    if told is None or again is None or abs(told - again) <= TOLERANCE:
        return ""
    return (
        f"tables disagree: by measurements.parquet the gain of {row.generator} is {100 * again:+.2f} points, by "
        f"laws.json {100 * told:+.2f}; they are of different trials"
    )
