"""Times a few seconds of each kind of work on this machine, to predict the duration of a run.

``python -m synaug_ray.engine.timing`` reads a JSON object from standard input and writes one per line: first counts of
all work, then seconds, the most expensive work first, as long as time is left. It is a separate process, because a dry
run does not import torch, and because it can be stopped. See ``runs.timings``.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from synaug_ray.classifiers.train import Member, train_only
from synaug_ray.common.hardware import bf16_in_hardware
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.config.recipes import ClassifierRecipe, SamplerRecipe
from synaug_ray.engine import counting
from synaug_ray.engine.bench import GUESS, Bench
from synaug_ray.engine.counting import Shape, evaluations, padding
from synaug_ray.engine.generator_timing import of_sampling, of_training
from synaug_ray.engine.local import device_here
from synaug_ray.engine.machine import use_threads
from synaug_ray.engine.quality_timing import of_check, of_first_check
from synaug_ray.plan.footprint import Count
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset

LEAST, MOST = 0.3, 4.0  # seconds of one piece of work
EMULATED = 10.0  # times that bf16 is slower than fp32 where it is emulated (``config.warnings.precision_warnings``)
FEATURES_TIMED = 16  # images
LEAST_IMAGES = 8  # trained on or sampled in a timing


@dataclass(frozen=True)
class Work:
    """One kind of work in a plan."""

    key: str
    kind: str
    recipe: Any
    generator: Any = None  # whose images are sampled
    images: float = 1.0  # that the plan trains on or samples in all
    training: int = 0  # of the data set, where it is a quality check


def count(work: Work, shape: Shape, num_classes: int) -> Count | None:
    """Operations per image, and memory."""
    if work.kind == "generator":
        return counting.of_training(work.recipe, shape, num_classes)
    if work.kind == "shard":
        one = counting.of_sampling(work.generator, work.recipe.guidance != 1, shape, num_classes)
        decoding = counting.of_decoding(work.generator, shape)
        flops = evaluations(work.recipe) * one.flops + (decoding.flops if decoding else 0) if one else 0
        return one and Count(padding(work.recipe) * flops, one.fixed, one.each)
    if work.kind == "trial":
        one = counting.of_classifier(work.recipe, shape, num_classes)
        pack = work.recipe.pack
        return Count(one.flops, pack * one.fixed, pack * one.each)
    if work.kind == "features":
        return counting.of_frozen(work.recipe)
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
        return of_training(work.recipe, counted, bench, seconds)
    if work.kind == "shard":
        whole = work.recipe.model_copy(update={"strength": 1.0})  # a network takes the same time from a real image
        share = evaluations(work.recipe) / evaluations(whole)
        return share * of_sampling(whole, work.generator, counted, bench, seconds)
    if work.kind == "features":
        return _features(work.recipe, bench)
    if work.kind == "trial" and counted is not None:
        return _trial(work.recipe, counted, bench, seconds)
    if work.kind == "quality" and not isinstance(work.recipe, FeatureRecipe):
        return of_check(bench.images(), bench.num_classes, bench.device, bench.now)
    return None


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


def _features(recipe: ClassifierRecipe, bench: Bench) -> float:
    from synaug_ray.classifiers.pretrained import FrozenNetwork

    network, images = FrozenNetwork(recipe, bench.device), bench.images().images[:FEATURES_TIMED]
    network.features(images)  # the first call prepares what later ones use
    began = bench.now()
    network.features(images)
    return (bench.now() - began) / len(images)


def _work(entry: dict[str, Any]) -> Work:
    any_generator = TypeAdapter(GeneratorRecipe)
    recipe: Any = entry["recipe"]
    if entry["kind"] == "generator":
        recipe = any_generator.validate_python(recipe)
    elif recipe is not None:
        of = {
            "shard": SamplerRecipe,
            "trial": ClassifierRecipe,
            "features": ClassifierRecipe,
            "quality": FeatureRecipe,
        }[entry["kind"]]
        recipe = of.model_validate(recipe)
    generator = entry.get("generator")
    return Work(
        entry["key"],
        entry["kind"],
        recipe,
        None if generator is None else any_generator.validate_python(generator),
        entry["images"],
        entry.get("training", 0),
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
                once = of_first_check(bench.images(), work.training, bench.num_classes, bench.device, bench.now)
                _say(key=work.key, once=once)
            if seconds and work.key in counts:
                rates.append(counts[work.key].flops * slowness(work, bench) / seconds)
    return 0


def _say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    sys.exit(main())
