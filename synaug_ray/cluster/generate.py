"""Generators by Ray Train: k one-worker Trainers, each going on to the next step until none is left.

A Trainer takes some 10 s to start: this way that is paid k times, not once a generator.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from synaug_ray.cluster.settings import TRAINER
from synaug_ray.cluster.worker import Materials, bench_here
from synaug_ray.execute import attempt
from synaug_ray.steps import GeneratorStep


def start(steps: list[GeneratorStep], materials: Materials, scratch: str) -> list[Future[None]]:
    """Begin training; one future a Trainer, done when it found no further step.

    Args:
        scratch: a folder of this machine where Ray Train keeps its own state.
    """
    if not steps:
        return []
    ray.get(materials.ledger.book.remote(steps))
    # a Trainer is five processes: with two cores each further one has to bring two generators to pay
    count = min(materials.slots.count, -(-len(steps) // 2))
    pool = ThreadPoolExecutor(count, thread_name_prefix="trainer")
    futures = [pool.submit(_fit, worker, materials, scratch) for worker in range(count)]
    pool.shutdown(wait=False)
    return futures


def _fit(worker: int, materials: Materials, scratch: str) -> None:
    trainer = TorchTrainer(
        _loop(worker, materials),
        scaling_config=ScalingConfig(num_workers=1, use_gpu=materials.slots.gpu,
                                     resources_per_worker=materials.slots.share(TRAINER)),
        run_config=RunConfig(name=f"generators-{materials.session}-{worker}", storage_path=scratch,
                             failure_config=FailureConfig(max_failures=3)),
    )
    trainer.fit()


def _loop(worker: int, materials: Materials) -> Callable[[], None]:
    def loop() -> None:
        bench = bench_here(materials)
        step: Any = ray.get(materials.ledger.take.remote(worker, True))
        while step is not None:
            if not bench.store.has(step):
                attempt(bench, step)
            step = ray.get(materials.ledger.take.remote(worker, False))

    return loop
