"""What a process works on, and what a Record says of that: where a step was made, and how long it took."""

from __future__ import annotations

import os
import platform
import socket
import time
from dataclasses import dataclass
from typing import Any

import torch

from synaug_ray.common.provenance import CODE, commit
from synaug_ray.store.store import now


@dataclass(frozen=True)
class Machine:
    """Device, threads and process group: never part of a key."""

    device: str = "cpu"
    threads: int = 1
    session: str = ""  # one run of the command
    rank: int = 0  # among the processes that train one generator together
    world: int = 1
    memory_share: float = 1.0  # of the machine's free memory that this process may plan with


def use_threads(count: int) -> None:
    """Set torch's number of threads in this process; call it once, before any work."""
    torch.set_num_threads(count)


class Clock:
    """Measures a step's time, on the clock and of this process."""

    def __init__(self) -> None:
        self.began, self.wall, self.cpu = time.time(), time.monotonic(), time.process_time()

    def read(self, nimg: int) -> dict[str, float | int]:
        """Fields of a Record: images, and seconds since the beginning."""
        return {"nimg": nimg, "seconds": time.monotonic() - self.wall, "cpu_seconds": time.process_time() - self.cpu}


def provenance(machine: Machine, clock: Clock) -> dict[str, Any]:
    """A Record's ``made``; ``began`` (seconds since 1970) and ``took`` (seconds) are of the whole pack of trials."""
    return {
        "host": socket.gethostname(),
        "device": machine.device,
        "threads": machine.threads,
        "session": machine.session,
        "pid": os.getpid(),
        "began": round(clock.began, 2),
        "took": round(time.monotonic() - clock.wall, 2),
        "at": now(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": commit(),
        "code": CODE,
    }
