"""Lists the GPUs of a node, and sets the one that a lane uses; ``Coordinator.assign_gpu`` chooses it.

Ray (2.60) allocates fractions of GPUs by best fit: four actors with half a GPU each, on a node with four GPUs, share
two of them, and two stay idle. So lanes of one kind are assigned the GPUs of their node in turn.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import ray
from ray.exceptions import RayError

from synaug_ray.cluster import connection
from synaug_ray.cluster.checks import Node

ANSWER_SECONDS = 30.0  # timeout for a node to list its GPUs; if some are in use, Ray's own choice is kept
VISIBLE = "CUDA_VISIBLE_DEVICES"


def gpus_of(nodes: Sequence[Node]) -> dict[str, tuple[str, ...]]:
    """The GPU ids of each node (by its id), as in CUDA_VISIBLE_DEVICES; without nodes whose GPUs are not all free."""
    asked = {
        n.id: _named.options(num_gpus=n.whole("GPU"), scheduling_strategy=connection.on(n)).remote()
        for n in nodes
        if n.whole("GPU")
    }
    found, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_SECONDS) if asked else ([], [])
    named: dict[str, tuple[str, ...]] = {}
    for node, reference in asked.items():
        if reference not in found:
            ray.cancel(reference, force=True)
            continue
        try:
            named[node] = ray.get(reference, timeout=ANSWER_SECONDS)
        except RayError:  # the node is gone, or its worker could not start: its lanes will report it
            continue
    return named


def use_gpu(gpu: str | None) -> None:
    """Make this process use one GPU, before CUDA is initialised; None keeps Ray's choice."""
    if gpu is not None:
        os.environ[VISIBLE] = gpu


@ray.remote(num_cpus=0, max_retries=0)
def _named() -> tuple[str, ...]:
    return tuple(ray.get_runtime_context().get_accelerator_ids()["GPU"])
