"""The processes of a run by their roles: descendants of its driver, never found by name alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
from helpers.grids import COMPARED
from helpers.paths import REPOSITORY

MARKS = {
    "tune": ("PackTrial",),
    "train": ("RayTrainWorker",),
    "controller": ("TrainController",),
    "sampler": ("MapWorker", "Sampler"),
    "aggregator": ("Aggregator",),
    "ledger": ("Coordinator",),
    "raylet": ("raylet/raylet",),
    "head": ("gcs_server",),
}


class Driver:
    """A run of the command in a session of its own, like from a shell."""

    def __init__(self, grid: str, storage: Path, *words: str, log: Path, **variables: str) -> None:
        # Ray gives its workers niceness 15, with which they would hardly start on a busy machine
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "RAY_worker_niceness": "0"} | variables
        self.log = log
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "synaug_ray.grid", grid, "--storage", str(storage), *words],
                cwd=REPOSITORY,
                env=environment,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.seen: dict[int, psutil.Process] = {}

    def family(self) -> list[psutil.Process]:
        """The driver's living descendants; all that were ever seen are kept for ``left``."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.seen |= {p.pid: p for p in found}
        return found

    def playing(self, part: str) -> list[psutil.Process]:
        """The living processes with a role; "driver" is the driver."""
        found = []
        for process in self.family():
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            # an idle actor is named after its class, a busy one also after its method
            actor = line.startswith("ray::")
            if any(mark in line for mark in MARKS[part]) and actor == (part not in ("raylet", "head")):
                found.append(process)
        return found

    def wait(self, seconds: float) -> int | None:
        """The driver's exit code, or None if it is still running after ``seconds``; its descendants are recorded."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.family()
            if (code := self.process.poll()) is not None:
                return code
            time.sleep(0.2)
        return None

    def left(self, seconds: float = 20.0) -> list[str]:
        """The driver's descendants that are still alive ``seconds`` after its end."""
        until = time.monotonic() + seconds
        while (alive := [p for p in self.seen.values() if lives(p)]) and time.monotonic() < until:
            time.sleep(0.2)
        return [f"{p.pid} {p.name()}" for p in alive]

    def end(self) -> None:
        """Kill everything, at the end of a test."""
        if self.process.poll() is None:
            self.family()
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for process in self.seen.values():
            if lives(process):
                process.kill()


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def table(storage: Path, run: str) -> pd.DataFrame:
    """The result columns of a run's table, in canonical order."""
    rows = pd.read_parquet(storage / run / "measurements.parquet")
    return rows.sort_values(["key", "generator"]).reset_index(drop=True)[COMPARED]


def attempts(storage: Path) -> dict[str, str]:
    """The attempt to which each Record refers, by stage and key."""
    return {
        f"{p.parent.name}/{p.stem}": json.loads(p.read_text())["attempt"]
        for p in (storage / "store" / "records").rglob("*.json")
    }


def state(storage: Path, run: str) -> str:
    """The state in status.json."""
    return json.loads((storage / run / "status.json").read_text())["state"]
