"""What a further draw costs at each number of real images, by the measurements of those so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PoolCost:
    """Of the synthetic images of one generator at one number of real images."""

    draws: int  # so far
    mixed: float  # seconds of one core or GPU that a draw's trials with them take
    pools: float  # and the generator and its images


@dataclass(frozen=True)
class SizeCost:
    """Of one number of real images."""

    real: float  # seconds of one core or GPU that a draw's real-only trials take
    real_draws: int  # so far; at least those of the grid are counted
    generators: Mapping[str, PoolCost]  # by the name of the synthetic images

    def more(self, draws: int, wanted: int, going_on: Collection[str], seeds: float = 1.0) -> float:
        """Seconds from ``draws`` of the grid to ``wanted``, and to ``seeds`` times the seeds.

        Args:
            going_on: the generators that get further draws.
        """
        alone = max(draws, self.real_draws)
        found = self.real * (max(wanted, alone) * seeds - alone)
        for name, cost in self.generators.items():
            then = wanted if name in going_on else cost.draws
            found += cost.mixed * (then * seeds - cost.draws) + cost.pools * (then - cost.draws)
        return found

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return self.real * self.real_draws + sum((c.mixed + c.pools) * c.draws for c in self.generators.values())


def size_costs(measurements: pd.DataFrame | None, spent: float) -> dict[int, SizeCost]:
    """The costs of each number of real images; together they are what was spent.

    Quality checks and the check of the length of training are made in the first draws only, and are spread over all.

    Args:
        spent: seconds of one core or GPU, of all its steps.
    """
    if measurements is None:
        return {}
    done: Any = measurements[measurements["status"] == "done"]
    found: dict[int, SizeCost] = {}
    for n, rows in done.groupby("num_real"):
        alone = rows["num_synthetic"] == 0
        lone = int(rows.loc[alone, "draw"].nunique())
        real = float(rows.loc[alone, "cost_seconds"].sum())
        made = {str(name): _pool_cost(part) for name, part in rows[~alone].groupby("generator")}
        found[int(n)] = SizeCost(real / max(lone, 1), lone, made)
    told = sum(cost.spent for cost in found.values())
    return {n: _scaled(cost, spent / told if told else 1.0) for n, cost in found.items()}


def costs_of_all(
    costs: Mapping[int, SizeCost], draws: int, wanted: int, going_on: Mapping[int, Collection[str]], seeds: float = 1.0
) -> float:
    """Seconds up to ``wanted`` draws and ``seeds`` times the seeds.

    Args:
        going_on: the generators that get further draws, by number of real images.
    """
    return sum(cost.more(draws, wanted, going_on.get(n, ()), seeds) for n, cost in costs.items())


def _pool_cost(rows: Any) -> PoolCost:
    """Of the trials of one generator and number of real images."""
    pools = rows.groupby("draw")["pool_cost_seconds"].max()  # the largest amount has the others
    return PoolCost(len(pools), float(rows["cost_seconds"].sum()) / len(pools), float(pools.sum()) / len(pools))


def _scaled(cost: SizeCost, scale: float) -> SizeCost:
    made = {k: PoolCost(c.draws, scale * c.mixed, scale * c.pools) for k, c in cost.generators.items()}
    return SizeCost(scale * cost.real, cost.real_draws, made)
