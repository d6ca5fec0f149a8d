"""Executes one step and commits its Record, with or without a cluster. Retries and failures: ``attempt.py``."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as save_arrays

from synaug_ray.classifiers.train import Answers, Member, Outcome, train_pack
from synaug_ray.common.errors import DamagedState
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.protocols import JOINT
from synaug_ray.data.images import ImageSet
from synaug_ray.engine import courses
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.features import fit_heads, run_features
from synaug_ray.engine.joint import head_outcome
from synaug_ray.engine.machine import Clock, provenance
from synaug_ray.engine.memory import WHOLE, BatchSplit
from synaug_ray.generators import registry
from synaug_ray.plan.step import Stage
from synaug_ray.plan.steps import GeneratorStep, QualityStep, ShardStep, TrialStep
from synaug_ray.plan.subset import Subset
from synaug_ray.quality.nearest import nearest, pixels
from synaug_ray.store.store import Cause, finite
from synaug_ray.training.distributed import Split

LOG = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 60.0  # between states of an unfinished generator; a kill costs at most this


def run_generator(context: WorkerContext, step: GeneratorStep, batch_split: BatchSplit = WHOLE) -> None:
    """Train a generator, resuming from its last checkpoint, and commit it; of several processes only rank 0 commits.

    One that begins with a shorter training goes on from the end of that (``courses``).
    """
    clock, real, last = Clock(), context.dataset.train.take(context.draws.index(step.subset)), [time.monotonic()]
    machine, split = context.machine, Split(batch_split.parts, context.machine.rank, context.machine.world)
    length, end = step.recipe.length(len(real)), []

    def save(state: Callable[[], bytes], nimg: int) -> None:
        context.progress(step, nimg / length)
        if machine.rank == 0 and step.course and nimg >= length:
            end.append(state())
        elif machine.rank == 0 and time.monotonic() - last[0] > CHECKPOINT_SECONDS:
            context.store.save_scratch(step, "state.safetensors", state())
            last[0] = time.monotonic()

    def train(state: bytes | None) -> tuple[dict[str, bytes], int]:
        return registry.train(step.recipe, real, context.dataset.classes, step.seed, context.device, state, save, split)

    notes = batch_split.describe()
    if processes := _most_processes(context, step):
        notes["processes"] = processes
    state, before = None, courses.Before()
    if machine.rank == 0:
        state = context.store.load_scratch(step, "state.safetensors")
        before, state = (
            courses.find(context.store, step) if state is None else (courses.noted(context.store, step), state)
        )
    try:
        files, nimg = train(split.broadcast(state))  # ranks that read it themselves could see a newer one
    except DamagedState as damaged:
        LOG.warning("the checkpoint of generator %s is discarded (%s); its training restarts", step.key, damaged)
        notes["restarted"] = f"its checkpoint was damaged: {damaged}"
        before = courses.Before()
        if machine.rank == 0:
            context.store.drop_scratch(step)
            courses.discard(context.store, step)
        files, nimg = train(None)
    if machine.rank:
        return
    result = {"num_real": step.subset.num_real, "draw": step.subset.draw}
    if chosen := registry.chosen_in(files):
        result["applied"] = chosen["scale"]
    spent = clock.read(nimg)
    spent["cpu_seconds"] = spent["cpu_seconds"] * machine.world + before.cpu_seconds  # each process uses about as much
    spent["seconds"] += before.seconds
    notes = before.notes() | notes
    context.store.commit(step, result | spent, files, provenance(context.machine, clock) | notes)
    for state in end:
        whole = courses.Before(
            nimg, spent["seconds"], spent["cpu_seconds"], {k: v for k, v in notes.items() if k != courses.NOTE}
        )
        courses.keep(context.store, step, whole, state)


def _most_processes(context: WorkerContext, step: GeneratorStep) -> int:
    """The most processes that ever trained a generator together, including now; 0 if there was only ever one.

    Stored beside its checkpoint: one process may resume what four began, and the Record must say so.
    """
    kept, now = context.store.load_scratch(step, "processes") or b"", context.machine.world
    before = int(kept) if kept.isdigit() else 0  # scratch has no checksum: treat anything else as lost
    if now > max(before, 1) and context.machine.rank == 0:
        context.store.save_scratch(step, "processes", str(now).encode())
    return max(before, now if now > 1 else 0)


def run_shard(context: WorkerContext, step: ShardStep, batch_split: BatchSplit = WHOLE) -> ImageSet:
    """Sample one shard of a pool, commit it and return its images."""
    clock, size = Clock(), step.sampler.shard_size
    index = range(step.index * size, (step.index + 1) * size)
    seed = derive_seed("pool", step.generator.key, step.sampler.key)
    sampler = step.sampler.model_copy(update={"batch": -(-step.sampler.batch // batch_split.parts)})
    real = context.starts(step)
    if real is not None and context.starts_held_out(step):
        index = range(index.start, min(index.stop, len(real)))  # the last shard of a finite pool is shorter
    images = context.generator(step.generator).sample(sampler, index, seed, context.device, real)
    arrays = {"images": np.ascontiguousarray(images.images), "labels": np.ascontiguousarray(images.labels)}
    context.store.commit(
        step,
        _traced(context, step, images) | clock.read(len(images)),
        {"images.safetensors": save_arrays(arrays)},
        provenance(context.machine, clock) | batch_split.describe(),
    )
    return images


def _traced(context: WorkerContext, step: ShardStep, images: ImageSet) -> dict[str, float]:
    """Of re-made held-out images, the share still nearest to their own source among those of the shard."""
    reference = step.generator.recipe.reference and getattr(step.generator.recipe, "of", "") == "held-out"
    if not (reference or context.starts_held_out(step)) or not len(images):
        return {}
    first = step.generator.subset.num_real + step.index * step.sampler.shard_size
    sources = context.draws.order(step.generator.subset)[first : first + len(images)]
    _, found = nearest(pixels(images), pixels(context.dataset.train.take(sources)), 1, context.device)
    return {"traced": float((found[:, 0] == np.arange(len(images))).mean())}


def run_quality(context: WorkerContext, step: QualityStep, batch_split: BatchSplit = WHOLE) -> None:
    """Check the quality of a pool and commit the result; there is no batch to split (``QualityStep.splits``)."""
    from synaug_ray.quality.assess import assess  # scipy: see ``engine.context``

    clock, subset = Clock(), step.pool.generator.subset
    spaces = {recipe.key: context.space(recipe, lambda share: context.progress(step, share)) for recipe in step.spaces}
    real = context.real_reference(subset, lambda share: context.progress(step, share))
    found = assess(
        real, context.pool(step.pool, step.num_images), spaces=spaces, mirrors=step.pool.generator.recipe.mirrors
    )
    result = {"num_real": subset.num_real, "draw": subset.draw, "words": list(found.words)}
    text = json.dumps(finite(found.as_json()), allow_nan=False)
    context.store.commit(
        step, result | clock.read(step.num_images), {"quality.json": text.encode()}, provenance(context.machine, clock)
    )


def run_trials(context: WorkerContext, pack: Sequence[TrialStep], batch_split: BatchSplit = WHOLE) -> None:
    """Train a pack of trials together and commit each separately."""
    clock, dataset = Clock(), context.dataset
    if pack[0].classifier.frozen:
        outcomes = fit_heads(context, pack)
    elif pack[0].protocol == JOINT:
        outcomes = [head_outcome(context, trial) for trial in pack]
    else:
        outcomes = _train(context, pack, batch_split)
    spent = clock.read(outcomes[0].nimg)
    made = provenance(context.machine, clock) | batch_split.describe()
    each = spent | {"seconds": spent["seconds"] / len(pack), "cpu_seconds": spent["cpu_seconds"] / len(pack)}
    for trial, outcome in zip(pack, outcomes, strict=True):
        second = outcome.second
        if not np.isfinite(outcome.probability).all() or not (second is None or np.isfinite(second.probability).all()):
            context.store.fail(
                trial, Cause.DIVERGED, "the classifier's probabilities are not finite", "", context.machine.session
            )
            continue
        first = Answers(outcome.predicted, outcome.probability)
        measured = _measured("test", first, dataset.test, dataset.num_classes) | {"val_error": outcome.val_error}
        files = {"predictions.safetensors": _answered(first, dataset.test)}
        if second is not None and dataset.test2 is not None:
            measured |= _measured("test2", second, dataset.test2, dataset.num_classes)
            files["predictions2.safetensors"] = _answered(second, dataset.test2)
        if outcome.leep is not None:
            measured["leep"] = outcome.leep
        measured |= dict(outcome.notes or {})
        context.store.commit(trial, measured | each | {"nimg": outcome.nimg}, files, made)


def _train(context: WorkerContext, pack: Sequence[TrialStep], batch_split: BatchSplit) -> list[Outcome]:
    shared: dict[tuple[Subset, str, int, str], tuple[ImageSet, NDArray[np.float32] | None]] = {}
    members = []
    for trial in pack:
        at = (
            trial.subset,
            trial.pool.key if trial.pool else "",
            trial.num_synthetic,
            trial.filter.key if trial.filter else "",
        )
        if at not in shared:
            shared[at] = context.images(trial), context.soft_labels(trial)
        members.append(Member(trial, *shared[at]))
    return train_pack(
        members,
        context.dataset.val,
        context.dataset.test,
        context.dataset.num_classes,
        context.device,
        lambda share: context.progress(pack[0], share),
        batch_split.parts,
        None if pack[0].subset.data.test2 is None else context.dataset.test2,
    )


# what runs a step of each stage; trials run in packs
RUN: dict[Stage, Callable[[WorkerContext, Any, BatchSplit], ImageSet | None]] = {
    "generator": run_generator,
    "shard": run_shard,
    "features": run_features,
    "quality": run_quality,
}


def _answered(answers: Answers, test: ImageSet) -> bytes:
    return save_arrays({"label": test.labels.astype(np.uint16), **answers._asdict()})


def _measured(name: str, answers: Answers, test: ImageSet, num_classes: int) -> dict[str, float]:
    """Errors on the images ``test``, which are those of ``name``: test or test2."""
    wrong = answers.predicted != test.labels
    by_class = [wrong[test.labels == c].mean() for c in range(num_classes) if (test.labels == c).any()]
    nll = -np.log(np.maximum(answers.probability.astype(np.float64), np.finfo(np.float32).tiny))
    return {
        f"{name}_error": float(wrong.mean()),
        "balanced_error" if name == "test" else f"balanced_{name}_error": float(np.mean(by_class)),
        f"{name}_nll": float(nll.mean()),
    }
