"""A grid on a cluster of three nodes of one CPU each, all on this machine: ``python several_nodes.py GRID ...``.

A process of its own, because the tests' process has a cluster already. Its last line says which worker ran where.
"""

import json
import os
import sys
import threading

import psutil
import ray
from ray.cluster_utils import Cluster

from synaug_ray import grid


def watch(raylets, found, end):
    """Workers are children of their node's raylet, and are gone when the run ends."""
    while not end.wait(0.05):
        for node, raylet in enumerate(raylets):
            found.update({worker.pid: node for worker in raylet.children()})


def main():
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.head_node, *(cluster.add_node(num_cpus=1) for _ in range(2))]
    raylets = [psutil.Process(node.all_processes["raylet"][0].process.pid) for node in nodes]
    found, end = {}, threading.Event()
    watcher = threading.Thread(target=watch, args=(raylets, found, end))
    watcher.start()
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        code = grid.main(sys.argv[1:])
    finally:
        end.set()
        watcher.join()
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps(found))
    return code


if __name__ == "__main__":
    sys.exit(main())
