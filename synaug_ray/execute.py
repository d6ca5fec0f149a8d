"""Where compute meets disk: a step in, a Record out. The same here, there, with a cluster or without."""

from __future__ import annotations

import os
import platform
import socket
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from synaug_ray.classifiers.training import Member, Outcome, train_pack
from synaug_ray.data.images import Dataset, ImageSet, concatenate
from synaug_ray.data.subsets import Draws
from synaug_ray.errors import Diverged
from synaug_ray.generators.reference import replay
from synaug_ray.keys import derive_seed
from synaug_ray.provenance import commit
from synaug_ray.recipes import ReferenceRecipe
from synaug_ray.steps import GeneratorStep, ShardStep, Step, Subset, TrialStep
from synaug_ray.store import CorruptPayload, Store, now

if TYPE_CHECKING:
    from synaug_ray.generators.edm import EDMGenerator

CHECKPOINT_SECONDS = 60.0  # between states of an unfinished generator; a kill costs at most this
CACHE_BYTES = 1 << 30  # of shards kept in a process
Progress = Callable[[Step, float], None]  # (step, share done)
FetchShard = Callable[[ShardStep], ImageSet | None]


@dataclass(frozen=True)
class Machine:
    """Where and how wide to run: never part of an identity."""

    device: str = "cpu"
    threads: int = 1
    session: str = ""  # one run of the command


@dataclass
class Bench:
    """What work needs within one process: the images, the Store, the machine, and shards read before."""

    store: Store
    dataset: Dataset
    machine: Machine
    fetch: FetchShard = lambda shard: None  # from memory shared with other processes, where there is such
    progress: Progress = lambda step, share: None
    draws: Draws = field(init=False)
    _shards: OrderedDict[str, ImageSet] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.draws = Draws(self.dataset.train, self.dataset.num_classes)
        torch.set_num_threads(self.machine.threads)

    @property
    def device(self) -> torch.device:
        return torch.device(self.machine.device)

    def shard(self, step: ShardStep) -> ImageSet:
        """A shard's images: from this process, from shared memory, or from the Store."""
        if step.key in self._shards:
            self._shards.move_to_end(step.key)
            return self._shards[step.key]
        images = self.fetch(step)
        if images is None:
            record = self.store.record("shard", step.key)
            arrays = load_arrays(self.store.read(record, "images.safetensors"))
            images = ImageSet(arrays["images"], arrays["labels"])
        self._shards[step.key] = images
        while sum(s.images.nbytes for s in self._shards.values()) > CACHE_BYTES and len(self._shards) > 1:
            self._shards.popitem(last=False)
        return images

    def images(self, trial: TrialStep) -> ImageSet:
        """A trial's images: its Subset, then the prefix of its Pool."""
        real = self.dataset.train.take(self.draws.index(trial.subset))
        if trial.pool is None:
            return real
        shards = [self.shard(s) for s in trial.pool.shards(trial.num_synthetic)]
        pool = ImageSet(np.concatenate([s.images for s in shards])[:trial.num_synthetic],
                        np.concatenate([s.labels for s in shards])[:trial.num_synthetic])
        return concatenate(real, pool)


def run_generator(bench: Bench, step: GeneratorStep) -> None:
    """Train a generator, going on from its last checkpoint, and commit it."""
    from synaug_ray.generators import edm  # diffusers takes 3 s of a core to import: classifiers do without

    clock, subset = _Clock(), bench.draws.index(step.subset)
    result: dict[str, Any] = {"num_real": step.subset.num_real, "draw": step.subset.draw}
    if isinstance(step.recipe, ReferenceRecipe):
        bench.store.commit(step, result | clock.read(0), {}, _made(bench.machine))
        return
    images = bench.dataset.train.take(subset)
    last = [time.monotonic()]

    def save(state: Callable[[], bytes], nimg: int) -> None:
        bench.progress(step, nimg / step.recipe.nimg)  # type: ignore[union-attr]
        if time.monotonic() - last[0] > CHECKPOINT_SECONDS:
            bench.store.save_scratch(step, "state.safetensors", state())
            last[0] = time.monotonic()

    state = bench.store.load_scratch(step, "state.safetensors")
    generator, nimg = edm.train(step.recipe, images, bench.dataset.num_classes, step.seed, bench.device, state, save)
    bench.store.commit(step, result | clock.read(nimg), generator.files(), _made(bench.machine))


def run_shard(bench: Bench, step: ShardStep) -> ImageSet:
    """Sample one shard of a pool and commit it; the images, for those who wait for them."""
    clock, generator = _Clock(), step.generator
    size = step.sampler.shard_size
    index = range(step.index * size, (step.index + 1) * size)
    seed = derive_seed("pool", generator.key, step.sampler.key)
    if isinstance(generator.recipe, ReferenceRecipe):
        images = replay(generator.recipe, bench.dataset.train, bench.draws.order(generator.subset),
                        generator.subset.num_real, index, seed)
    else:
        images = _load_generator(bench, generator).sample(step.sampler, index, seed, bench.device)
    arrays = {"images": np.ascontiguousarray(images.images), "labels": np.ascontiguousarray(images.labels)}
    bench.store.commit(step, clock.read(len(images)), {"images.safetensors": save_arrays(arrays)},
                       _made(bench.machine))
    return images


def run_trials(bench: Bench, pack: Sequence[TrialStep]) -> None:
    """Train a pack of trials together and commit each by itself."""
    clock = _Clock()
    shared: dict[tuple[Subset, str, int], ImageSet] = {}
    members = []
    for trial in pack:
        at = (trial.subset, trial.pool.key if trial.pool else "", trial.num_synthetic)
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


def attempt(bench: Bench, work: GeneratorStep | ShardStep | Sequence[TrialStep]) -> ImageSet | None:
    """Run a step or a pack; what goes wrong becomes a Failure in the Store, and nothing else stops."""
    try:
        if isinstance(work, GeneratorStep):
            run_generator(bench, work)
        elif isinstance(work, ShardStep):
            return run_shard(bench, work)
        else:
            run_trials(bench, work)
    except Exception as error:  # of any kind: the cause is kept with the step
        if not isinstance(work, (GeneratorStep, ShardStep)):
            if len(work) > 1:  # find out which of them it was; the others must not go down with it
                for trial in work:
                    attempt(bench, [trial])
                return None
            work = work[0]  # type: ignore[assignment]
        assert isinstance(work, Step)
        bench.store.fail(work, cause_of(error), f"{type(error).__name__}: {error}", traceback.format_exc(),
                         bench.machine.session)
    return None


def cause_of(error: Exception) -> str:
    """A failure's cause in one word or two."""
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return "out of memory"
    if isinstance(error, (OSError, CorruptPayload)):
        return "storage"
    return "bug"


def _load_generator(bench: Bench, step: GeneratorStep) -> EDMGenerator:
    record = bench.store.record("generator", step.key)
    return _generator(bench.store, record.key, record.attempt)


@lru_cache(maxsize=4)
def _generator(store: Store, key: str, attempt_: str) -> EDMGenerator:
    from synaug_ray.generators import edm

    record = store.record("generator", key)
    return edm.from_files({name: store.read(record, name) for name in record.files})


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
            "python": platform.python_version(), "commit": commit()}
