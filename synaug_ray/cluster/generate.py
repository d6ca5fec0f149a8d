"""Generators by Ray Train: k one-worker Trainers, each going on to the next step until none is left.

A Trainer takes some 10 s to start: this way that is paid k times, not once a generator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.backend import Backend
from ray.train.torch import TorchConfig, TorchTrainer

from synaug_ray.cluster.settings import TRAINER
from synaug_ray.cluster.worker import DEATHS, Materials, bench_here, preempted, take_up
from synaug_ray.steps import GeneratorStep
from synaug_ray.store import Store

CONTROLLERS = 3  # a Trainer whose controller itself died is started anew, so often in all


class Alone(TorchConfig):
    """One worker, so no process group: its store would listen on every address of the machine, and ask nobody who it
    is."""

    @property
    def backend_cls(self) -> type[Backend]:
        """A backend that sets up nothing."""
        return Backend


class Trainers:
    """The Trainers of a run, each in a thread of the driver."""

    def __init__(self, steps: list[GeneratorStep], materials: Materials, scratch: str) -> None:
        """``scratch``: a folder of this machine where Ray Train keeps its own state."""
        self._steps, self._materials, self._scratch = steps, materials, scratch
        self._ended = threading.Event()
        # a Trainer is five processes: with two cores each further one has to bring two generators to pay
        count = min(materials.slots.count, -(-len(steps) // 2))
        self._threads = [threading.Thread(target=self._keep, args=(worker,), name=f"trainer-{worker}", daemon=True)
                         for worker in range(count)]

    def start(self) -> None:
        """Begin training."""
        for thread in self._threads:
            thread.start()

    def at_work(self) -> bool:
        """Whether a generator may still come."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """No Trainer is started again."""
        self._ended.set()

    def join(self) -> None:
        """Wait for all; generators that no Trainer could be kept alive for are recorded, and the rest stands."""
        for thread in self._threads:
            thread.join()
        store, session = Store(self._materials.store), self._materials.session
        failed = store.failed("generator")
        for step in self._steps:
            if step.key not in failed or failed[step.key].session != session:
                preempted(store, step, session)

    def _keep(self, worker: int) -> None:
        for _ in range(CONTROLLERS):
            try:
                self._fit(worker)
                return
            except Exception:  # its controller died, or more workers than all generators together may cost
                if self._ended.is_set():
                    return

    def _fit(self, worker: int) -> None:
        slots = self._materials.slots
        TorchTrainer(
            _loop(worker, self._materials),
            torch_config=Alone(),
            scaling_config=ScalingConfig(num_workers=1, use_gpu=slots.gpu, resources_per_worker=slots.share(TRAINER)),
            run_config=RunConfig(name=f"generators-{self._materials.session}-{worker}", storage_path=self._scratch,
                                 failure_config=FailureConfig(max_failures=DEATHS * (len(self._steps) + 1))),
        ).fit()


def _loop(worker: int, materials: Materials) -> Callable[[], None]:
    def loop() -> None:
        bench = bench_here(materials)
        step: Any = ray.get(materials.ledger.take.remote(worker, True))
        while step is not None:
            take_up(bench, materials, step)
            step = ray.get(materials.ledger.take.remote(worker, False))

    return loop
