"""Loggers beside a run: one process each, which follows the Store and so cannot fail, slow or block the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO

from synaug_ray.common.errors import UsageProblem, did_you_mean
from synaug_ray.common.packages import why_not_installed

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}
ELSEWHERE = {"mlflow": "MLFLOW_TRACKING_URI", "wandb": "WANDB_DIR"}  # where a logger writes, if not beside the run
LAST_SECONDS = 30.0  # after the run, for what is not logged yet
MODULE = "synaug_ray.runs.log_trials"
WORD = "log_trials: "  # prefix of its own messages; other lines are its libraries'


class Loggers:
    """The loggers of one run of the command."""

    def __init__(self, asked: str | None, storage: str) -> None:
        """
        Args:
            asked: names separated by commas; None for no logger.

        Raises:
            UsageProblem: for an unknown name, a package that is not installed, a storage that a logger cannot write to.
        """
        self._names = _checked(asked, storage)
        self._running: list[tuple[str, subprocess.Popen[bytes], IO[bytes]]] = []
        self._run = ""

    def start(self, run: str) -> None:
        """Start to log the trials of a run as they finish; ``run`` is its folder, path or URL."""
        self._run = run
        for name in self._names:
            said = tempfile.TemporaryFile()
            # nothing is ever written to its stdin: it closes when the run ends, even if the run is killed
            process = subprocess.Popen(
                [sys.executable, "-m", MODULE, run, name, "--follow"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            self._running.append((name, process, said))

    def stop(self, seconds: float | None = None) -> list[str]:
        """Let them log what is left for LAST_SECONDS or ``seconds``; returns a sentence for each that failed."""
        until = time.monotonic() + (LAST_SECONDS if seconds is None else seconds)
        for _, process, _ in self._running:
            if process.stdin:
                process.stdin.close()
        sentences = []
        for name, process, said in self._running:
            trouble = _ended(process, until, said)
            if trouble:
                sentences.append(
                    f"--log {name}: {trouble}. The run itself is not affected; log the rest "
                    f"with: python -m {MODULE} {self._run} {name}"
                )
            said.close()
        self._running = []
        return sentences


def _ended(process: subprocess.Popen[bytes], until: float, said: IO[bytes]) -> str:
    try:
        code = process.wait(max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # and the processes that its libraries started
        process.wait()
        return "it did not end in time and was stopped"
    if not code:
        return ""
    said.seek(0)
    lines = [line for line in said.read().decode(errors="replace").splitlines() if line.startswith(WORD)]
    return lines[-1].removeprefix(WORD) if lines else f"it exited with code {code}"


def _checked(asked: str | None, storage: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(word.strip() for word in asked.split(",") if word.strip())) if asked else ()
    problems = []
    for name in names:
        if name not in PACKAGES:
            problems.append(
                f"--log {name}: no such logger{did_you_mean(name, PACKAGES, '.')} Loggers: {', '.join(PACKAGES)}"
            )
        elif lacks := why_not_installed(PACKAGES[name]):
            problems.append(
                f"--log {name} needs the package {PACKAGES[name]}, {lacks}: pip install 'synaug-ray[{name}]'"
            )
        elif "://" in storage and not os.environ.get(ELSEWHERE.get(name, "")):
            where = f", or ${ELSEWHERE[name]}" if name in ELSEWHERE else ""
            problems.append(
                f"--log {name} writes beside the run, and {storage} is not a local folder: use one as --storage{where}"
            )
    if asked is not None and not names:
        problems.append(f"--log is empty; loggers: {', '.join(PACKAGES)}, separated by commas")
    if problems:
        raise UsageProblem(problems)
    return names
