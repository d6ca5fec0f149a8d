"""Times a few steps of a generator's training, and the sampling of a few of its images, on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from synaug_ray.common.errors import Collapsed, Diverged
from synaug_ray.config.generator_recipes import GANRecipe, LatentRecipe, ViTGANRecipe
from synaug_ray.config.pretrained_recipe import PretrainedRecipe
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.engine.bench import IMAGES, Bench
from synaug_ray.engine.counting import evaluations, padding
from synaug_ray.generators import registry
from synaug_ray.generators.base import Generator
from synaug_ray.plan.footprint import Count
from synaug_ray.training.distributed import Split

ENCODED = 32  # images for a latent generator, which encodes all before it trains on their latents


class _Enough(Exception):
    """Raised when enough steps have been timed."""


@dataclass(frozen=True)
class _Clock(Split):
    """A Split that records when each step begins, and ends the training after enough steps."""

    now: Callable[[], float] = time.process_time
    until: float = 0.0  # of ``now``
    calls: int = 1  # of ``slices`` in a step
    times: list[float] = field(default_factory=list)

    def slices(self, batch: int, most: int | None = None) -> list[slice]:
        self.times.append(self.now())
        if len(self.times) > 2 * self.calls and self.times[-1] > self.until:
            raise _Enough
        return super().slices(batch, most)

    def step(self) -> float:
        """Seconds per step, without the first step."""
        starts = self.times[:: self.calls]
        return float(np.median(np.diff(starts)[1:] if len(starts) > 2 else np.diff(starts)))


def of_training(recipe: Any, counted: Count, bench: Bench, seconds: float) -> float:
    """Seconds per image seen in a generator's training."""
    if isinstance(recipe, LatentRecipe) and not recipe.given:
        share = recipe.autoencoder_share
        parts = ((share, 1 - 1e-6), (1 - share, 1e-6))  # the autoencoder's part of the training alone, then the U-Net's
        return sum(
            weight * _part(recipe.model_copy(update={"autoencoder_share": only}), counted, bench, seconds / 2)
            for weight, only in parts
        )
    return (1 + getattr(recipe, "judging", 0.0)) * _part(recipe, counted, bench, seconds)


def _part(recipe: Any, counted: Count, bench: Bench, seconds: float) -> float:
    batch = bench.batch(counted, recipe.batch, seconds / 4)
    if batch in (1, recipe.batch):
        return _step(recipe, batch, bench, seconds) / batch
    # part of a step's time does not depend on the batch: two sizes of batches show how much
    half = batch // 2
    small, large = (_step(recipe, b, bench, seconds / 2) for b in (half, batch))
    each = max((large - small) / (batch - half), 0.5 * large / batch)
    return each + max(0.0, large - batch * each) / recipe.batch


def _step(recipe: Any, batch: int, bench: Bench, seconds: float) -> float:
    calls = 2 if isinstance(recipe, (GANRecipe, ViTGANRecipe)) and getattr(recipe, "adversarial", True) else 1
    calls *= len(bench.classes) if getattr(recipe, "per_class", False) else 1
    clock = _Clock(now=bench.now, until=bench.now() + seconds, calls=calls)
    changes = {"batch": batch, "nimg": 1_000_000 * batch, "max_passes": None}
    if hasattr(recipe, "micro_batch"):
        changes["micro_batch"] = None
    if hasattr(recipe, "validation_share"):
        changes["validation_share"] = 0.0  # either training takes the same
    with suppress(_Enough):
        registry.family(recipe.family).train(
            recipe.model_copy(update=changes), _images(recipe, bench), bench.classes, 0, bench.device, split=clock
        )
    return clock.step()


def _images(recipe: Any, bench: Bench) -> ImageSet:
    return bench.images(ENCODED if isinstance(recipe, LatentRecipe) else IMAGES)


def of_sampling(sampler: SamplerRecipe, recipe: Any, counted: Count | None, bench: Bench, seconds: float) -> float:
    """Seconds per image that a sampler takes from a generator."""
    generator = _untrained(recipe, bench)
    few = min(2, sampler.steps)
    total = evaluations(sampler)
    share = evaluations(sampler.model_copy(update={"steps": few})) / total
    one = Count(counted.flops * share, counted.fixed, counted.each) if counted else Count(1e12, 0, 1e9)
    batch = bench.batch(one, sampler.batch, seconds / 2)
    short = sampler.model_copy(update={"batch": batch, "steps": few})
    _sample(generator, short, batch, bench)  # the first call prepares what later ones use
    took = _sample(generator, short, batch, bench)
    if took / share < seconds:
        return _sample(generator, sampler.model_copy(update={"batch": batch}), batch, bench) / batch * padding(sampler)
    if isinstance(recipe, LatentRecipe) and sampler.steps > few:  # decoding takes its time once
        more = sampler.model_copy(update={"batch": batch, "steps": min(2 * few, sampler.steps)})
        each = (_sample(generator, more, batch, bench) - took) / (evaluations(more) - evaluations(short))
        return (took + max(each, 0) * (total - evaluations(short))) / batch * padding(sampler)
    return took / share / batch * padding(sampler)


def _untrained(recipe: Any, bench: Bench) -> Generator:
    changes: dict[str, Any] = {}
    if not isinstance(recipe, PretrainedRecipe):
        changes = {"nimg": 1, "batch": 2, "max_passes": None}
        if hasattr(recipe, "micro_batch"):
            changes["micro_batch"] = None
        if hasattr(recipe, "validation_share"):
            changes["validation_share"] = 0.0
    return registry.family(recipe.family).train(
        recipe.model_copy(update=changes), _images(recipe, bench), bench.classes, 0, bench.device
    )[0]


def _sample(generator: Generator, sampler: SamplerRecipe, images: int, bench: Bench) -> float:
    began = bench.now()
    with suppress(Diverged, Collapsed):  # an untrained network's images are refused, once they are sampled
        generator.sample(sampler, range(images), 0, bench.device)
    return bench.now() - began
