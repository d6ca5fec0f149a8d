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
    mixed: float  # those with synthetic images
    pools: float  # and its generators and images
    real_draws: int = 0  # of real images alone, so far; at least those of the grid are counted

    def more(self, draws: int, wanted: int, *, held: bool, seeds: float = 1.0) -> float:
        """Seconds from ``draws`` of the grid to ``wanted``, and to ``seeds`` times the seeds.

        Where it is held, synthetic images have no further draws.
        """
        then = self.draws if held else wanted
        alone = max(draws, self.real_draws)
        trials = self.real * (max(wanted, alone) * seeds - alone) + self.mixed * (then * seeds - self.draws)
        return trials + self.pools * (then - self.draws)


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
        made = rows[~alone]
        pools = made.groupby(["generator", "draw"])["pool_cost_seconds"].max()  # the largest amount has the others
        number = int(made["draw"].nunique())
        lone = int(rows.loc[alone, "draw"].nunique())
        real, mixed = (float(rows.loc[which, "cost_seconds"].sum()) for which in (alone, ~alone))
        each = mixed / max(number, 1), float(pools.sum()) / max(number, 1)
        found[int(n)] = SizeCost(number, real / max(lone, 1), *each, lone)
    told = sum(cost.real * cost.real_draws + (cost.mixed + cost.pools) * cost.draws for cost in found.values())
    scale = spent / told if told else 1.0
    return {
        n: SizeCost(c.draws, scale * c.real, scale * c.mixed, scale * c.pools, c.real_draws) for n, c in found.items()
    }


def costs_of_all(
    costs: Mapping[int, SizeCost], draws: int, wanted: int, open_sizes: tuple[int, ...], seeds: float = 1.0
) -> float:
    """Seconds up to ``wanted`` draws, with further synthetic images at ``open_sizes`` alone, and ``seeds`` times the
    seeds."""
    return sum(cost.more(draws, wanted, held=n not in open_sizes, seeds=seeds) for n, cost in costs.items())
