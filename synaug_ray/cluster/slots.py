"""How a cluster is divided into slots, and a slot into lanes.

Every slot (a GPU, or a CPU core where there is none) has one lane of each kind, a trainer, a sampler
and a classifier, and their fractions of it add up to one. So no lane can hold what another needs to go
on: there is no deadlock, real-only trials start in the first second, and a core that is idle in one lane
works in another, because the operating system shares it out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import ray

from synaug_ray.cluster import connection
from synaug_ray.cluster.checks import resources, whole_slots
from synaug_ray.common.errors import ResourceProblem
from synaug_ray.common.findings import problem

# shares of a slot; powers of a half, so that lanes that come and go leave no remainder too small for another
TRAINER, SAMPLER, CLASSIFIER = 0.5, 0.25, 0.25


@dataclass(frozen=True)
class Slots:
    """What the cluster has to work with."""

    count: int
    gpu: bool

    @property
    def device(self) -> str:
        return "cuda" if self.gpu else "cpu"

    def share(self, fraction: float) -> dict[str, float]:
        """Ray's resources for a lane, in Tune's and Train's spelling."""
        return {"CPU": fraction, "GPU": fraction} if self.gpu else {"CPU": fraction}

    def options(self, fraction: float) -> dict[str, Any]:
        """The same in the spelling of actors and of Ray Data."""
        return {"num_cpus": fraction} | ({"num_gpus": fraction} if self.gpu else {})


def available_slots(workers_per_generator: int = 1) -> Slots:
    """One for each GPU that has a CPU core on its node, else for each CPU core.

    Raises:
        ResourceProblem: where there is none, or fewer than ``workers_per_generator``, for which Ray would
            wait for ever.
    """
    nodes = connection.nodes()
    refused = problem(resources(nodes))
    if refused is not None:
        raise refused
    found = Slots(*whole_slots(nodes))
    if found.count < workers_per_generator:
        raise _too_many(workers_per_generator, "cluster", found)
    return found


def check_workers_per_generator(workers_per_generator: int) -> None:
    """Refuse more workers for a generator than there are slots, as far as is known before Ray is started here.

    Raises:
        ResourceProblem: with how many there are.
    """
    if ray.is_initialized():
        available_slots(workers_per_generator)
    elif workers_per_generator > (cores := os.cpu_count() or 1):
        raise _too_many(workers_per_generator, "machine", Slots(cores, False))


def _too_many(workers_per_generator: int, where: str, there: Slots) -> ResourceProblem:
    return ResourceProblem(
        f"--workers-per-generator {workers_per_generator}: the {where} has {there.count} "
        f"{'slot' if there.count == 1 else 'slots'}, each a "
        f"{'GPU with a CPU core' if there.gpu else 'CPU core'}; ask for {there.count} at most",
        code="too-few-slots",
    )
