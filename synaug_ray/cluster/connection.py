"""Ray as this project uses it: how it is started, and how a machine is shared out.

Every slot (a GPU, or a CPU core where there is none) has one lane of each kind, a trainer, a sampler
and a classifier, and their fractions of it add up to one. So no lane can hold what another needs to go
on: there is no deadlock, real-only trials start in the first second, and a core with nothing to do in
one lane works in another, because the operating system shares it out.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from synaug_ray.cluster.auth import access, why_not_joined
from synaug_ray.cluster.checks import Node, resources, whole_slots
from synaug_ray.common.errors import ResourceProblem
from synaug_ray.common.findings import problem
from synaug_ray.common.text import one_line

# of a slot; powers of a half, so that lanes that come and go leave no pieces too small for another
TRAINER, SAMPLER, CLASSIFIER = 0.5, 0.25, 0.25
END_SECONDS = 5.0  # for killed processes to be gone


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


def joins() -> bool:
    """Whether a run joins a cluster that is there already."""
    return "RAY_ADDRESS" in os.environ or ray.is_initialized()


def connect() -> list[psutil.Process] | None:
    """Join the cluster of ``$RAY_ADDRESS`` (set in a submitted job), else start one on this machine.

    Token authentication stays as it is: on, where a local cluster is started.

    Returns:
        What was started for it, nothing where a cluster was joined: to be left or ended with ``ray.shutdown`` or
        ``end_node``. None where this process had joined one before.

    Raises:
        ResourceProblem: where Ray cannot be started or joined.
    """
    if ray.is_initialized():
        return None
    here = "RAY_ADDRESS" not in os.environ
    for name in ("ray.data", "ray.train", "ray.tune", "ray._private.worker"):
        logging.getLogger(name).setLevel(logging.ERROR)
    others = _children()
    asked_to_end = signal.getsignal(signal.SIGTERM)
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        if here:
            own_token()
            ray.init(address="local", include_dashboard=False, **quiet)
        else:
            ray.init(**quiet)
    except Exception as error:  # a bare one where a swamped machine does not start a node in 30 s
        said = one_line(error)
        raise ResourceProblem(
            f"cannot start Ray on this machine ({said}); --local does without Ray"
            if here
            else why_not_joined(os.environ["RAY_ADDRESS"], said, access(os.environ, joins=True))
        ) from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, asked_to_end)  # ray.init puts sys.exit(15) there: nothing would be said or kept
    return [child for child in _children() if child not in others] if here else []


def end_node(started: list[psutil.Process]) -> None:
    """Kill the node that ``connect`` started here, for a driver that must not call ``ray.shutdown``.

    A thread that still asks Ray when it is shut down, or when its raylet says good-bye on SIGTERM, ends the process
    with code 1 and no word (a Trainer's does). Without this the raylet would be killed with the driver, and its
    agents would live on for more than half a minute. What the workers were at is nowhere until it is whole.

    Args:
        started: at the beginning; what came later is theirs. A raylet that is dead already has no children any more.
    """
    doomed: list[psutil.Process] = []
    for process in started:
        with suppress(psutil.NoSuchProcess):
            if process.name() != "gcs_server":  # goes with the driver: one that misses it ends by itself, with code 1
                doomed += [process, *process.children(recursive=True)]
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(doomed, timeout=END_SECONDS)


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def own_token() -> None:
    """Make Ray's token where there is none: Ray would write it so that everyone on the machine can read it.

    Whoever has it runs code as this user, and it never expires.
    """
    elsewhere = os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}
    if elsewhere or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    file = Path.home() / ".ray" / "auth_token"
    with suppress(OSError):  # there is one, or Ray will say why there can be none
        file.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_hex(32))


def nodes() -> list[Node]:
    """The living nodes by host, with the first digits of its id where a host has several."""
    found = [n for n in ray.nodes() if n["Alive"]]
    hosts = Counter(n["NodeManagerHostname"] for n in found)
    return [
        Node(
            n["NodeManagerHostname"] + (f" {n['NodeID'][:6]}" if hosts[n["NodeManagerHostname"]] > 1 else ""),
            n["NodeID"],
            n["Resources"],
        )
        for n in found
    ]


def on(node: Node) -> NodeAffinitySchedulingStrategy:
    """Where a task runs that is this node's alone: it fails where the node is gone."""
    return NodeAffinitySchedulingStrategy(node.id, soft=False)


def slots(workers_per_generator: int = 1) -> Slots:
    """One for each GPU that has a CPU core on its node, else for each CPU core.

    Raises:
        ResourceProblem: where there is none, or fewer than ``workers_per_generator``, for which Ray would
            wait for ever.
    """
    there = nodes()
    refused = problem(resources(there))
    if refused is not None:
        raise refused
    found = Slots(*whole_slots(there))
    if found.count < workers_per_generator:
        raise _too_many(workers_per_generator, "cluster", found)
    return found


def check_workers_per_generator(workers_per_generator: int) -> None:
    """Refuse more workers a generator than there are slots, as far as that shows before a Ray is started here.

    Raises:
        ResourceProblem: with how many there are.
    """
    if ray.is_initialized():
        slots(workers_per_generator)
    elif workers_per_generator > (cores := os.cpu_count() or 1):
        raise _too_many(workers_per_generator, "machine", Slots(cores, False))


def _too_many(workers_per_generator: int, where: str, there: Slots) -> ResourceProblem:
    return ResourceProblem(
        f"--workers-per-generator {workers_per_generator}: the {where} has {there.count} "
        f"{'slot' if there.count == 1 else 'slots'}, each a "
        f"{'GPU with a CPU core' if there.gpu else 'CPU core'}; ask for {there.count} at most"
    )
