"""The trials of protocol ``joint``: they train nothing, and measure the class head of a generator's discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synaug_ray.plan.step import Step
from synaug_ray.plan.steps import SECOND_TEST, ShardStep, TrialStep


@dataclass(frozen=True)
class HeadStep(TrialStep):
    """Measure the class head of its generator's discriminator on the test set; its only parent is the GeneratorStep.

    ``num_synthetic`` are the images that were shown to the discriminator; none is sampled for it.
    """

    def fields(self) -> dict[str, Any]:
        assert self.pool is not None
        other = self.subset.data.test2
        second = {} if other is None else {"test2": [SECOND_TEST, other.key]}
        return {"protocol": self.protocol, "generator": self.pool.generator.key} | second

    def parents(self) -> tuple[Step, ...]:
        return () if self.pool is None else (self.pool.generator,)

    @property
    def shards(self) -> tuple[ShardStep, ...]:
        return ()

    @property
    def num_raw(self) -> int:
        return 0

    @property
    def images_seen(self) -> float:
        return 0.0  # its work is counted with its generator's

    @property
    def cost_key(self) -> str:
        return self.protocol

    def describe(self, names: Mapping[str, str]) -> str:
        return "" if self.pool is None else f"the class head of {self.pool.generator.describe(names)} ({self.protocol})"
