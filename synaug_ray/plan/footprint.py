"""What steps take of a machine: operations for an image, memory for a batch; counted elsewhere, plain numbers here."""

from __future__ import annotations

from dataclasses import dataclass

from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.plan.steps import GeneratorStep, ShardStep, Step, TrialStep

USABLE = 0.9  # of the free memory: the count is exact to a tenth or so, and other programs take some, too


@dataclass(frozen=True)
class Count:
    """One kind of work: floating-point operations for an image, and bytes for a batch."""

    flops: float  # for an image
    fixed: float  # bytes, whatever the batch
    each: float  # bytes for an image of the batch

    def memory(self, batch: int) -> int:
        """Bytes that a batch takes beyond those of the process itself."""
        return round(self.fixed + self.each * batch)

    def parts(self, batch: int, free: float) -> int | None:
        """The fewest parts of a batch that fit into ``free`` bytes one at a time; None where one image does not fit."""
        left = USABLE * free - self.fixed
        most = batch if self.each <= 0 else int(left // self.each)
        return -(-batch // most) if left >= 0 and most >= 1 else None


def images_at_once(step: Step, world: int = 1) -> int:
    """Images of a step's batch, or of its part, that are in memory at once; of ``world`` processes that share it."""
    if isinstance(step, GeneratorStep):
        batch = getattr(step.recipe, "batch", 1)
        micro = step.recipe.micro_batch if isinstance(step.recipe, EDMRecipe) else None
        return min(micro or batch, -(-batch // world))
    if isinstance(step, ShardStep):
        return step.sampler.batch
    return step.classifier.batch if isinstance(step, TrialStep) else 1
