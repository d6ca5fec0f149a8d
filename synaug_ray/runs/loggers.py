"""Loggers beside a run: a process each that follows the Store, so that none can fail, slow or block the run."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO

from synaug_ray.common.errors import UsageProblem, did_you_mean

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}
ELSEWHERE = {"mlflow": "MLFLOW_TRACKING_URI", "wandb": "WANDB_DIR"}  # where a logger writes, if not beside the run
LAST_SECONDS = 30.0  # that a logger has after the run for what it has not logged yet
MODULE = "synaug_ray.cluster.log_trials"
WORD = "log_trials: "  # begins what it says to a person; other lines are its libraries' chatter


class Loggers:
    """The loggers of one run of the command."""

    def __init__(self, asked: str | None, storage: str) -> None:
        """
        Args:
            asked: names with commas between; None is none.

        Raises:
            UsageProblem: for an unknown name, a package that is not installed, a storage that a logger cannot write.
        """
        self._names = _checked(asked, storage)
        self._running: list[tuple[str, subprocess.Popen[bytes], IO[bytes]]] = []
        self._run = ""

    def start(self, run: str) -> None:
        """Begin to log the trials of a run as their records stand; ``run`` is its folder, path or URL."""
        self._run = run
        for name in self._names:
            said = tempfile.TemporaryFile()
            # nothing is ever written to its stdin: that it closes is the end of the run, however that came
            process = subprocess.Popen(
                [sys.executable, "-m", MODULE, run, name, "--follow"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            self._running.append((name, process, said))

    def stop(self, seconds: float | None = None) -> list[str]:
        """Let them log what is left, LAST_SECONDS or ``seconds``; a sentence for each that could not."""
        until = time.monotonic() + (LAST_SECONDS if seconds is None else seconds)
        for _, process, _ in self._running:
            if process.stdin:
                process.stdin.close()
        sentences = []
        for name, process, said in self._running:
            trouble = _ended(process, until, said)
            if trouble:
                sentences.append(
                    f"--log {name}: {trouble}. The run itself is as it would be without; log the rest "
                    f"with: python -m {MODULE} {self._run} {name}"
                )
            said.close()
        self._running = []
        return sentences


def _ended(process: subprocess.Popen[bytes], until: float, said: IO[bytes]) -> str:
    try:
        code = process.wait(max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with what its libraries started
        process.wait()
        return "it had not ended in time, and was stopped"
    if not code:
        return ""
    said.seek(0)
    lines = [line for line in said.read().decode(errors="replace").splitlines() if line.startswith(WORD)]
    return lines[-1].removeprefix(WORD) if lines else f"it ended with code {code}"


def _checked(asked: str | None, storage: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(word.strip() for word in asked.split(",") if word.strip())) if asked else ()
    problems = []
    for name in names:
        if name not in PACKAGES:
            problems.append(
                f"--log {name}: no such logger{did_you_mean(name, PACKAGES, '.')} Loggers: {', '.join(PACKAGES)}"
            )
        elif importlib.util.find_spec(PACKAGES[name]) is None:
            problems.append(
                f"--log {name} needs the package {PACKAGES[name]}, which is not installed: pip install "
                f"'synaug-ray[{name}]'"
            )
        elif "://" in storage and not os.environ.get(ELSEWHERE.get(name, "")):
            where = f", or ${ELSEWHERE[name]}" if name in ELSEWHERE else ""
            problems.append(
                f"--log {name} writes beside the run, and {storage} is no folder: give a --storage that is one{where}"
            )
    if asked is not None and not names:
        problems.append(f"--log is empty; loggers: {', '.join(PACKAGES)}, with commas between")
    if problems:
        raise UsageProblem(problems)
    return names
