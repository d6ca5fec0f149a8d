"""Training generators with Ray Train: each Trainer, with one or several workers, trains one generator after another.

A Trainer takes about 10 s to start; this way that time is spent once per Trainer, not once per generator.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig, get_context
from ray.train.backend import Backend
from ray.train.collective import broadcast_from_rank_zero
from ray.train.torch import TorchConfig, TorchTrainer
from torch import distributed

from synaug_ray.cluster.slots import TRAINER
from synaug_ray.cluster.worker import (
    DEATHS,
    SILENT_SECONDS,
    WorkerConfig,
    attempt_with_timeout,
    context_here,
    may_begin,
    preempted,
)
from synaug_ray.common.errors import PeerLost
from synaug_ray.engine.context import WorkerContext
from synaug_ray.plan.steps import GeneratorStep
from synaug_ray.store.store import Store

CONTROLLERS = 3  # attempts at a Trainer whose controller died


class NoProcessGroup(TorchConfig):
    """Makes Ray set up no process group: a single process needs none, and its store would listen on all addresses."""

    @property
    def backend_cls(self) -> type[Backend]:
        """Ray's base class, which sets up nothing."""
        return Backend

    @property
    def train_func_context(self) -> Callable[[], AbstractContextManager[None]]:
        """An empty context: Ray's would initialise CUDA on the GPU of Ray's choice, and a process cannot change it."""
        return nullcontext


class Trainers:
    """The Trainers of a run, each in a thread of the driver."""

    def __init__(
        self, steps: list[GeneratorStep], config: WorkerConfig, scratch: str, workers_per_generator: int = 1
    ) -> None:
        """Do not start yet.

        Args:
            steps: generators to train, in this order.
            scratch: a folder on this machine in which Ray Train keeps its own state.
            workers_per_generator: workers that train a generator, each with its share of every batch.
        """
        self._steps, self._config, self._scratch, self._workers_per_generator = (
            steps,
            config,
            scratch,
            workers_per_generator,
        )
        self._ended = threading.Event()
        # a Trainer is five processes: on two cores, another one only pays if it trains at least two generators
        count = min(config.slots.count // workers_per_generator, -(-len(steps) // 2))
        self._threads = [
            threading.Thread(target=self._keep, args=(worker,), name=f"trainer-{worker}", daemon=True)
            for worker in range(count)
        ]

    def start(self) -> None:
        """Start training."""
        for thread in self._threads:
            thread.start()

    def at_work(self) -> bool:
        """Whether any generator may still be finished."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Do not restart any Trainer."""
        self._ended.set()

    def join(self) -> None:
        """Wait for all Trainers; a generator whose Trainers kept dying is recorded as preempted."""
        for thread in self._threads:
            thread.join()
        store, session = Store(self._config.store), self._config.session
        failed = store.failed("generator")
        for step in self._steps:
            if step.key not in failed or failed[step.key].session != session:
                preempted(store, step, session)

    def _keep(self, worker: int) -> None:
        for _ in range(CONTROLLERS):
            try:
                self._fit(worker)
                return
            except Exception:  # its controller died, or more workers died than are allowed for all generators together
                if self._ended.is_set():
                    return

    def _fit(self, worker: int) -> None:
        slots = self._config.slots
        TorchTrainer(
            _loop(worker, self._config, {step.key: step for step in self._steps}, self._workers_per_generator),
            torch_config=NoProcessGroup(),
            scaling_config=ScalingConfig(
                num_workers=self._workers_per_generator,
                use_gpu=slots.gpu,
                placement_strategy="SPREAD",
                resources_per_worker=slots.share(TRAINER),
            ),
            run_config=RunConfig(
                name=f"generators-{self._config.session}-{worker}",
                storage_path=self._scratch,
                failure_config=FailureConfig(max_failures=DEATHS * (len(self._steps) + 1)),
            ),
        ).fit()


def _loop(
    worker: int, config: WorkerConfig, steps: dict[str, GeneratorStep], workers_per_generator: int
) -> Callable[[], None]:
    def loop() -> None:
        rank = get_context().get_world_rank()
        context = context_here(config, "trainer", f"{worker}.{rank}", rank, workers_per_generator)
        if workers_per_generator > 1:
            _join(rank, workers_per_generator, config.slots.device)
        key = _agreed(partial(_next, context, config, worker, True), rank, workers_per_generator)
        while key is not None:
            try:
                attempt_with_timeout(context, steps[key])
            except PeerLost as error:
                ray.get(config.coordinator.note.remote(key, str(error)))
                raise
            key = _agreed(partial(_next, context, config, worker, False), rank, workers_per_generator)

    return loop


def _next(context: WorkerContext, config: WorkerConfig, worker: int, restarted: bool) -> str | None:
    """The key of the next generator to train; ``restarted`` says that the worker may have died while training one."""
    failed = context.store.failed("generator") if restarted else {}
    while True:
        step: Any = ray.get(config.coordinator.take.remote(worker, restarted))
        restarted = False
        if step is None:
            return None
        given_up = step.key in failed and failed[step.key].session == config.session
        if not (given_up or context.store.has(step)) and may_begin(context, config, step):
            return step.key


def _agreed(choose: Callable[[], str | None], rank: int, workers_per_generator: int) -> str | None:
    """What the first worker chooses; all wait for it."""
    if workers_per_generator == 1:
        return choose()
    return broadcast_from_rank_zero(choose() if rank == 0 else None)


def _join(rank: int, workers_per_generator: int, device: str) -> None:
    """Make the workers one process group, whose store listens on the first worker's node, at its address in Ray.

    The store has no authentication, and would listen on all addresses of the machine if it were not given a socket.
    """
    where, patience = None, timedelta(seconds=SILENT_SECONDS)
    if rank == 0:
        host = ray.util.get_node_ip_address()
        listening = socket.create_server((host, 0))
        where = f"{host} {listening.getsockname()[1]}"
        store = distributed.TCPStore(
            host,
            listening.getsockname()[1],
            workers_per_generator,
            True,
            patience,
            wait_for_workers=False,
            master_listen_fd=listening.detach(),
        )
    host, port = (broadcast_from_rank_zero(where) or "").split()
    if rank:
        store = distributed.TCPStore(host, int(port), workers_per_generator, False, patience)
    distributed.init_process_group(
        "nccl" if device == "cuda" else "gloo",
        store=store,
        rank=rank,
        world_size=workers_per_generator,
        timeout=patience,
    )
