"""Starting a local Ray: where its files go, and what its workers reported if none of them starts.

Measured with Ray 2.60: if the first workers exit before they register, ``ray.init`` waits for ever, in C++ code that
ignores Ctrl-C. So it starts no workers (``RAY_prestart_worker_first_driver=0``), and the first one is awaited here.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.exceptions import RayError

from synaug_ray.common.errors import ResourceProblem
from synaug_ray.common.text import one_line

POLL_SECONDS = 0.2
DEAD_SECONDS = 15.0  # without any process that could become a worker, after one has exited with an error
START_SECONDS = 240.0  # timeout for the first worker, on an overloaded machine
SOCKET_BYTES = 107  # the longest path of a Unix socket
SESSION_BYTES = len("/session_2026-01-31_23-59-59_123456_1234567/sockets/plasma_store.1")
LINES = 400  # at the end of a log that are searched for the last error


def ray_folder() -> dict[str, str]:
    """Arguments of ``ray.init`` for where its files go: none if Ray's default can be used.

    The default is ``ray`` below ``$RAY_TMPDIR``, ``$TMPDIR`` or ``/tmp``. It cannot be used if its path is too long for
    a socket, or if it may not be written to, such as another user's ``/tmp/ray``. Objects that do not fit into memory
    are still spilled to the chosen disk.

    Raises:
        ResourceProblem: if no folder can be used.
    """
    named = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    choice = Path(named, "ray")
    if _usable(choice):
        return {}
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        for name in ("ray", f"ray-{os.getuid()}"):
            if _usable(Path(folder, name)):
                spilled = {"object_spilling_directory": tempfile.gettempdir()} if _writable(choice) else {}
                return {"_temp_dir": str(Path(folder, name))} | spilled
    most = SOCKET_BYTES - SESSION_BYTES
    raise ResourceProblem(
        f"Ray has no folder for its files: {choice} and /tmp cannot be written to, or their paths are longer than "
        f"{most} bytes; set RAY_TMPDIR to a folder with a short path that you may write to. --local runs without Ray",
        code="no-folder-for-ray",
    )


def _usable(folder: Path) -> bool:
    return len(os.fsencode(folder)) + SESSION_BYTES <= SOCKET_BYTES and _writable(folder)


def _writable(folder: Path) -> bool:
    try:
        nearest = next(p for p in (folder, *folder.parents) if p.exists())
        with tempfile.TemporaryFile(dir=nearest):  # a write may fail although the permissions allow it
            return folder.is_absolute()
    except OSError:
        return False


def await_worker(task: Any, logs: Path, raylet: Iterable[psutil.Process]) -> None:
    """Wait until the first worker has done a first task.

    Args:
        task: the reference to its result.
        logs: Ray's log folder on this machine.
        raylet: the processes that start workers here.

    Raises:
        ResourceProblem: with the workers' last error, if they exit before they register, or if none registers within
            START_SECONDS.
    """
    began = last_alive = time.monotonic()
    while not ray.wait([task], timeout=POLL_SECONDS)[0]:
        now = time.monotonic()
        if any(_is_worker(child) for process in raylet for child in _children(process)) or not last_error(logs):
            last_alive = now
        if now - last_alive > DEAD_SECONDS or now - began > START_SECONDS:
            raise no_workers(last_error(logs))
    try:
        ray.get(task)
    except RayError as error:
        raise no_workers(last_error(logs) or one_line(error, 300)) from None


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        words = process.cmdline()
        return any(word.endswith("default_worker.py") for word in words) or words[:1] == ["ray::IDLE"]
    return False


def no_workers(said: str) -> ResourceProblem:
    """The error for workers that do not start; ``said`` is their last error, if any."""
    why = f"their last error: {said}" if said else "they reported no error; see raylet.err in Ray's logs"
    return ResourceProblem(
        f"Ray's workers do not start on this machine; {why}. They run {sys.executable} in this environment: check "
        "PYTHONPATH, sitecustomize, the virtual environment and free memory. --local runs without Ray",
        code="no-workers",
    )


def last_error(logs: Path) -> str:
    """The last error in the workers' output, which is in the raylet's log until they have logs of their own."""
    for pattern in ("raylet.err", "worker-*.err"):
        for file in sorted(logs.glob(pattern), key=_changed, reverse=True)[:3]:
            with suppress(OSError):
                lines = [line.strip() for line in file.read_text(errors="replace").splitlines()[-LINES:]]
                found = [line for line in lines if _tells(line)]
                if found:
                    return one_line(found[-1], 300)
    return ""


def _tells(line: str) -> bool:
    """Whether a line is the end of a traceback, or an error message of a program or the shell."""
    head, colon, _ = line.partition(":")
    named = bool(colon) and head.replace(".", "").isidentifier() and head.endswith(("Error", "Exit", "Exception"))
    return named or line.lower().startswith("error") or "not found" in line or "No such file" in line


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
