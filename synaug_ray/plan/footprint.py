"""The resources that steps need, as plain numbers: operations per image, memory per batch. Counted in the engine."""

from __future__ import annotations

from dataclasses import dataclass

from synaug_ray.common.text import size
from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.plan.step import Step
from synaug_ray.plan.steps import GeneratorStep, ShardStep, TrialStep

FEATURES_BATCH = 64  # images whose features are computed at once: fixed, so that they have the same bits everywhere
USABLE = 0.9  # of the free memory: counts are accurate to about a tenth, and other programs need memory too


@dataclass(frozen=True)
class Count:
    """One kind of work: floating-point operations per image, and bytes per batch."""

    flops: float  # per image
    fixed: float  # bytes, independent of the batch
    each: float  # bytes per image of the batch

    def memory(self, batch: int) -> int:
        """Bytes that a batch needs in addition to those of the process."""
        return round(self.fixed + self.each * batch)

    def parts(self, batch: int, free: float) -> int | None:
        """The smallest number of parts of a batch that each fit into ``free`` bytes; None if one image does not fit."""
        left = USABLE * free - self.fixed
        most = batch if self.each <= 0 else int(left // self.each)
        return -(-batch // most) if left >= 0 and most >= 1 else None


def images_at_once(step: Step, world: int = 1) -> int:
    """Images of a step's batch that are in memory at once, in each of ``world`` processes that share the batch."""
    if isinstance(step, GeneratorStep):
        batch = getattr(step.recipe, "batch", 1)
        micro = step.recipe.micro_batch if isinstance(step.recipe, EDMRecipe) else None
        return min(micro or batch, -(-batch // world))
    if isinstance(step, ShardStep):
        return step.sampler.batch
    if step.stage == "features":
        return FEATURES_BATCH
    return step.classifier.batch if isinstance(step, TrialStep) else 1


def not_even_one_image(needed: int, free: float) -> str:
    """What to say of a network for which ``free`` bytes of memory do not suffice, even without batches."""
    return (
        f"one image at a time takes about {size(needed)} of memory, and {size(free)} are free; use a machine with "
        "more, smaller images (data.size) or a smaller network"
    )
