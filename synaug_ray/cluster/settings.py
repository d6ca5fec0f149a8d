"""Ray as this project uses it: how it is started, and how a machine is shared out.

Every slot (a GPU, or a CPU core where there is none) has one lane of each kind, a trainer, a sampler
and a classifier, and their fractions of it add up to one. So no lane can hold what another needs to go
on: there is no deadlock, real-only trials start in the first second, and a core with nothing to do in
one lane works in another, because the operating system shares it out.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

import ray

from synaug_ray.errors import ResourceProblem

TRAINER, SAMPLER, CLASSIFIER = 0.4, 0.2, 0.4  # of a slot


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


def connect() -> bool:
    """Join the cluster of ``$RAY_ADDRESS`` (set in a submitted job), else start one on this machine.

    Token authentication stays as it is: on, where a local cluster is started.

    Returns:
        Whether a cluster was started here, which then ends with this process.

    Raises:
        ResourceProblem: where Ray cannot be started or joined.
    """
    if ray.is_initialized():
        return False
    here = "RAY_ADDRESS" not in os.environ
    for name in ("ray.data", "ray.train", "ray.tune", "ray._private.worker"):
        logging.getLogger(name).setLevel(logging.ERROR)
    asked_to_end = signal.getsignal(signal.SIGTERM)
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        if here:
            ray.init(address="local", include_dashboard=False, **quiet)
        else:
            ray.init(**quiet)
    except (ConnectionError, TimeoutError, RuntimeError) as error:
        what = "start Ray on this machine" if here else f"join the Ray cluster at {os.environ['RAY_ADDRESS']}"
        raise ResourceProblem(f"cannot {what} ({' '.join(str(error).split())}); --local does without Ray") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, asked_to_end)  # ray.init puts sys.exit(15) there: nothing would be said or kept
    return here


def slots() -> Slots:
    """One for each GPU, else for each CPU core."""
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    return Slots(gpus, True) if gpus and cpus >= gpus else Slots(max(1, cpus), False)
