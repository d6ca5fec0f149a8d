"""How much of what gains vary by between draws is due to the seeds of the classifiers, which are cheaper than draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.analysis.trials import CELL_COLUMNS, REAL_ONLY


def seed_share(measurements: pd.DataFrame | None, error: str = "test_error") -> float | None:
    """The share of the variance of a draw's mean gain that its seeds have, in [0, 1]; None with one seed or one draw.

    Of all cells with synthetic images of generators that learn, together: one cell says little. With n times the seeds,
    this share of the variance is divided by n.

    Args:
        measurements: one row per trial; only done ones count.
        error: the column whose gains are meant.
    """
    if measurements is None or not {*CELL_COLUMNS, *REAL_ONLY, "status", error} <= set(measurements):
        return None
    done: Any = measurements[measurements["status"] == "done"]
    alone = done[done["num_synthetic"] == 0].drop_duplicates(REAL_ONLY)[[*REAL_ONLY, error]]
    made = done[(done["num_synthetic"] > 0) & ~done.get("family", done["generator"]).isin(CONTROLS)]
    pairs = made.merge(alone, on=REAL_ONLY, suffixes=("", "_alone"))
    gains = pairs.assign(gain=pairs[f"{error}_alone"] - pairs[error])
    of_seeds = between = 0.0
    for _, cell in gains.dropna(subset="gain").groupby(CELL_COLUMNS):
        by_draw = cell.groupby("draw")["gain"].agg(["mean", "var", "count"])
        several = by_draw[by_draw["count"] > 1]
        if len(several) > 1:
            of_seeds += float((several["var"] / several["count"]).mean())
            between += float(several["mean"].var(ddof=1))
    return float(np.clip(of_seeds / between, 0.0, 1.0)) if between else None
