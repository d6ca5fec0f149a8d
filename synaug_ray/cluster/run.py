"""A plan on a cluster: generators, waves of sampling and packs of trials run concurrently, with no stage barriers."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import ObjectStoreFullError, OutOfDiskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from synaug_ray.cluster import connection, trials
from synaug_ray.cluster.coordinator import Coordinator, byte_cap
from synaug_ray.cluster.gpus import gpus_of
from synaug_ray.cluster.live_views import LiveViews
from synaug_ray.cluster.progress import Progress
from synaug_ray.cluster.sampling import SamplingLoop
from synaug_ray.cluster.slots import Slots, available_slots
from synaug_ray.cluster.trainers import Trainers
from synaug_ray.cluster.watchdog import Watchdog, endpoints
from synaug_ray.cluster.worker import WorkerConfig
from synaug_ray.common.errors import ClusterLost, ResourceProblem
from synaug_ray.common.text import one_line
from synaug_ray.config.protocols import JOINT
from synaug_ray.data.images import Dataset
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.plan.plan import Plan
from synaug_ray.plan.step import Step
from synaug_ray.runs.outputs import interrupted
from synaug_ray.runs.run import Run


def run_on_cluster(
    run: Run,
    missing: Plan,
    dataset: Dataset,
    say: Callable[[str], None],
    workers_per_generator: int = 1,
    expected: Callable[[Step], float | None] = lambda step: None,
) -> Run:
    """Execute the missing steps; returns the run, completed with the number of its slots.

    Args:
        say: prints a line.
        workers_per_generator: slots that train a generator together, each with its share of every batch.
        expected: seconds of one slot that a step should take, for the time left; None if unknown.

    Raises:
        ResourceProblem: if there is no usable cluster, fewer slots than workers per generator, or too little memory for
            the images.
        ClusterLost: if the cluster was lost during the run.
    """
    try:
        ours = connection.connect()
    except ResourceProblem:
        interrupted(run)
        raise
    try:
        slots = available_slots(workers_per_generator)
    except ResourceProblem:
        if ours:
            ray.shutdown()
        raise
    run = dataclasses.replace(run, session=dataclasses.replace(run.session, cores=slots.count, device=slots.device))
    # Train and Tune need a folder for their own state, from which nothing is ever restored. A local one suffices:
    # workers on other nodes would only write checkpoints there, and none is reported to Ray
    scratch = tempfile.mkdtemp(prefix="synaug_ray-")

    def lost(who: str) -> str:
        done = sum(len(run.plan.steps(stage).keys() & run.store.keys(stage)) for stage in run.plan.stages)
        total = sum(len(run.plan.steps(stage)) for stage in run.plan.stages)
        return (
            f"the Ray cluster was lost ({who}): {done:,} of {total:,} steps are done, in {run.store.url}. Run the "
            "same command to resume"
        )

    watchdog = Watchdog(endpoints(), lost)
    watchdog.start()
    try:
        _run(run, missing, dataset, slots, scratch, say, workers_per_generator, expected)
        if ours is not None:
            watchdog.stop()
            ray.shutdown()
    except (Exception, KeyboardInterrupt):
        # if the cluster was lost, report that, rather than the Ctrl-C or error that followed from it
        who = watchdog.unreachable()
        watchdog.stop()
        if ours:
            connection.end_node(ours)
        if who:
            raise ClusterLost(lost(who)) from None
        raise
    finally:
        watchdog.stop()
        watchdog.driver_ended()
        shutil.rmtree(scratch, ignore_errors=True)
    return run


def _run(
    run: Run,
    missing: Plan,
    dataset: Dataset,
    slots: Slots,
    scratch: str,
    say: Callable[[str], None],
    workers_per_generator: int,
    expected: Callable[[Step], float | None],
) -> None:
    use_threads(1)
    context = WorkerContext(run.store, dataset, Machine(slots.device, 1, run.session.id))
    trainable = []
    for step in missing.generators.values():
        if step.recipe.reference:
            for known in context.missing([step]):
                attempt(context, known)  # there is nothing to train: its Record takes a few milliseconds
        else:
            trainable.append(step)
    # the generators that most shards wait for come first, which shortens the end of a run, when slots fall idle
    waiting = Counter(s.generator.key for s in missing.shards.values())
    trainable.sort(key=lambda step: -waiting[step.key])
    # on the driver's node, because the run cannot outlive that anyway
    beside = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    gpus = gpus_of(connection.nodes()) if slots.gpu else {}
    coordinator = Coordinator.options(scheduling_strategy=beside).remote(byte_cap(), trainable, gpus)
    config = WorkerConfig(run.store.url, _shared(dataset), coordinator, slots, run.session.id)
    stopping = threading.Event()
    trainers = Trainers(trainable, config, scratch, workers_per_generator)
    waves = SamplingLoop(missing.shards, config, trainers.at_work)
    views = LiveViews(run, say)
    progress = Progress(run, missing, say, expected)
    try:
        trainers.start()
        waves.start()
        progress.start()
        stop = stopping.is_set
        joint = any(trial.protocol == JOINT for trial in missing.trials.values())  # they wait for generators alone

        def more() -> bool:
            return waves.is_alive() or (joint and trainers.at_work())

        trials.run(missing.trials, missing.qualities, config, scratch, more, stop, missing.features)
        waves.join()
        trainers.join()
        if waves.error is not None:
            raise waves.error
    except KeyboardInterrupt:
        views.stop()
        interrupted(run)
        raise
    finally:
        stopping.set()
        trainers.stop()
        waves.stop()
        views.stop()
        progress.stop()


def _shared(dataset: Dataset) -> Any:
    """Put the images into the object store; returns their reference."""
    try:
        return ray.put(dataset)
    except (ObjectStoreFullError, OutOfDiskError) as error:
        said = one_line(error, 200)
        raise ResourceProblem(
            f"the images do not fit into Ray's object store ({said}); enlarge it (`ray start "
            "--object-store-memory`), or use smaller images",
            code="object-store-full",
        ) from None
