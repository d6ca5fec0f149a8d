"""A worker's context, and how it runs a step; used by trainers, samplers and classifiers."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError

from synaug_ray.cluster.gpus import use_gpu
from synaug_ray.cluster.slots import Slots
from synaug_ray.data.images import ImageSet
from synaug_ray.engine.attempt import Work, attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.plan.step import Step
from synaug_ray.plan.steps import ShardStep
from synaug_ray.store.store import Cause, Store

DEATHS = 3  # workers that may die at one step; then it is recorded as preempted, and the run goes on
SILENT_SECONDS = float(
    os.environ.get("SYNAUG_SILENT_SECONDS", 7200)
)  # without progress, after which a worker is assumed to hang, and exits
FETCH_SECONDS = 30.0  # timeout for a block from another node: a lost one would never arrive


@dataclass(frozen=True)
class WorkerConfig:
    """What every worker gets: the Store's location, and references to shared objects."""

    store: str  # path or URL
    dataset: Any  # reference to a Dataset
    coordinator: Any  # handle of the Coordinator
    slots: Slots
    session: str


def context_here(config: WorkerConfig, lane: str, who: str, rank: int = 0, world: int = 1) -> WorkerContext:
    """A worker's context: images and shards come from Ray's object store without a copy, missing shards from the Store.

    Args:
        lane: ``trainer``, ``sampler`` or ``classifier``; each GPU has one of each.
        who: a name that the worker keeps when it is restarted.
        rank: this process's rank among the ``world`` processes that train a generator together.
    """
    if config.slots.gpu:
        use_gpu(ray.get(config.coordinator.assign_gpu.remote(ray.get_runtime_context().get_node_id(), lane, who)))

    def fetch(step: ShardStep) -> ImageSet | None:
        try:
            found = ray.get(config.coordinator.get.remote(step.key), timeout=FETCH_SECONDS)
            if not found:
                return None
            images = images_of(ray.get(found[0], timeout=FETCH_SECONDS))
        except RayError:  # its node or its sampler is gone, so it is read from the Store
            return None
        return images if len(images) else None

    # one thread, since each core of the node may be a slot
    machine = Machine(config.slots.device, 1, config.session, rank, world, 1 / (os.cpu_count() or 1))
    use_threads(machine.threads)
    return WorkerContext(
        Store(config.store), ray.get(config.dataset), machine, fetch, lambda step, share: _restart_timer()
    )


def own_name() -> str:
    """This actor's name on the cluster, which it keeps when Ray restarts it."""
    return ray.get_runtime_context().get_actor_id() or ""


def run_if_missing(context: WorkerContext, config: WorkerConfig, step: Step) -> None:
    """Run a step unless it is done, or too many workers have died at it."""
    if not context.store.has(step):
        run_step(context, config, step)


def run_step(context: WorkerContext, config: WorkerConfig, step: Step) -> ImageSet | None:
    """Run a step unless too many workers have died at it; returns the images if it is a shard."""
    return attempt_with_timeout(context, step) if may_begin(context, config, step) else None


def may_begin(context: WorkerContext, config: WorkerConfig, step: Step) -> bool:
    """Count a start of a step; records it as failed, and returns False, if too many workers have died at it."""
    begun: Any = ray.get(config.coordinator.begin.remote(step.key))
    if begun > DEATHS:
        preempted(context.store, step, config.session, ray.get(config.coordinator.last_note.remote(step.key)))
    return begun <= DEATHS


def attempt_with_timeout(context: WorkerContext, work: Work) -> ImageSet | None:
    """Attempt the work; a worker without progress for two hours prints its stack and exits."""
    with _timeout():
        return attempt(context, work)


def preempted(store: Store, step: Step, session: str, said: str = "") -> None:
    """Record a step as preempted, with the last worker's note, if there is one."""
    if not store.has(step):
        last = f"; the last one reported: {said}" if said else ""
        store.fail(
            step,
            Cause.PREEMPTED,
            f"its worker died {DEATHS} times (killed, its node lost, out of memory, or without progress"
            f" for {SILENT_SECONDS / 3600:g} h); see Ray's logs of its workers{last}",
            "",
            session,
        )


@contextmanager
def _timeout() -> Iterator[None]:
    _restart_timer()
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _restart_timer() -> None:
    """Restart the timeout, for which faulthandler's timer is used: neither a lock nor a C library can block it."""
    faulthandler.dump_traceback_later(SILENT_SECONDS, exit=True, file=sys.__stderr__ or sys.stderr)


def images_of(block: Any) -> ImageSet:
    """The images of a sampled block, without a copy if Arrow allows it."""
    from ray.data.block import BlockAccessor

    arrays = BlockAccessor.for_block(block).to_numpy(["images", "labels"])
    assert isinstance(arrays, dict)
    return ImageSet(np.asarray(arrays["images"]), np.asarray(arrays["labels"]))
