"""Sampling pools with Ray Data, in waves: a row is a shard, a block has its images, passed through the object store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import ray
from ray.data import ActorPoolStrategy, DataContext, ExecutionOptions

from synaug_ray.cluster.slots import SAMPLER
from synaug_ray.cluster.worker import WorkerConfig, context_here, own_name, preempted, run_step
from synaug_ray.plan.steps import ShardStep
from synaug_ray.store.store import Store

SHARDS_PER_ACTOR = 16  # at least: a wave with fewer shards per actor does not start another
TRIES = 3  # attempts at a wave: Ray Data restarts dead actors itself, but may give up


class Sampler:
    """An actor that samples the shard of each row, and commits it."""

    def __init__(self, config: WorkerConfig, steps: dict[str, ShardStep]) -> None:
        self._context, self._config, self._steps = context_here(config, "sampler", own_name()), config, steps

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        step = self._steps[str(row["shard"][0])]
        if self._context.store.has(step):
            images = self._context.shard(step)
        else:
            images = run_step(self._context, self._config, step)
        if images is None:  # it failed, and the Store has the cause
            shape = self._context.dataset.shape
            return {"images": np.zeros((0, *shape), np.uint8), "labels": np.zeros(0, np.int64)}
        return {"images": images.images, "labels": images.labels}


class SamplingLoop(threading.Thread):
    """Samples shards when their generators have been trained.

    Every wave starts new actors (about 5 s of a core each), so it waits until half of the remaining shards are ready,
    or no more will be. The number of waves therefore grows with the logarithm of the number of shards.
    """

    def __init__(self, shards: dict[str, ShardStep], config: WorkerConfig, more: Callable[[], bool]) -> None:
        """``more`` says whether any generators are still being trained."""
        super().__init__(name="waves", daemon=True)
        self._left, self._config, self._more = dict(shards), config, more
        self._asked_to_end = threading.Event()
        self.error: BaseException | None = None

    def stop(self) -> None:
        """Start no further wave."""
        self._asked_to_end.set()

    def run(self) -> None:
        try:
            self._run()
        except BaseException as error:  # a thread's error would be lost, so the driver raises it
            self.error = error

    def _run(self) -> None:
        store = Store(self._config.store)
        while self._left and not self._asked_to_end.is_set():
            more = self._more()  # checked before the listing, so that no generator is missed
            done = store.keys("generator")
            ready = [s for s in self._left.values() if s.generator.key in done]
            if not ready and not more:
                return  # the remaining generators failed
            few = len(ready) < max(len(self._left) / 2, 8 * self._config.slots.count)
            if not ready or (more and few):
                self._asked_to_end.wait(store.poll)
                continue
            ready.sort(key=lambda s: s.index)
            for step in ready:
                del self._left[step.key]
            self._wave_with_retries(ready, store)

    def _wave_with_retries(self, steps: list[ShardStep], store: Store) -> None:
        """Run a wave, and another one with the missing shards if it is aborted."""
        session = self._config.session
        for last in (False,) * (TRIES - 1) + (True,):
            try:
                return self._wave(steps)
            except Exception:
                if self._asked_to_end.is_set():
                    return
                done, failed = store.keys("shard"), store.failed("shard")
                steps = [
                    s for s in steps if s.key not in done and not (s.key in failed and failed[s.key].session == session)
                ]
                if last:
                    for step in steps:
                        preempted(store, step, session)

    def _wave(self, steps: list[ShardStep]) -> None:
        slots = self._config.slots
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # otherwise a job's log contains its plans and warnings
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options = ExecutionOptions(preserve_order=True)
        size = min(slots.count, -(-len(steps) // SHARDS_PER_ACTOR))
        rows = ray.data.from_items([{"shard": s.key} for s in steps], override_num_blocks=len(steps))
        sampled = rows.map_batches(
            Sampler,
            fn_constructor_args=(self._config, {s.key: s for s in steps}),
            batch_size=1,
            compute=ActorPoolStrategy(size=size),
            **slots.options(SAMPLER),
        )
        at = 0
        for bundle in sampled.iter_internal_ref_bundles():
            for entry in bundle.blocks:
                self._config.coordinator.put.remote(steps[at].key, [entry.ref], entry.metadata.size_bytes or 0)
                at += 1
