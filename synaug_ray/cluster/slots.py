"""How a cluster is divided into slots, and a slot into lanes.

Every slot (a GPU, or a CPU core if there are no GPUs) has one lane of each kind, a trainer, a sampler and a
classifier, whose fractions of it add up to one. So no lane can occupy what another needs, and there is no deadlock;
real-only trials start in the first second; and the operating system gives a core that one lane leaves idle to another.
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

# shares of a slot; powers of one half, so that lanes that start and end leave no remainder that is too small to use
TRAINER, SAMPLER, CLASSIFIER = 0.5, 0.25, 0.25


@dataclass(frozen=True)
class Slots:
    """The slots of a cluster."""

    count: int
    gpu: bool

    @property
    def device(self) -> str:
        return "cuda" if self.gpu else "cpu"

    def share(self, fraction: float) -> dict[str, float]:
        """Ray's resources for a lane, with the names that Tune and Train use."""
        return {"CPU": fraction, "GPU": fraction} if self.gpu else {"CPU": fraction}

    def options(self, fraction: float) -> dict[str, Any]:
        """The same, with the names that actors and Ray Data use."""
        return {"num_cpus": fraction} | ({"num_gpus": fraction} if self.gpu else {})


def available_slots(workers_per_generator: int = 1) -> Slots:
    """One slot for each GPU that has a CPU core on its node; without any, one for each CPU core.

    Raises:
        ResourceProblem: if there are none, or fewer than ``workers_per_generator``: Ray would wait for ever.
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
    """Refuse more workers per generator than there are slots, as far as this is known before Ray is started here.

    Raises:
        ResourceProblem: with the number of slots.
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
