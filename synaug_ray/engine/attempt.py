"""Attempts a step: splits batches that do not fit into memory, retries once where it helps, records a failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synaug_ray.common.errors import PeerLost
from synaug_ray.data.images import ImageSet
from synaug_ray.engine import execute
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.failures import StepError, release_memory, step_error_of
from synaug_ray.engine.memory import WHOLE, BatchSplit, split_that_fits
from synaug_ray.plan.step import Step
from synaug_ray.store.retry import StorageRefused
from synaug_ray.store.store import Cause

Work = Step | Sequence[Step]  # one step, or a pack of trials


def attempt(context: WorkerContext, work: Work) -> ImageSet | None:
    """Run a step or a pack of trials; an error is stored as a Failure and stops nothing else.

    Parents lost to a damaged file are made again. Batches that do not fit into a CPU's memory are taken in parts. A
    step that runs out of memory is tried once more with its batch in halves, unless several processes train together.

    Raises:
        StorageRefused: if nothing can be written any more.
        PeerLost: if one of several processes that train together failed; all must restart.
    """
    steps: Sequence[Step] = [work] if isinstance(work, Step) else work
    machine, data = context.machine, context.dataset
    batch_split = WHOLE
    if machine.device == "cpu":
        try:
            batch_split = split_that_fits(steps, data.shape, data.num_classes, machine.world, machine.memory_share)
        except MemoryError as error:
            for step in steps:
                context.store.fail(step, Cause.OUT_OF_MEMORY, str(error), "", machine.session)
            if machine.world > 1:
                raise PeerLost("this process has too little memory for its part of a batch") from error
            return None
    return _attempt(context, steps, batch_split)


def _attempt(context: WorkerContext, steps: Sequence[Step], batch_split: BatchSplit) -> ImageSet | None:
    images, step_error = _try(context, steps, batch_split)
    if step_error is not None and context.machine.world > 1:
        if context.machine.rank == 0 or step_error.cause != Cause.DIVERGED:  # divergence is the same in all processes
            context.store.fail(
                steps[0], step_error.cause, step_error.message, step_error.traceback, context.machine.session
            )
        raise PeerLost("the other processes wait for this one's part of a batch: it cannot retry alone")
    for _ in range(1 + sum(len(s.parents()) for s in steps)):  # each attempt reveals at most one damaged file
        if step_error is None or not step_error.lost or not _restore_parents(context, steps):
            break
        images, step_error = _try(context, steps, batch_split)
    if (
        step_error is not None
        and step_error.cause == Cause.OUT_OF_MEMORY
        and not batch_split.retried
        and steps[0].splits
    ):
        batch_split = batch_split.halved(f"{step_error.cause}: {step_error.message}")
        release_memory()
        images, step_error = _try(context, steps, batch_split)
    if step_error is not None and len(steps) > 1:
        release_memory()
        for step in steps:  # find the culprit; the others must not fail with it
            _attempt(context, [step], batch_split)
    elif step_error is not None:
        context.store.fail(
            steps[0],
            step_error.cause,
            step_error.message,
            step_error.traceback,
            context.machine.session,
            tries=2 if batch_split.retried else 1,
        )
    return images


def _try(
    context: WorkerContext, steps: Sequence[Any], batch_split: BatchSplit
) -> tuple[ImageSet | None, StepError | None]:
    try:
        if steps[0].stage == "trial":
            execute.run_trials(context, steps, batch_split)
            return None, None
        return execute.RUN[steps[0].stage](context, steps[0], batch_split), None
    except (StorageRefused, PeerLost):
        raise
    except Exception as error:  # of any kind: stored as the step's Failure
        return None, step_error_of(error)


def _restore_parents(context: WorkerContext, steps: Sequence[Step]) -> bool:
    """Make missing parents of these steps again; whether any were missing and all exist now."""
    missing = {p.key: p for step in steps for p in step.parents() if not context.store.has(p)}
    for step in missing.values():
        _restore_parents(context, [step])
        attempt(context, step)
    return bool(missing) and all(context.store.has(p) for p in missing.values())
