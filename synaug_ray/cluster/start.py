"""Starting a Ray of our own: where its files go, and what its workers said where none of them comes up.

Measured with Ray 2.60: where the first workers end before they register, ``ray.init`` waits for ever within C++, deaf
to Ctrl-C. So none are started with it (``RAY_prestart_worker_first_driver=0``), and the first is waited for here.
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
DEAD_SECONDS = 15.0  # without a single process that could become a worker, where one has ended with an error
START_SECONDS = 240.0  # for the first worker, on a machine that is swamped
SOCKET_BYTES = 107  # of a unix socket's path
SESSION_BYTES = len("/session_2026-01-31_23-59-59_123456_1234567/sockets/plasma_store.1")
LINES = 400  # at the end of a log, among which the last error is looked for


def ray_folder() -> dict[str, str]:
    """Arguments of ``ray.init`` for where its files go: none where Ray's own choice can be used.

    That is ``ray`` below ``$RAY_TMPDIR``, ``$TMPDIR`` or ``/tmp``. It cannot where it is too deep for a socket, or may
    not be written, as another user's ``/tmp/ray``. What does not fit into memory still goes to the disk that was named.

    Raises:
        ResourceProblem: where no folder can be used.
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
        f"Ray has no folder for its files: {choice} and /tmp cannot be written, or have more than {most} bytes in "
        "their path; set RAY_TMPDIR to a short folder that you may write to. --local runs without Ray",
        code="no-folder-for-ray",
    )


def _usable(folder: Path) -> bool:
    return len(os.fsencode(folder)) + SESSION_BYTES <= SOCKET_BYTES and _writable(folder)


def _writable(folder: Path) -> bool:
    try:
        nearest = next(p for p in (folder, *folder.parents) if p.exists())
        with tempfile.TemporaryFile(dir=nearest):  # a file system may refuse even whom it allows
            return folder.is_absolute()
    except OSError:
        return False


def await_worker(task: Any, logs: Path, raylet: Iterable[psutil.Process]) -> None:
    """Wait until a first task is done by a first worker.

    Args:
        task: reference to its result.
        logs: Ray's folder of logs on this machine.
        raylet: the processes that start workers here.

    Raises:
        ResourceProblem: where workers end before they register, or none does in START_SECONDS, with what they said.
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
    """What is told of workers that do not start; ``said``: their last words."""
    why = f"the last one said: {said}" if said else "and said nothing; see raylet.err in Ray's logs"
    return ResourceProblem(
        f"Ray's workers do not start on this machine; {why}. They run {sys.executable} in this environment: look at "
        "PYTHONPATH, sitecustomize, the virtual environment and free memory. --local runs without Ray",
        code="no-workers",
    )


def last_error(logs: Path) -> str:
    """The last error among the words of workers: before they have a log of their own, they go to the raylet's."""
    for pattern in ("raylet.err", "worker-*.err"):
        for file in sorted(logs.glob(pattern), key=_changed, reverse=True)[:3]:
            with suppress(OSError):
                lines = [line.strip() for line in file.read_text(errors="replace").splitlines()[-LINES:]]
                found = [line for line in lines if _tells(line)]
                if found:
                    return one_line(found[-1], 300)
    return ""


def _tells(line: str) -> bool:
    """Whether a line is the end of a traceback, or of a program's or the shell's complaint."""
    head, colon, _ = line.partition(":")
    named = bool(colon) and head.replace(".", "").isidentifier() and head.endswith(("Error", "Exit", "Exception"))
    return named or line.lower().startswith("error") or "not found" in line or "No such file" in line


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
