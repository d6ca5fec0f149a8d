"""What synthetic images cost, from the table of trials: training a generator, and sampling an image from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.results import Generation

TRAINED, SAMPLED = "generator_cost_seconds", "image_cost_seconds"


def generation_costs(trials: pd.DataFrame) -> dict[str, tuple[Generation, ...]]:
    """Costs of each generator by ``num_real``, medians over draws; none from a table that does not hold them."""
    if not {TRAINED, SAMPLED} <= set(trials.columns):
        return {}
    known = np.isfinite(trials[[TRAINED, SAMPLED]].astype(float)).all(axis=1)
    rows: Any = trials[(trials["num_synthetic"] > 0) & known]
    by_draw = rows.groupby(["generator", "num_real", "draw"])[[TRAINED, SAMPLED]].mean()
    out: dict[str, list[Generation]] = {}
    for (name, n), cost in by_draw.groupby(["generator", "num_real"]).median().iterrows():
        out.setdefault(str(name), []).append(Generation(int(n), float(cost[TRAINED]), float(cost[SAMPLED])))
    return {name: tuple(costs) for name, costs in out.items()}
