"""What a further draw costs at each number of real images, by the measurements of those so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PoolCost:
    """Of the synthetic images of one name at one number of real images."""

    draws: int  # up to the last one with a trial
    mixed: float  # seconds of one core or GPU that a draw's trials with them take
    pools: float  # and the generator and its images; a generator of several names is shared out
    keys: frozenset[str] = frozenset()  # of its generators


@dataclass(frozen=True)
class SizeCost:
    """Of one number of real images."""

    real: float  # seconds of one core or GPU that a draw's real-only trials take
    real_draws: int  # so far; at least those of the grid are counted
    generators: Mapping[str, PoolCost]  # by the name of the synthetic images

    @property
    def draws(self) -> int:
        """Of synthetic images, up to the last one with a trial."""
        return max((cost.draws for cost in self.generators.values()), default=0)

    def more(self, draws: int, wanted: int, going_on: Collection[str], seeds: float = 1.0) -> float:
        """Seconds from ``draws`` of the grid to ``wanted``, and to ``seeds`` times the seeds.

        Args:
            going_on: the names of the synthetic images that get further draws.
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
        mixed = rows[~alone]
        sharing = mixed.groupby(["generator_key", "draw"])["generator"].nunique()
        made = {str(name): _pool_cost(part, sharing) for name, part in mixed.groupby("generator")}
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


def _pool_cost(rows: Any, sharing: Any) -> PoolCost:
    """Of the trials of one name.

    Args:
        sharing: how many names a generator has, by its key and draw.
    """
    pools = rows.groupby(["generator_key", "draw"])["pool_cost_seconds"].max()  # the largest amount has the others
    drawn = int(rows["draw"].nunique())
    shared, trials = float((pools / sharing.loc[pools.index]).sum()), float(rows["cost_seconds"].sum())
    return PoolCost(int(rows["draw"].max()) + 1, trials / drawn, shared / drawn, frozenset(rows["generator_key"]))


def _scaled(cost: SizeCost, scale: float) -> SizeCost:
    made = {k: replace(c, mixed=scale * c.mixed, pools=scale * c.pools) for k, c in cost.generators.items()}
    return SizeCost(scale * cost.real, cost.real_draws, made)
