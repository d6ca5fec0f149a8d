"""A grid on a small machine: ``python small_machine.py CPUS GPUS MEGABYTES GRID ...``; GPUs exist for Ray only.

If Ray is given GPUs that do not exist, workers compute on the CPU, and write the GPU that they would use into a file of
the folder ``$SEATS``, named by their process id. MEGABYTES is the object store's size. The last line says how many of
its bytes were pinned at most, and how many were spilled to disk.
"""

import json
import os
import sys
import threading
from pathlib import Path

import ray
from ray._private.internal_api import get_memory_info_reply, get_state_from_address

from synaug_ray import grid


def on_the_cpu():
    """Called first in each process, so that slots are Ray's GPUs, but computing is on the CPU."""
    from synaug_ray.cluster import gpus as devices
    from synaug_ray.cluster.slots import Slots

    Slots.device = property(lambda self: "cpu")
    if folder := os.environ.get("SEATS"):
        devices.use_gpu = lambda gpu: (Path(folder) / str(os.getpid())).write_text(str(gpu))


def watch(end, found, address):
    """Poll the node ten times per second; failures, while it starts or is too busy, are retried and reported."""
    state = None
    while not end.wait(0.1):
        try:
            state = state or get_state_from_address(address)  # by address, since tests have another Ray on this machine
            stats = get_memory_info_reply(state).store_stats
        except Exception as error:  # of gRPC, Ray or the state: if this thread ended here, nothing would be recorded
            found["unseen"] = f"{type(error).__name__}: {error}"[:300]
            continue
        found["peak"] = max(found["peak"], stats.object_store_bytes_primary_copy)
        found["spilled"] = stats.spilled_bytes_total


def main(cpus, gpus, megabytes, *words):
    on_the_cpu()
    ray.init(
        address="local",
        num_cpus=int(cpus),
        num_gpus=int(gpus),
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=int(megabytes) << 20,
        runtime_env={"worker_process_setup_hook": on_the_cpu},
    )
    end, found = threading.Event(), {"peak": 0, "spilled": 0}
    watcher = threading.Thread(target=watch, args=(end, found, ray.get_runtime_context().gcs_address))
    watcher.start()
    try:
        code = grid.main(list(words))
    finally:
        end.set()
        watcher.join()
        ray.shutdown()
    print(json.dumps(found))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
