"""A run on 1, 2, 4 and 8 fake nodes of one core each, its trials asleep: what the driver, Tune and the Store take.

    python tests/benchmarks/scaling.py [--nodes 1 2 4 8] [--packs 12] [--seconds 5]

Every pack of 16 trials sleeps for ``--seconds`` where it would compute, in a worker process of its own node, and
commits its trials with predictions of 10,000 test images each, as CIFAR has. The work grows with the nodes, so at best
the wall time stays. It is counted from the end of the first packs to that of the last; starting some eight processes a
node on this one machine is not. Then what 100,000 Records cost to list. Figures: `scaling.md`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.cluster_utils import Cluster

from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.load import load_grid
from synaug_ray.data.identify import identify
from synaug_ray.data.load import load
from synaug_ray.plan.plan import make_plan, pending
from synaug_ray.runs.run import Run, Session
from synaug_ray.store.run_folder import RunFolder
from synaug_ray.store.store import Store

GRID = """dataset: digits
num_real: [20]
synthetic_multiples: [0]
generators: [duplicate]
classifiers: [mlp]
draws: {draws}
seeds: 16
quality_draws: 0
replicates: 0
"""
PACK, TEST_IMAGES = 16, 10_000


def asleep(seconds: float) -> Any:
    """What each worker process runs first: its trials sleep, and commit payloads of real size."""

    def hook() -> None:
        from safetensors.numpy import save

        from synaug_ray.engine import execute

        def run_trials(bench: Any, pack: Any, way: Any = None) -> None:
            time.sleep(seconds)
            arrays = {
                "label": np.zeros(TEST_IMAGES, np.uint16),
                "predicted": np.zeros(TEST_IMAGES, np.uint16),
                "probability": np.random.default_rng(0).random(TEST_IMAGES, np.float32),
            }
            result = dict.fromkeys(("test_error", "balanced_error", "test_nll", "val_error"), 0.5)
            for trial in pack:
                bench.store.commit(
                    trial,
                    result | {"nimg": 1, "seconds": seconds / len(pack), "cpu_seconds": 0.0},
                    {"predictions.safetensors": save(arrays)},
                    {"session": bench.machine.session},
                )

        execute.run_trials = run_trials

    return hook


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--packs", type=int, default=12, help="of each node")
    parser.add_argument("--seconds", type=float, default=5.0, help="that a pack sleeps")
    args = parser.parse_args()
    print(
        "| nodes | packs | s from the first pack to the last | at best | efficiency | driver's CPU s in all |\n"
        "|---|---|---|---|---|---|"
    )
    for nodes in args.nodes:
        with tempfile.TemporaryDirectory(prefix="scaling") as folder:
            spent = time.process_time()
            wall, counted = _run(nodes, args.packs * nodes, args.seconds, folder)
            spent = time.process_time() - spent
        best = counted * args.seconds / nodes
        print(
            f"| {nodes} | {args.packs * nodes} | {wall:.1f} | {best:.1f} | {best / wall:.2f} | {spent:.0f} |",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as folder:
        _listing(folder)


def _run(nodes: int, packs: int, seconds: float, folder: str) -> tuple[float, int]:
    """Wall seconds and packs between the first packs' end and the last one's."""
    from synaug_ray.cluster.run import run_on_cluster

    path = Path(folder) / "asleep.yaml"
    path.write_text(GRID.format(draws=packs))
    identity = identify("digits", DataOptions())
    spec, dataset = load_grid(path, []), load(identity, Path(folder))
    plan, store = make_plan(spec, identity), Store(f"{folder}/out/store")
    session = Session("scaling", "", time.time(), nodes)
    run = Run("asleep", spec, plan, store, RunFolder(f"{folder}/out", "asleep"), session)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"worker_process_setup_hook": asleep(seconds)},
        )
        run_on_cluster(run, pending(plan, store), dataset, lambda text: None)
    finally:
        ray.shutdown()
        cluster.shutdown()
    ends = sorted(os.path.getmtime(f"{folder}/out/store/records/trial/{key}.json") for key in store.keys("trial"))
    assert len(ends) == packs * PACK
    first = nodes * PACK  # each node's first pack, whose worker had to start
    return ends[-1] - ends[first - 1], packs - nodes


def _listing(folder: str) -> None:
    """Listing is what readiness and progress cost as a run grows."""
    records = Path(folder) / "records" / "trial"
    records.mkdir(parents=True)
    store = Store(folder)
    before = 0
    for count in (1_000, 10_000, 100_000):
        for i in range(before, count):
            (records / f"{i:032x}.json").touch()
        started = time.perf_counter()
        assert len(store.keys("trial")) == count
        print(f"listing {count:,} Records: {1000 * (time.perf_counter() - started):.0f} ms")
        before = count


if __name__ == "__main__":
    main()
