"""What synthetic images cost, from the table of trials: training a generator apart from sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.laws.results import Generation


def generation_costs(trials: pd.DataFrame) -> dict[str, tuple[Generation, ...]]:
    """Costs of each generator by ``num_real``: per draw the line through (amount, cost of generator and pool)."""
    if "pool_cost_seconds" not in trials:
        return {}
    rows: Any = trials[(trials["num_synthetic"] > 0) & np.isfinite(trials["pool_cost_seconds"].astype(float))]
    out: dict[str, list[Generation]] = {}
    for (name, n), own in rows.groupby(["generator", "num_real"]):
        lines = []
        for _, draw in own.groupby("draw"):
            points = draw.groupby("num_synthetic")["pool_cost_seconds"].mean()
            amount, cost = points.index.to_numpy(float), points.to_numpy(float)
            if len(points) > 1:
                slope = max(float(np.polyfit(amount, cost, 1)[0]), 0.0)
                lines.append((max(float((cost - slope * amount).mean()), 0.0), slope))
            else:
                lines.append((np.nan, float(cost[0] / amount[0])))
        # A draw with one amount alone cannot tell training from sampling: it is left out where others can.
        full = [line for line in lines if np.isfinite(line[0])]
        trained, sampled = np.median(full or lines, axis=0)
        out.setdefault(str(name), []).append(Generation(int(n), float(trained) if full else None, float(sampled)))
    return {name: tuple(sorted(costs, key=lambda g: g.num_real)) for name, costs in out.items()}
