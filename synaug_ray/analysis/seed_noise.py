"""How much of what gains vary by between draws is due to the seeds of the classifiers, which are cheaper than draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.generators import CONTROLS

PAIR = ["classifier", "num_real", "draw", "seed"]
CELL = ["classifier", "generator", "protocol", "real_share", "num_real", "num_synthetic"]


def seed_share(measurements: pd.DataFrame | None, error: str = "test_error") -> float | None:
    """The share of the variance of a draw's mean gain that its seeds have, in [0, 1]; None with one seed or one draw.

    Of all cells with synthetic images of generators that learn, together: one cell says little. With n times the seeds,
    this share of the variance is divided by n.

    Args:
        measurements: one row per trial; only done ones count.
        error: the column whose gains are meant.
    """
    if measurements is None or not {*CELL, *PAIR, "status", error} <= set(measurements):
        return None
    done: Any = measurements[measurements["status"] == "done"]
    alone = done[done["num_synthetic"] == 0].drop_duplicates(PAIR).set_index(PAIR)[error]
    made = done[(done["num_synthetic"] > 0) & ~done.get("family", done["generator"]).isin(CONTROLS)]
    gains = made.assign(gain=alone.reindex(pd.MultiIndex.from_frame(made[PAIR])).to_numpy() - made[error].to_numpy())
    of_seeds = between = 0.0
    for _, cell in gains.dropna(subset="gain").groupby(CELL):
        by_draw = cell.groupby("draw")["gain"].agg(["mean", "var", "count"])
        several = by_draw[by_draw["count"] > 1]
        if len(several) > 1:
            of_seeds += float((several["var"] / several["count"]).mean())
            between += float(several["mean"].var(ddof=1))
    return float(np.clip(of_seeds / between, 0.0, 1.0)) if between else None
