"""Where compute meets disk: a step in, a Record out. The same here, there, with a cluster or without."""

from __future__ import annotations

import json
import os
import platform
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save as save_arrays

from synaug_ray.bench import Bench, Machine
from synaug_ray.classifiers.training import Member, Outcome, train_pack
from synaug_ray.data.images import ImageSet
from synaug_ray.errors import Diverged, StorageProblem, TooFewKept
from synaug_ray.generators import families
from synaug_ray.keys import derive_seed
from synaug_ray.provenance import CODE, commit
from synaug_ray.quality.audit import assess
from synaug_ray.steps import GeneratorStep, QualityStep, ShardStep, Step, Subset, TrialStep
from synaug_ray.store import CorruptPayload, finite, now

CHECKPOINT_SECONDS = 60.0  # between states of an unfinished generator; a kill costs at most this
Work = GeneratorStep | ShardStep | QualityStep | Sequence[TrialStep]


def run_generator(bench: Bench, step: GeneratorStep) -> None:
    """Train a generator, going on from its last checkpoint, and commit it."""
    clock, real, last = _Clock(), bench.dataset.train.take(bench.draws.index(step.subset)), [time.monotonic()]

    def save(state: Callable[[], bytes], nimg: int) -> None:
        bench.progress(step, nimg / step.recipe.length(len(real)))
        if time.monotonic() - last[0] > CHECKPOINT_SECONDS:
            bench.store.save_scratch(step, "state.safetensors", state())
            last[0] = time.monotonic()

    state = bench.store.load_scratch(step, "state.safetensors")
    files, nimg = families.train(step.recipe, real, bench.dataset.classes, step.seed, bench.device, state, save)
    result = {"num_real": step.subset.num_real, "draw": step.subset.draw}
    bench.store.commit(step, result | clock.read(nimg), files, _made(bench.machine))


def run_shard(bench: Bench, step: ShardStep) -> ImageSet:
    """Sample one shard of a pool and commit it; the images, for those who wait for them."""
    clock, size = _Clock(), step.sampler.shard_size
    index = range(step.index * size, (step.index + 1) * size)
    seed = derive_seed("pool", step.generator.key, step.sampler.key)
    images = bench.generator(step.generator).sample(step.sampler, index, seed, bench.device)
    arrays = {"images": np.ascontiguousarray(images.images), "labels": np.ascontiguousarray(images.labels)}
    bench.store.commit(step, clock.read(len(images)), {"images.safetensors": save_arrays(arrays)},
                       _made(bench.machine))
    return images


def run_quality(bench: Bench, step: QualityStep) -> None:
    """Look at a pool and commit what is found."""
    clock, subset = _Clock(), step.pool.generator.subset
    found = assess(bench.yardstick(subset), bench.pool(step.pool, step.num_images))
    result = {"num_real": subset.num_real, "draw": subset.draw, "words": list(found.words)}
    text = json.dumps(finite(found.as_json()), allow_nan=False)
    bench.store.commit(step, result | clock.read(step.num_images), {"quality.json": text.encode()},
                       _made(bench.machine))


def run_trials(bench: Bench, pack: Sequence[TrialStep]) -> None:
    """Train a pack of trials together and commit each by itself."""
    clock = _Clock()
    shared: dict[tuple[Subset, str, int, str], ImageSet] = {}
    members = []
    for trial in pack:
        at = (trial.subset, trial.pool.key if trial.pool else "", trial.num_synthetic,
              trial.filter.key if trial.filter else "")
        if at not in shared:
            shared[at] = bench.images(trial)
        members.append(Member(trial, shared[at]))
    test = bench.dataset.test
    outcomes = train_pack(members, bench.dataset.val, test, bench.dataset.num_classes, bench.device,
                          lambda share: bench.progress(pack[0], share))
    spent = clock.read(outcomes[0].nimg)
    each = spent | {"seconds": spent["seconds"] / len(pack), "cpu_seconds": spent["cpu_seconds"] / len(pack)}
    for trial, outcome in zip(pack, outcomes, strict=True):
        if not np.isfinite(outcome.probability).all():
            bench.store.fail(trial, "diverged", "the classifier's probabilities are not numbers", "",
                             bench.machine.session)
            continue
        arrays = {"label": test.labels.astype(np.uint16), "predicted": outcome.predicted,
                  "probability": outcome.probability}
        bench.store.commit(trial, _measurement(outcome, test, bench.dataset.num_classes) | each,
                           {"predictions.safetensors": save_arrays(arrays)}, _made(bench.machine))


def attempt(bench: Bench, work: Work) -> ImageSet | None:
    """Run a step or a pack; what goes wrong becomes a Failure in the Store, and nothing else stops."""
    try:
        if isinstance(work, GeneratorStep):
            run_generator(bench, work)
        elif isinstance(work, ShardStep):
            return run_shard(bench, work)
        elif isinstance(work, QualityStep):
            run_quality(bench, work)
        else:
            run_trials(bench, work)
    except Exception as error:  # of any kind: the cause is kept with the step
        if not isinstance(work, Step) and len(work) > 1:
            done = bench.store.keys("trial")
            for trial in work:  # find out which of them it was; the others must not go down with it
                if trial.key not in done:
                    attempt(bench, [trial])
            return None
        step = work if isinstance(work, Step) else work[0]
        bench.store.fail(step, cause_of(error), f"{type(error).__name__}: {error}", traceback.format_exc(),
                         bench.machine.session)
    return None


def cause_of(error: Exception) -> str:
    """A failure's cause in one word or two."""
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return "out of memory"
    if isinstance(error, TooFewKept):
        return "collapsed"
    if isinstance(error, (OSError, CorruptPayload, StorageProblem)):
        return "storage"
    return "bug"


def _measurement(outcome: Outcome, test: ImageSet, num_classes: int) -> dict[str, float]:
    wrong = outcome.predicted != test.labels
    by_class = [wrong[test.labels == c].mean() for c in range(num_classes) if (test.labels == c).any()]
    nll = -np.log(np.maximum(outcome.probability.astype(np.float64), np.finfo(np.float32).tiny))
    return {"test_error": float(wrong.mean()), "balanced_error": float(np.mean(by_class)),
            "test_nll": float(nll.mean()), "val_error": outcome.val_error}


class _Clock:
    def __init__(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def read(self, nimg: int) -> dict[str, float | int]:
        return {"nimg": nimg, "seconds": time.monotonic() - self.wall,
                "cpu_seconds": time.process_time() - self.cpu}


def _made(machine: Machine) -> dict[str, Any]:
    return {"host": socket.gethostname(), "device": machine.device, "threads": machine.threads,
            "session": machine.session, "pid": os.getpid(), "at": now(), "torch": torch.__version__,
            "python": platform.python_version(), "commit": commit(), "code": CODE}
