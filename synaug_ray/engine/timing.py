"""Times a few seconds of each kind of work on this machine, to predict the duration of a run.

``python -m synaug_ray.engine.timing`` reads a JSON object from standard input and writes one per line: first counts of
all work, then seconds, the most expensive work first, as long as time is left. It is a separate process, because a dry
run does not import torch, and because it can be stopped. See ``runs.timings``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from synaug_ray.classifiers.train import Member, train_only
from synaug_ray.common.errors import Collapsed, Diverged
from synaug_ray.common.hardware import bf16_in_hardware
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.generator_recipes import GANRecipe, GeneratorRecipe, PretrainedRecipe
from synaug_ray.config.recipes import ClassifierRecipe, SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.engine import counting
from synaug_ray.engine.context import use_threads
from synaug_ray.engine.counting import Shape, evaluations, padding
from synaug_ray.engine.local import device_here
from synaug_ray.engine.quality_timing import of_check, of_first_check
from synaug_ray.generators import registry
from synaug_ray.generators.base import Generator
from synaug_ray.plan.footprint import Count
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.training.distributed import Split

IMAGES = 256  # random images for training: their content does not affect the time
GUESS = 2e10  # operations a second before the first measurement: those of a slow core, so that no step is too long
LEAST, MOST = 0.3, 4.0  # seconds of one piece of work
MEMORY = 2e9  # largest number of bytes of a timed batch
EMULATED = 10.0  # times that bf16 is slower than fp32 where it is emulated (``config.warnings.precision_warnings``)
LEAST_IMAGES = 8  # trained on or sampled in a timing


@dataclass(frozen=True)
class Work:
    """One kind of work in a plan."""

    key: str
    kind: str
    recipe: Any
    generator: Any = None  # whose images are sampled
    images: float = 1.0  # that the plan trains on or samples in all


@dataclass(frozen=True)
class Bench:
    """The device and the data for timings."""

    shape: Shape
    num_classes: int
    device: torch.device
    rate: float = GUESS  # operations a second

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(c) for c in range(self.num_classes))

    def images(self) -> ImageSet:
        pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, *self.shape), dtype=np.uint8)
        return ImageSet(pixels, np.arange(IMAGES, dtype=np.int64) % self.num_classes)

    def now(self) -> float:
        """CPU seconds of this process; with a GPU, seconds of the clock after all its work is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def batch(self, count: Count, batch: int, seconds: float, least: int = 1) -> int:
        """The number of images, at most ``batch``, that should take about ``seconds`` and little memory."""
        by_time, by_memory = seconds * self.rate / max(count.flops, 1), MEMORY / max(count.each, 1)
        return max(least, min(batch, int(by_time), int(by_memory)))


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


def count(work: Work, shape: Shape, num_classes: int) -> Count | None:
    """Operations per image, and memory."""
    if work.kind == "generator":
        return counting.of_training(work.recipe, shape, num_classes)
    if work.kind == "shard":
        one = counting.of_sampling(work.generator, work.recipe.guidance != 1, shape, num_classes)
        return one and Count(evaluations(work.recipe) * padding(work.recipe) * one.flops, one.fixed, one.each)
    if work.kind == "trial":
        one = counting.of_classifier(work.recipe, shape, num_classes)
        pack = work.recipe.pack
        return Count(one.flops, pack * one.fixed, pack * one.each)
    if isinstance(work.recipe, FeatureRecipe):
        return counting.of_features(work.recipe)
    return None


def slowness(work: Work, bench: Bench) -> float:
    """The factor by which a CPU that emulates bf16 is slower with it; 1 otherwise."""
    recipe = work.recipe
    emulated = bench.device.type == "cpu" and getattr(recipe, "precision", "fp32") == "bf16" and not bf16_in_hardware()
    return EMULATED if emulated else 1.0


def timed(work: Work, counted: Count | None, bench: Bench, seconds: float) -> float | None:
    """Seconds per image, measured in about ``seconds``; None if they cannot be measured here."""
    slow = slowness(work, bench)
    if slow > 1 and counted is not None and LEAST_IMAGES * counted.flops * slow / bench.rate > seconds:
        fp32 = replace(work, recipe=work.recipe.model_copy(update={"precision": "fp32"}))
        found = timed(fp32, counted, bench, seconds)
        return None if found is None else found * slow
    if work.kind == "generator" and counted is not None:
        return _training(work.recipe, counted, bench, seconds)
    if work.kind == "shard":
        return _sampling(work, counted, bench, seconds)
    if work.kind == "trial" and counted is not None:
        return _trial(work.recipe, counted, bench, seconds)
    if work.kind == "quality" and not isinstance(work.recipe, FeatureRecipe):
        return of_check(bench.images(), bench.num_classes, bench.device, bench.now)
    return None


def _training(recipe: Any, counted: Count, bench: Bench, seconds: float) -> float:
    batch = bench.batch(counted, recipe.batch, seconds / 4)
    if batch in (1, recipe.batch):
        return _step(recipe, batch, bench, seconds) / batch
    # part of a step's time does not depend on the batch: two sizes of batches show how much
    half = batch // 2
    small, large = (_step(recipe, b, bench, seconds / 2) for b in (half, batch))
    each = max((large - small) / (batch - half), 0.5 * large / batch)
    return each + max(0.0, large - batch * each) / recipe.batch


