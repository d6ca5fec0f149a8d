"""A driver's heartbeat in its run's folder: updated while it runs, also during steps that take hours."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType

import psutil

from synaug_ray.common.errors import Problem
from synaug_ray.store.run_folder import STATUS, RunFolder

DRIVER = "driver.json"
BEAT_SECONDS = 20.0
FRESH_SECONDS = 120.0  # six beats: a machine that is busy or a storage that is slow is not taken for dead


@dataclass(frozen=True)
class Driver:
    """Who works on a run, or worked on it last without an end of its own."""

    host: str
    pid: int
    session: str
    silent: float  # seconds since its last update
    alive: bool

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Heartbeat(threading.Thread):
    """Signs of life from here to the end of a ``with``; a storage that refuses them is reported by others."""

    def __init__(self, folder: RunFolder, session: str) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._folder, self._session, self._end = folder, session, threading.Event()

    def __enter__(self) -> Heartbeat:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self.join(timeout=5.0)  # it may wait for a storage that is gone
        with suppress(Problem, OSError):
            if (self._folder.read_json(DRIVER) or {}).get("session") == self._session:
                self._folder.remove(DRIVER)

    def run(self) -> None:
        begun = False
        while not self._end.is_set():
            with suppress(Problem, OSError):
                begun = begun or self._folder.read(STATUS) is not None  # before that nothing may be written
                if begun:
                    self._folder.write_json(
                        DRIVER,
                        {
                            "host": socket.gethostname(),
                            "pid": os.getpid(),
                            "session": self._session,
                            "at": _now().isoformat(),
                        },
                    )
            self._end.wait(BEAT_SECONDS if begun else 1.0)


def driver_of(folder: RunFolder, now: datetime | None = None) -> Driver | None:
    """The driver with the latest heartbeat; None if there is none, or if that driver has ended.

    Raises:
        StorageProblem: where the storage refuses.
    """
    told = folder.read_json(DRIVER) or {}
    try:
        silent = ((now or _now()) - datetime.fromisoformat(told["at"])).total_seconds()
        host, pid = str(told["host"]), int(told["pid"])
    except (KeyError, TypeError, ValueError):
        return None
    gone = host == socket.gethostname() and not psutil.pid_exists(pid)
    return Driver(host, pid, str(told.get("session")), silent, silent < FRESH_SECONDS and not gone)


def _now() -> datetime:
    return datetime.now(UTC)
