"""Pools made of the images of several others, at given shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from synaug_ray.common.keys import content_key
from synaug_ray.plan.steps import GeneratorStep, Pool, ShardStep


@dataclass(frozen=True)
class HybridPool(Pool):
    """The first images of several Pools in one fixed order, of which none is made or stored again.

    Image i is the next one of a part's own Pool, of the part that ``turns`` says; so every prefix holds each part
    within one image of its share, and of each part a prefix, which has all classes in their proportion.

    ``generator`` stands for all parts in names and keys, and is no step of a plan: its Subset is the largest that a
    part has seen, which includes the others.
    """

    parts: tuple[tuple[Pool, int], ...] = ()  # with their shares as whole numbers, 1 or more

    @cached_property
    def key(self) -> str:
        return content_key({"hybrid": [[pool.key, weight] for pool, weight in self.parts]})

    @property
    def generators(self) -> tuple[GeneratorStep, ...]:
        return tuple({pool.generator.key: pool.generator for pool, _ in self.parts}.values())

    def turns(self, count: int) -> list[int]:
        """Of which part each of the first ``count`` images is, by its place in ``parts``."""
        one = in_turn(tuple(weight for _, weight in self.parts))
        whole, rest = divmod(count, len(one))
        return list(one) * whole + list(one[:rest])

    def taken(self, count: int) -> tuple[tuple[Pool, int], ...]:
        """Each part with how many of its images are among the first ``count``."""
        one = in_turn(tuple(weight for _, weight in self.parts))
        whole, rest = divmod(count, len(one))
        first = one[:rest]
        return tuple((pool, whole * weight + first.count(i)) for i, (pool, weight) in enumerate(self.parts))

    def shards(self, num_synthetic: int) -> tuple[ShardStep, ...]:
        """Those of its parts that hold the first ``num_synthetic`` images, part after part."""
        return tuple(shard for pool, count in self.taken(num_synthetic) for shard in pool.shards(count))


@lru_cache(maxsize=64)
def in_turn(weights: tuple[int, ...]) -> tuple[int, ...]:
    """One period of an order in which every prefix holds each of several things within one of its share.

    The chairman assignment of Tijdeman (1980, Discrete Mathematics 32, 323-330), as in ``data.subsets`` but in whole
    numbers: the order is part of results, and must not depend on rounding.

    Args:
        weights: shares as whole numbers without a common factor, 1 or more.

    Returns:
        ``sum(weights)`` indices into ``weights``, each as often as its weight.
    """
    if len(weights) == 1:
        return (0,)
    total, slack = sum(weights), 2 * len(weights) - 2
    given, order = [0] * len(weights), []
    for place in range(1, total + 1):
        # lag of i: (weight * place) / total - given; due once it is 1 / slack or more, all times total * slack here
        lags = [slack * (weight * place - total * count) for weight, count in zip(weights, given, strict=True)]
        due = [i for i, lag in enumerate(lags) if lag >= total]
        # the earliest deadline, (total * (slack - 1) - lag) / weight, compared without a division
        pick = due[0]
        for i in due[1:]:
            if (total * (slack - 1) - lags[i]) * weights[pick] < (total * (slack - 1) - lags[pick]) * weights[i]:
                pick = i
        given[pick] += 1
        order.append(pick)
    return tuple(order)
