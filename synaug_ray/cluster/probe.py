"""The probe of the cluster that a run would use: the software of each node, and whether it shares the storage."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from synaug_ray.cluster import connection
from synaug_ray.cluster.checks import Answer, Node, resources, sharing, versions, weights
from synaug_ray.cluster.slots import check_workers_per_generator
from synaug_ray.cluster.start import last_error
from synaug_ray.common.findings import problem
from synaug_ray.common.hardware import bf16_in_hardware
from synaug_ray.common.provenance import software
from synaug_ray.config.weights import digest
from synaug_ray.store.backends import write_file
from synaug_ray.store.disk import nearest_existing
from synaug_ray.store.filesystem import open_url, reason

ANSWER_SECONDS = 120.0  # timeout for a node to start a process and answer: usually 2 s, a minute if overloaded
SEEN_SECONDS = 4.0  # until a file is visible on other nodes: NFS caches a folder for 3 s

Reader = Callable[[str], str]  # a file's path or URL -> why it cannot be read; empty if it can


@dataclass(frozen=True)
class ClusterProbe:
    """What the probe found."""

    nodes: tuple[Node, ...]
    here: str  # the driver's node
    unwritten: str = ""  # why the driver could not write to the storage
    dashboard: str = ""  # host:port; empty if there is none


def refuse_unfit(storage: str, files: Mapping[str, str], workers_per_generator: int) -> None:
    """Join the cluster of ``$RAY_ADDRESS``, if that is set, and refuse it if a run would fail there.

    Args:
        files: paths of files that each node must have -> their SHA-256.
        workers_per_generator: workers that are to train a generator.

    Raises:
        ResourceProblem: if it cannot be joined, has no slot, runs other software, or lacks a file.
        StorageProblem: if not all of its nodes share the storage. Either lists everything that is wrong.
    """
    if connection.address():
        connection.connect()
        seen = probe_nodes(storage, files)
        found = problem(
            [
                *resources(seen.nodes),
                *versions(software(), seen.nodes),
                *weights(seen.nodes),
                *sharing(storage, seen.here, seen.nodes, seen.unwritten),
            ]
        )
        if found is not None:
            raise found
    check_workers_per_generator(workers_per_generator)


def probe_cluster(storage: str, files: Mapping[str, str]) -> ClusterProbe:
    """Probe the cluster that a run would join; if there is none, a local Ray that is started and stopped here.

    Raises:
        ResourceProblem: if it cannot be joined or started.
    """
    started = connection.connect()
    try:
        dashboard = ray.init(ignore_reinit_error=True, logging_level=logging.ERROR).dashboard_url or ""
        return replace(probe_nodes(storage, files), dashboard=dashboard)
    finally:
        if started is not None:
            ray.shutdown()


def probe_nodes(storage: str, files: Mapping[str, str], read: Reader | None = None) -> ClusterProbe:
    """Probe all nodes of the cluster that this process has joined.

    The driver writes a marker file to the storage. Each node reads it and writes one of its own. All are removed.

    Args:
        files: paths of files that each node must have -> their SHA-256.
        read: how the nodes read a marker; ``why_unread`` by default.
    """
    nodes, here = connection.nodes(), ray.get_runtime_context().get_node_id()
    name = next(n.name for n in nodes if n.id == here)
    with _marker(storage) as (folder, unwritten):
        waiting = {
            n.id: _answer.options(scheduling_strategy=connection.on(n)).remote(
                folder, n.id, read or why_unread, dict(files)
            )
            for n in nodes
        }
        end = time.monotonic() + ANSWER_SECONDS
        answered = [_answered(n, waiting[n.id], max(1.0, end - time.monotonic()), n.id == here) for n in nodes]
        return ClusterProbe(tuple(_seen(n, folder) for n in answered), name, unwritten)


def why_unread(url: str) -> str:
    """Why a file cannot be read; empty if it can."""
    try:
        fs, path = open_url(url)
        fs.cat_file(path)
    except FileNotFoundError:
        return "it does not exist"
    except Exception as error:  # each remote file system raises exceptions of its own
        return reason(error)
    return ""


def _answered(node: Node, waiting: Any, seconds: float, here: bool) -> Node:
    try:
        return replace(node, answer=ray.get(waiting, timeout=seconds))
    except GetTimeoutError:
        ray.cancel(waiting, force=True)
        said = last_error(connection.logs()) if here else ""
        last = f", and its last worker reported: {said}" if said else ""
        return replace(node, silence=f"no answer within {ANSWER_SECONDS:.0f} s{last}")
    except Exception as error:  # a worker that lacks this package, or part of it, may raise anything
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        telling = [line for line in lines if "Error" in line and "ray::" not in line]
        return replace(node, silence=(telling or lines or [type(error).__name__])[-1][:300])


def _seen(node: Node, folder: str) -> Node:
    """Whether the driver can read the marker that a node wrote."""
    if not folder or node.answer is None or node.answer.unread or node.answer.unwritten:
        return node
    unseen = _unread_after_a_while(f"{folder}/{node.id}", why_unread)
    if unseen:  # it was written to another disk, so only its node can remove it
        with suppress(RayError):
            ray.get(
                _remove_there.options(scheduling_strategy=connection.on(node)).remote(folder), timeout=ANSWER_SECONDS
            )
    return replace(node, unseen=unseen)


@ray.remote(num_cpus=0, max_retries=0)
def _answer(folder: str, node: str, read: Reader, files: dict[str, str]) -> Answer:
    """What a node answers; ``folder`` is that of the markers, empty if the driver could not write one."""
    unread, unwritten = _unread_after_a_while(f"{folder}/driver", read) if folder else "", ""
    if folder and not unread:
        try:
            fs, path = open_url(f"{folder}/{node}")
            write_file(fs, path, b"synaug_ray")
        except Exception as error:
            unwritten = reason(error)
    missing = tuple(path for path, content in files.items() if digest(path) != content)
    return Answer(software(), bf16_in_hardware(), unread, unwritten, missing)


@ray.remote(num_cpus=0, max_retries=0)
def _remove_there(folder: str) -> None:
    _remove(folder)


def _unread_after_a_while(url: str, read: Reader) -> str:
    end = time.monotonic() + SEEN_SECONDS
    while (why := read(url)) and time.monotonic() < end:
        time.sleep(0.25)
    return why


@contextmanager
def _marker(storage: str) -> Iterator[tuple[str, str]]:
    """Yields a folder with the driver's marker, and why there is none; then removes what was created."""
    folder, unwritten = f"{storage}/.shared-{uuid.uuid4().hex[:12]}", ""
    before = nearest_existing(Path(storage)) if "://" not in storage else None
    try:
        fs, path = open_url(f"{folder}/driver")
        write_file(fs, path, b"synaug_ray")
    except Exception as error:  # each remote file system raises exceptions of its own
        unwritten = reason(error)
    try:
        yield ("" if unwritten else folder), unwritten
    finally:
        _remove(folder)
        if before is not None:
            with suppress(OSError):  # not empty: a run has begun there in the meantime
                for made in (p for p in (Path(storage), *Path(storage).parents) if before in p.parents):
                    made.rmdir()


def _remove(folder: str) -> None:
    with suppress(Exception):  # already gone, or no longer accessible
        fs, path = open_url(folder)
        fs.rm(path, recursive=True)
