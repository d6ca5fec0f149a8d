"""Splits batches that do not fit into a CPU's memory, since the kernel would kill the process without a message.

On a GPU, torch's allocator raises an error, and the step is tried once more with batches in halves
(``engine.failures``). On a CPU, allocation always succeeds, and the process is killed when it writes to the memory.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synaug_ray.common.hardware import free_memory
from synaug_ray.common.text import size
from synaug_ray.engine import counting
from synaug_ray.engine.counting import Shape
from synaug_ray.plan.footprint import Count, images_at_once, not_even_one_image
from synaug_ray.plan.step import Step
from synaug_ray.plan.steps import GeneratorStep, ShardStep, TrialStep

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchSplit:
    """Number of parts into which an attempt splits its batches: never part of a key; in the Record unless 1."""

    parts: int = 1  # per batch
    because: str = ""
    retried: bool = False  # after an attempt that ran out of memory

    def describe(self) -> dict[str, Any]:
        """Entries for a Record's ``made``."""
        return {} if self.parts == 1 else {"batch_parts": self.parts, "because": self.because}

    def halved(self, because: str) -> BatchSplit:
        """Twice as many parts, for a second and last attempt."""
        return BatchSplit(2 * self.parts, because, retried=True)


WHOLE = BatchSplit()


def count_of(steps: Sequence[Step], shape: Shape, num_classes: int) -> Count | None:
    """The operations and memory of a step, or of a pack of trials; None if they cannot be counted."""
    step = steps[0]
    try:
        if isinstance(step, GeneratorStep):
            return counting.of_training(step.recipe, shape, num_classes)
        if isinstance(step, ShardStep):
            return counting.of_sampling(step.generator.recipe, step.sampler.guidance != 1, shape, num_classes)
        if isinstance(step, TrialStep) and step.images_seen and not step.classifier.frozen:
            one, pack = counting.of_classifier(step.classifier, shape, num_classes), step.classifier.pack
            return Count(pack * one.flops, pack * one.fixed, pack * one.each)
    except Exception as error:  # some timm networks fail on torch's meta device: they are trained without this check
        LOG.info("the memory of a step of %s was not counted: %s", step.stage, error)
    return None


def split_that_fits(
    steps: Sequence[Step], shape: Shape, num_classes: int, world: int = 1, share: float = 1.0
) -> BatchSplit:
    """How to split the batches of a step, or of a pack of trials, on a CPU with the memory that is free now.

    Args:
        share: of the free memory that this process may take: others on this machine work, too.

    Raises:
        MemoryError: where not even single images fit.
    """
    count = count_of(steps, shape, num_classes) if steps[0].splits else None
    if count is None:
        return WHOLE
    batch, free = images_at_once(steps[0], world), free_memory() * share
    parts = count.parts(batch, free)
    if parts is None:
        raise MemoryError(not_even_one_image(count.memory(1), free))
    if parts == 1:
        return WHOLE
    return BatchSplit(
        parts, f"a batch of {batch:,} takes about {size(count.memory(batch))} of memory, and {size(free)} were free"
    )
