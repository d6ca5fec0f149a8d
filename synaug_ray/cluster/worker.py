"""A worker's context, and how it runs a step: the same in a trainer, a sampler and a classifier."""

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
from synaug_ray.engine.context import Machine, WorkerContext, use_threads
from synaug_ray.engine.execute import Work, attempt
from synaug_ray.plan.steps import ShardStep, Step
from synaug_ray.store.store import Cause, Store

DEATHS = 3  # of workers at one step: then it is recorded, and the rest goes on
SILENT_SECONDS = float(os.environ.get("SYNAUG_SILENT_SECONDS", 7200))  # then a worker hangs, and is ended
FETCH_SECONDS = 30.0  # for a block from another node: one that was lost may never come


@dataclass(frozen=True)
class WorkerConfig:
    """What workers of every kind are handed: where the Store is, and references to what is shared."""

    store: str
    dataset: Any  # reference to a Dataset
    coordinator: Any  # handle of the Coordinator
    slots: Slots
    session: str


def context_here(config: WorkerConfig, lane: str, who: str, rank: int = 0, world: int = 1) -> WorkerContext:
    """Images without a copy from the object store; shards from there too, else from the Store.

    Args:
        lane: ``trainer``, ``sampler`` or ``classifier``: each GPU has one of each.
        who: a name that it has again where it starts anew.
        rank: of ``world`` processes that train one generator together.
    """
    if config.slots.gpu:
        use_gpu(ray.get(config.coordinator.assign_gpu.remote(ray.get_runtime_context().get_node_id(), lane, who)))

    def fetch(step: ShardStep) -> ImageSet | None:
        try:
            found = ray.get(config.coordinator.get.remote(step.key), timeout=FETCH_SECONDS)
            if not found:
                return None
            images = images_of(ray.get(found[0], timeout=FETCH_SECONDS))
        except RayError:  # its node is gone, or who had sampled it: the Store has it
            return None
        return images if len(images) else None

    machine = Machine(config.slots.device, 1, config.session, rank, world)
    use_threads(machine.threads)
    return WorkerContext(
        Store(config.store), ray.get(config.dataset), machine, fetch, lambda step, share: _restart_timer()
    )


def own_name() -> str:
    """Of this actor, on the cluster; one that Ray starts anew keeps it."""
    return ray.get_runtime_context().get_actor_id() or ""


def run_if_missing(context: WorkerContext, config: WorkerConfig, step: Step) -> None:
    """Run a step unless it is done, or too many workers died at it."""
    if not context.store.has(step):
        run_step(context, config, step)


def run_step(context: WorkerContext, config: WorkerConfig, step: Step) -> ImageSet | None:
    """Run a step unless too many workers died at it; returns the images of a shard."""
    return attempt_with_timeout(context, step) if may_begin(context, config, step) else None


def may_begin(context: WorkerContext, config: WorkerConfig, step: Step) -> bool:
    """Tell the Coordinator that a step begins; record it as failed if too many workers died at it."""
    begun: Any = ray.get(config.coordinator.begin.remote(step.key))
    if begun > DEATHS:
        preempted(context.store, step, config.session, ray.get(config.coordinator.last_note.remote(step.key)))
    return begun <= DEATHS


def attempt_with_timeout(context: WorkerContext, work: Work) -> ImageSet | None:
    """Attempt it; a worker without progress for two hours prints its stack and exits."""
    with _timeout():
        return attempt(context, work)


def preempted(store: Store, step: Step, session: str, said: str = "") -> None:
    """Record that workers died of a step, or with it, and what the last one said."""
    if not store.has(step):
        last = f"; the last one reported: {said}" if said else ""
        store.fail(
            step,
            Cause.PREEMPTED,
            f"its worker died {DEATHS} times (killed, its node gone, out of memory, or silent"
            f" for {SILENT_SECONDS / 3600:g} h); Ray's logs of its workers say more{last}",
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
    """Restart the timeout: a timer of the interpreter itself, which neither a lock nor a C library can hold up."""
    faulthandler.dump_traceback_later(SILENT_SECONDS, exit=True, file=sys.__stderr__ or sys.stderr)


def images_of(block: Any) -> ImageSet:
    """The images of a sampled block, without a copy where Arrow allows it."""
    from ray.data.block import BlockAccessor

    arrays = BlockAccessor.for_block(block).to_numpy(["images", "labels"])
    assert isinstance(arrays, dict)
    return ImageSet(np.asarray(arrays["images"]), np.asarray(arrays["labels"]))
