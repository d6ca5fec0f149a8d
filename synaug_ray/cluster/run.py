"""A plan on a cluster: generators, waves of sampling and packs of trials all at once, none waiting for a stage."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable

import ray

from synaug_ray.bench import Bench, Machine
from synaug_ray.cluster import classify, generate, settings
from synaug_ray.cluster.aggregate import LiveViews
from synaug_ray.cluster.ledger import Ledger
from synaug_ray.cluster.progress import Progress
from synaug_ray.cluster.sample import Waves
from synaug_ray.cluster.worker import Materials
from synaug_ray.data.images import Dataset
from synaug_ray.execute import attempt
from synaug_ray.plan import Plan
from synaug_ray.recipes import ReferenceRecipe
from synaug_ray.summary import Run

SHARD_BYTES = 2 << 30  # at most; and at most a quarter of the object store


def run_on_cluster(run: Run, missing: Plan, dataset: Dataset, say: Callable[[str], None]) -> Run:
    """Execute what is missing; returns the run with the slots it had, for its figures."""
    here = settings.connect()
    slots = settings.slots()
    run = dataclasses.replace(run, session=dataclasses.replace(run.session, cores=slots.count, device=slots.device))
    # Train and Tune want a folder for their own state, which nothing is ever restored from. One that this machine
    # alone sees will do: workers on other nodes write there only with a checkpoint, and none is reported to Ray
    scratch = tempfile.mkdtemp(prefix="synaug_ray-")
    try:
        _run(run, missing, dataset, slots, scratch, say)
    finally:
        if here:
            ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)
    return run


def _run(run: Run, missing: Plan, dataset: Dataset, slots: settings.Slots, scratch: str,
         say: Callable[[str], None]) -> None:
    cap = min(SHARD_BYTES, int(ray.cluster_resources().get("object_store_memory", SHARD_BYTES) // 4))
    materials = Materials(run.store.url, ray.put(dataset), Ledger.remote(cap), slots, run.session.id)
    bench = Bench(run.store, dataset, Machine(slots.device, 1, run.session.id))
    learnt = []
    for step in missing.generators.values():
        if isinstance(step.recipe, ReferenceRecipe):
            attempt(bench, step)  # nothing to train: a record, a few milliseconds
        else:
            learnt.append(step)
    # what most shards wait for first: the tail of a run is then short
    waiting = Counter(s.generator.key for s in missing.shards.values())
    learnt.sort(key=lambda step: -waiting[step.key])
    stopping = threading.Event()
    trainers = generate.start(learnt, materials, scratch)
    waves = Waves(missing.shards, materials, lambda: any(not t.done() for t in trainers))
    waves.start()
    views = LiveViews(run)
    progress = Progress(run, missing, say)
    progress.start()
    try:
        classify.run(missing.trials | missing.qualities, materials, scratch, waves.is_alive, stopping.is_set)
        waves.join()
        for trainer in trainers:
            trainer.result()
        if waves.error is not None:
            raise waves.error
    finally:
        stopping.set()
        waves.stop()
        progress.stop()
        views.stop()