def _step(recipe: Any, batch: int, bench: Bench, seconds: float) -> float:
    calls = 2 if isinstance(recipe, GANRecipe) else 1
    clock = _Clock(now=bench.now, until=bench.now() + seconds, calls=calls)
    changes = {"batch": batch, "nimg": 1_000_000 * batch, "max_passes": None}
    if hasattr(recipe, "micro_batch"):
        changes["micro_batch"] = None
    with suppress(_Enough):
        registry.family(recipe.family).train(
            recipe.model_copy(update=changes), bench.images(), bench.classes, 0, bench.device, split=clock
        )
    return clock.step()


def _sampling(work: Work, counted: Count | None, bench: Bench, seconds: float) -> float:
    sampler: SamplerRecipe = work.recipe
    generator = _untrained(work.generator, bench)
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
    return took / share / batch * padding(sampler)


def _untrained(recipe: Any, bench: Bench) -> Generator:
    changes: dict[str, Any] = {}
    if not isinstance(recipe, PretrainedRecipe):
        changes = {"nimg": 1, "batch": 2, "max_passes": None}
        if hasattr(recipe, "micro_batch"):
            changes["micro_batch"] = None
    return registry.family(recipe.family).train(
        recipe.model_copy(update=changes), bench.images(), bench.classes, 0, bench.device
    )[0]


def _sample(generator: Generator, sampler: SamplerRecipe, images: int, bench: Bench) -> float:
    began = bench.now()
    with suppress(Diverged, Collapsed):  # an untrained network's images are refused, once they are sampled
        generator.sample(sampler, range(images), 0, bench.device)
    return bench.now() - began


def _trial(recipe: ClassifierRecipe, counted: Count, bench: Bench, seconds: float) -> float:
    of_pack = Count(counted.flops * recipe.pack, counted.fixed, counted.each)
    batch = bench.batch(of_pack, recipe.batch, seconds / 8, least=2)  # batch normalisation needs two
    images = bench.images()

    def run(steps: int) -> float:
        short = recipe.model_copy(update={"batch": batch, "nimg": steps * batch})
        trial = TrialStep(Subset(DataIdentity("timing", ""), len(images), 0), None, 0, "real-only", None, short, 0)
        began = bench.now()
        train_only([Member(trial, images)], bench.num_classes, bench.device)
        return bench.now() - began

    run(1)  # the first call prepares what later ones use
    one = run(1)
    step = max((run(3) - one) / 2, 1e-4)
    steps = min(200, int(seconds / 2 / step))
    if steps > 2:
        step = max((run(1 + steps) - one) / steps, 1e-6)
    return step / batch / recipe.pack


def _work(entry: dict[str, Any]) -> Work:
    any_generator = TypeAdapter(GeneratorRecipe)
    recipe: Any = entry["recipe"]
    if entry["kind"] == "generator":
        recipe = any_generator.validate_python(recipe)
    elif recipe is not None:
        of = {"shard": SamplerRecipe, "trial": ClassifierRecipe, "quality": FeatureRecipe}[entry["kind"]]
        recipe = of.model_validate(recipe)
    generator = entry.get("generator")
    return Work(
        entry["key"],
        entry["kind"],
        recipe,
        None if generator is None else any_generator.validate_python(generator),
        entry["images"],
    )


def main() -> int:
    """Count, then time. Work that fails here is left out; the caller estimates it from the rest."""
    asked = json.load(sys.stdin)
    device = device_here()
    use_threads(1)
    shape = tuple(asked["shape"])
    bench = Bench((shape[0], shape[1], shape[2]), asked["classes"], torch.device(device))
    counts: dict[str, Count] = {}
    every = [_work(entry) for entry in asked["work"]]
    for work in every:
        with suppress(Exception):  # a network that cannot be built is refused elsewhere, with a message
            if (counted := count(work, bench.shape, bench.num_classes)) is not None:
                counts[work.key] = counted
                _say(key=work.key, slow=slowness(work, bench), device=device, **asdict(counted))
    every.sort(key=lambda w: -w.images * (counts[w.key].flops if w.key in counts else 0.0))
    rates: list[float] = []
    began = bench.now()
    for i, work in enumerate(every):
        left = asked["seconds"] - (bench.now() - began)
        if left < LEAST:
            break
        with suppress(Exception):
            speed = float(np.median(rates)) if rates else GUESS
            here = Bench(bench.shape, bench.num_classes, bench.device, speed)
            seconds = timed(work, counts.get(work.key), here, min(MOST, max(LEAST, 0.6 * left / (len(every) - i))))
            _say(key=work.key, seconds=seconds, device=device)  # null: this cannot be timed here
            if work.key == "quality":
                _say(key=work.key, once=of_first_check(bench.images(), bench.num_classes, bench.device, bench.now))
            if seconds and work.key in counts:
                rates.append(counts[work.key].flops * slowness(work, bench) / seconds)
    return 0


def _say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    sys.exit(main())
