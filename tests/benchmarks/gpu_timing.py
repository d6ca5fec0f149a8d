"""Where and how ``gpu.py`` measures: sizes for a GPU or tiny ones, and the seconds of a step as it really runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from synaug_ray.classifiers.train import Member, train_only
from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS
from synaug_ray.config.recipes import ClassifierRecipe, SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import edm
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.training.distributed import Split

CLASSES = tuple("0123456789")


@dataclass(frozen=True)
class Bench:
    """Where and how large: sizes of a GPU, or tiny ones."""

    device: torch.device
    edm: EDMRecipe
    sampler: SamplerRecipe
    resnet: ClassifierRecipe
    mlp: ClassifierRecipe
    side: int  # pixels
    matrix: int  # rows and columns of the products that show the peak
    seconds: float  # of one measurement
    most_images: int  # up to which the largest batch is looked for

    @property
    def shape(self) -> tuple[int, int, int]:
        return 3, self.side, self.side

    def images(self, count: int = 2_000) -> ImageSet:
        pixels = np.random.default_rng(0).integers(0, 256, (count, *self.shape), dtype=np.uint8)
        return ImageSet(pixels, np.arange(count, dtype=np.int64) % 10)

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def bench_here() -> Bench:
    net, sampler = GENERATORS["edm-32px"], SAMPLERS["dpmpp-14-large"]
    assert isinstance(net, EDMRecipe)
    resnet, mlp = CLASSIFIERS["resnet18"].model_copy(update={"precision": "bf16", "batch": 512}), CLASSIFIERS["mlp"]
    if torch.cuda.is_available():
        return Bench(torch.device("cuda"), net, sampler, resnet, mlp, 32, 8_192, 12.0, 16_384)
    fp32 = {"precision": "fp32"}  # a CPU may emulate bf16, 100 times slower
    small: dict[str, Any] = fp32 | {
        "channels": (8, 16),
        "attention": (False, False),
        "layers_per_block": 1,
        "norm_groups": 4,
        "batch": 4,
    }
    return Bench(
        torch.device("cpu"),
        net.model_copy(update=small),
        sampler.model_copy(update=fp32 | {"batch": 4, "steps": 3}),
        resnet.model_copy(update=fp32 | {"batch": 4, "family": "cnn", "widths": (8, 16)}),
        mlp.model_copy(update={"batch": 8, "widths": (16,), "pack": 4}),
        8,
        64,
        0.05,
        8,
    )


class _Enough(Exception):
    """Enough steps were timed."""


@dataclass(frozen=True)
class _Steps(Split):
    """A Split that times a training from its fourth step on, without any wait for the device in between."""

    now: Callable[[], float] = time.perf_counter
    seconds: float = 1.0
    times: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def slices(self, batch: int, most: int | None = None) -> list[slice]:
        self.steps.append(batch)
        done = len(self.steps) - 4
        if done == 0:
            self.times.append(self.now())
        elif done > 0 and time.perf_counter() - self.times[0] > self.seconds:
            self.times.append(self.now())
            raise _Enough
        return super().slices(batch, most)

    def each(self) -> float:
        return (self.times[1] - self.times[0]) / (len(self.steps) - 4)


def edm_step(bench: Bench, batch: int | None = None, seconds: float | None = None) -> float:
    """Seconds of one of our training steps."""
    changes = {"nimg": 10**9, "max_passes": None, "batch": batch or bench.edm.batch}
    clock = _Steps(now=bench.now, seconds=bench.seconds if seconds is None else seconds)
    with suppress(_Enough):
        edm.train(bench.edm.model_copy(update=changes), bench.images(), CLASSES, 0, bench.device, split=clock)
    return clock.each()


def trial_step(bench: Bench, recipe: ClassifierRecipe) -> float:
    """Seconds of a step of one of our trials, or of a pack: what a longer training adds."""
    images = bench.images()

    def run(steps: int) -> float:
        short = recipe.model_copy(update={"nimg": steps * recipe.batch})
        trial = TrialStep(Subset(DataIdentity("gpu", ""), len(images), 0), None, 0, "real-only", None, short, 0)
        began = bench.now()
        train_only([Member(trial, images)], 10, bench.device)
        return bench.now() - began

    run(3)
    short = min(run(3), run(3))
    steps = 3 + max(2, int(bench.seconds / max((run(8) - short) / 5, 1e-4)))
    return max(run(steps) - short, 1e-9) / (steps - 3)


def repeated(bench: Bench, step: Callable[[], object]) -> float:
    """Seconds of one call of a peer's step."""
    for _ in range(3):
        step()
    calls, began = 0, bench.now()
    while time.perf_counter() - began < bench.seconds:
        step()
        calls += 1
    return (bench.now() - began) / max(calls, 1)
