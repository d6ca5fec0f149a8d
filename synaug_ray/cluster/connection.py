"""Starting or joining Ray, and shutting down what was started."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from synaug_ray.cluster import address
from synaug_ray.cluster.auth import access, why_not_joined
from synaug_ray.cluster.checks import Node
from synaug_ray.cluster.joining import try_to_join
from synaug_ray.cluster.start import await_worker, ray_folder
from synaug_ray.common.errors import ResourceProblem
from synaug_ray.common.text import one_line
from synaug_ray.store.locations import JOB

END_SECONDS = 5.0  # for killed processes to exit
STARTS = 2
TIMED_OUT = "timed out during startup"  # in the message of a bare Exception of Ray's


def joins() -> bool:
    """Whether a run joins an existing cluster."""
    return bool(address()) or ray.is_initialized()


def connect() -> list[psutil.Process] | None:
    """Join the cluster of ``$RAY_ADDRESS`` (which Ray sets in submitted jobs), else start one on this machine.

    Token authentication keeps Ray's default: it is on for a local cluster.

    Returns:
        The processes that were started, to be ended with ``ray.shutdown`` or ``end_node``; empty if a cluster was
        joined. None if this process was already connected.

    Raises:
        ResourceProblem: if Ray cannot be started or joined, or its workers do not start.
    """
    if ray.is_initialized():
        return None
    here = not address()
    for name in ("ray.data", "ray.train", "ray.tune", "ray._private.worker"):
        logging.getLogger(name).setLevel(logging.ERROR)
    others = _children()
    asked_to_end = signal.getsignal(signal.SIGTERM)
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        if here:
            os.environ.pop("RAY_ADDRESS", None)  # empty or "local", which Ray's own processes might take for an address
            own_token()
            folder = ray_folder()
            _start(include_dashboard=False, **folder, **quiet)
        else:
            if JOB not in os.environ:  # a submitted job's driver was itself started by a worker of its node
                try_to_join(address())
            ray.init(**quiet)
    except ResourceProblem:
        raise
    except Exception as error:  # Ray raises a bare Exception if an overloaded machine does not start a node in time
        said = one_line(error)
        raise ResourceProblem(
            f"cannot start Ray on this machine ({said}); --local runs without Ray"
            if here
            else why_not_joined(address(), said, access(os.environ, joins=True)),
            code="cluster-unreachable",
        ) from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, asked_to_end)  # ray.init installs sys.exit(15), which would skip our shutdown
    started = [child for child in _children() if child not in others] if here else []
    if here:
        try:
            await_worker(_started.remote(), logs(), started)
        except BaseException:
            ray.shutdown()
            raise
    return started


def _start(**options: Any) -> None:
    """Start Ray on this machine, and try again once if its node is not up within the 30 s that Ray waits.

    On a busy machine, or when Ray is started for the first time, the second attempt finds Ray's files in memory.
    """
    for attempt in range(STARTS):
        try:
            ray.init(address="local", **options)
            return
        except Exception as error:
            if attempt + 1 == STARTS or TIMED_OUT not in str(error):
                raise
            ray.shutdown()


def logs() -> Path:
    """The folder in which this process's node keeps the logs of Ray and its workers."""
    node: Any = ray._private.worker._global_node  # pyright: ignore[reportAttributeAccessIssue]  # no public name has it
    return Path(node.get_logs_dir_path())


def end_node(started: list[psutil.Process]) -> None:
    """Kill the node that ``connect`` started here; for a driver that must not call ``ray.shutdown``.

    A thread that calls Ray during shutdown, or while its raylet exits on SIGTERM, ends the process with exit code 1 and
    no message (a Trainer's thread does). Without this function, the raylet would be killed with the driver, but its
    agents would survive for more than half a minute. Workers only commit whole results, so nothing partial is left.

    Args:
        started: the processes that ``connect`` returned; their children are killed too.
    """
    doomed: list[psutil.Process] = []
    for process in started:
        with suppress(psutil.NoSuchProcess):
            if process.name() != "gcs_server":  # it exits with the driver
                doomed += [process, *process.children(recursive=True)]
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(doomed, timeout=END_SECONDS)


@ray.remote(num_cpus=0, max_retries=0)
def _started() -> None:
    """A task that does nothing: its result shows that a worker has started."""


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def own_token() -> None:
    """Create Ray's token if there is none, readable only by its owner; Ray itself would make it world-readable.

    Whoever has it can run code as this user, and it never expires. If it cannot be stored in the home folder, a token
    for this run alone is passed on in the environment.
    """
    elsewhere = os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}
    if elsewhere or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    try:
        file = Path.home() / ".ray" / "auth_token"
        with suppress(OSError):  # it exists, or cannot be created
            file.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as out:
                out.write(secrets.token_hex(32))
        kept = file.read_text().strip()
    except (OSError, RuntimeError, ValueError):  # it cannot be read, there is no home folder, or it is not text
        kept = ""
    if not kept:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def nodes() -> list[Node]:
    """The live nodes, named by host, with a prefix of the node id if a host has several."""
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
    """A scheduling strategy that pins a task to this node; the task fails if the node is gone."""
    return NodeAffinitySchedulingStrategy(node.id, soft=False)
