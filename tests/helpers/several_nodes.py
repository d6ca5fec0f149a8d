"""A grid on three nodes of one CPU each, all on this machine: ``python several_nodes.py keep|lose GRID ...``.

It is a process of its own, because the tests' process already has a cluster. With "lose", the last node and everything
that runs there are killed once the first trial is done. The last line says which worker ran where, and how many steps
were done at that moment.
"""

import json
import os
import sys
import threading
from pathlib import Path

import psutil
import ray
from ray.cluster_utils import Cluster

from synaug_ray import grid


def standing(storage):
    return len(list((storage / "store" / "records").glob("*/*.json")))


def watch(raylets, found, end, lose):
    """Record workers, which are children of their node's raylet, while the run lasts."""
    while not end.wait(0.05):
        for node, raylet in enumerate(raylets):
            if raylet.is_running():
                found.update({worker.pid: node for worker in raylet.children()})
        lose()


def main(fate, grid_file, *words):
    storage = Path(words[words.index("--storage") + 1])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.head_node, *(cluster.add_node(num_cpus=1) for _ in range(2))]
    raylets = [psutil.Process(node.all_processes["raylet"][0].process.pid) for node in nodes]
    found, end, lost = {}, threading.Event(), []

    def lose():
        if fate == "lose" and not lost and list((storage / "store" / "records" / "trial").glob("*.json")):
            lost.append(standing(storage))
            cluster.remove_node(nodes[-1], allow_graceful=False)

    watcher = threading.Thread(target=watch, args=(raylets, found, end, lose))
    watcher.start()
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        code = grid.main([grid_file, *words])
    finally:
        end.set()
        watcher.join()
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps({"nodes": found, "stood": lost}))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
