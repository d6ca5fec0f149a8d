"""What a further draw costs at each number of real images, by the measurements of those so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SizeCost:
    """Of one number of real images."""

    draws: int  # of synthetic images, so far
    real: float  # seconds of one core or GPU that a draw's real-only trials take
    synthetic: float  # and all else of it: generators, images, and trials with these

    def more(self, draws: int, wanted: int, *, held: bool) -> float:
        """Seconds from ``draws`` of the grid to ``wanted``; where it is held, of real-only trials alone."""
        return self.real * (wanted - draws) + (0.0 if held else self.synthetic * (wanted - self.draws))


def size_costs(measurements: pd.DataFrame | None, draws: int, spent: float) -> dict[int, SizeCost]:
    """The costs of each number of real images; together they are what was spent.

    Quality checks and the check of the length of training are made in the first draws only, and are spread over all.

    Args:
        draws: of the grid, so far.
        spent: seconds of one core or GPU, of all its steps.
    """
    if measurements is None:
        return {}
    done: Any = measurements[measurements["status"] == "done"]
    found: dict[int, SizeCost] = {}
    for n, rows in done.groupby("num_real"):
        alone = rows["num_synthetic"] == 0
        made = rows[~alone]
        pools = made.groupby(["generator", "draw"])["pool_cost_seconds"].max()  # the largest amount has the others
        synthetic = float(made["cost_seconds"].sum() + pools.sum())
        number = int(made["draw"].nunique())
        real = float(rows.loc[alone, "cost_seconds"].sum())
        found[int(n)] = SizeCost(number, real / max(draws, 1), synthetic / max(number, 1))
    told = sum(cost.real * draws + cost.synthetic * cost.draws for cost in found.values())
    scale = spent / told if told else 1.0
    return {n: SizeCost(c.draws, scale * c.real, scale * c.synthetic) for n, c in found.items()}


def costs_of_all(costs: Mapping[int, SizeCost], draws: int, wanted: int, open_sizes: tuple[int, ...]) -> float:
    """Seconds of the further draws up to ``wanted``, with synthetic images at ``open_sizes`` alone."""
    return sum(cost.more(draws, wanted, held=n not in open_sizes) for n, cost in costs.items())
