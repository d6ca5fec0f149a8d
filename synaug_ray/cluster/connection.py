"""How Ray is started or joined, and how what was started is ended."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from synaug_ray.cluster.auth import access, why_not_joined
from synaug_ray.cluster.checks import Node
from synaug_ray.common.errors import ResourceProblem
from synaug_ray.common.text import one_line

END_SECONDS = 5.0  # for killed processes to be gone


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
