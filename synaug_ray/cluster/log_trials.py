"""``python -m synaug_ray.cluster.log_trials RUN LOGGER``: each finished Trial of a run into a logger, once.

Through Ray's own callbacks where they fit. They are handed Trials, one at a time, and not Tune's trials, which are
packs here; and in a process of its own, because Tune calls its callbacks in the loop that hands out work.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import re
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd

from synaug_ray.common.cli import Parser
from synaug_ray.common.errors import BUG, DONE, Problem
from synaug_ray.common.text import one_line
from synaug_ray.runs.loggers import ELSEWHERE, PACKAGES, WORD
from synaug_ray.runs.run import RunStatus
from synaug_ray.runs.status import read_run_status
from synaug_ray.runs.tables import COSTS, MEASURED, measurements
from synaug_ray.store.run_folder import RunFolder

LABELS = (
    "generator",
    "family",
    "num_real",
    "num_synthetic",
    "synthetic_multiple",
    "real_share",
    "protocol",
    "classifier",
    "draw",
    "seed",
    "trained_on",
)
TIMED = ("cost_seconds", *COSTS)
POLL_SECONDS = 3.0
NOTE_SECONDS = 2.0  # between notes of what is logged: a logger that is killed may log that much twice
SECRET = re.compile("KEY|TOKEN|PASS|SECRET|CREDENTIAL", re.IGNORECASE)


class Measured:
    """A finished Trial, in the shape in which Ray's callbacks want a trial of Tune's."""

    def __init__(self, row: dict[str, Any], folder: str) -> None:
        self.key, self.trial_id = row["key"], row["key"][:16]
        self.config = self.evaluated_params = {name: row[name] for name in LABELS}
        self.result = {name: row[name] for name in (*MEASURED, *TIMED) if math.isfinite(row[name])}
        self._name = (
            f"{row['generator']}-n{row['num_real']}-s{row['num_synthetic']}-{row['real_share']}"
            f"-d{row['draw']}-{row['seed']}-{row['key'][:8]}"
        )
        self.local_path = f"{folder}/{self._name}"

    def init_local_path(self) -> None:
        os.makedirs(self.local_path, exist_ok=True)

    def __str__(self) -> str:
        return self._name


def callback_of(name: str, run: str, folder: str) -> Any:
    """Ray's callback for a logger.

    Args:
        folder: for what it writes, unless its own environment variables say where.
    """
    os.makedirs(folder, exist_ok=True)
    where = os.environ.get(ELSEWHERE.get(name, ""))
    if name == "tensorboard":
        from ray.tune.logger import TBXLoggerCallback

        return TBXLoggerCallback()
    if name == "mlflow":
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        return MLflowLoggerCallback(tracking_uri=where or f"sqlite:///{folder}/mlflow.db", experiment_name=run)
    from synaug_ray.cluster.wandb_callback import WandbCallback

    os.environ.setdefault("WANDB_MODE", "offline")
    return WandbCallback(os.environ.get("WANDB_PROJECT", "synaug_ray"), run, where or folder)


def log(run: RunStatus, folder: RunFolder, name: str, ended: Callable[[], bool]) -> None:
    """Log what is done and not logged yet; again until ``ended``, which waits a little each time it is asked."""
    there = f"{folder.root}/logs"
    callback = callback_of(name, run.name, there)
    callback.setup()
    note = f"logs/{name}.json"
    logged, noted = set(json.loads(folder.read(note) or b"[]")), time.monotonic()
    try:
        last = False
        while not last:
            last = ended()  # asked before the listing, so that the last trial is not missed
            for trial in _new(run, logged, f"{there}/{name}"):
                callback.log_trial_start(trial)
                callback.log_trial_result(1, trial, trial.result | {"training_iteration": 1})
                callback.log_trial_end(trial)
                logged.add(trial.key)
                if time.monotonic() - noted > NOTE_SECONDS:
                    folder.write_json(note, sorted(logged))
                    noted = time.monotonic()
        callback.on_experiment_end([])
    finally:
        folder.write_json(note, sorted(logged))


def _new(run: RunStatus, logged: set[str], folder: str) -> Iterator[Measured]:
    todo = run.store.keys("trial") - logged
    rows = {row.trial.key: row for row in reversed(run.plan.rows) if row.trial.key in todo}
    if rows:
        table = measurements(run.spec, dataclasses.replace(run.plan, rows=tuple(reversed(rows.values()))), run.store)
        for row in pd.DataFrame(table[table["status"] == "done"]).to_dict("records"):
            yield Measured({str(k): v for k, v in row.items()}, folder)


def _run_ended() -> bool:
    return bool(select.select([sys.stdin], [], [], POLL_SECONDS)[0])  # readable: nobody writes to it, so it is closed


def without_secrets(text: str) -> str:
    """A library's words in one line, without what the environment calls a secret, and without passwords in URLs."""
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) > 3:
            text = text.replace(value, "***")
    return re.sub(r"://[^/\s@]+@", "://***@", one_line(text))[:300]


def main(argv: Sequence[str] | None = None) -> int:
    """Parse and log; returns the exit code."""
    parser: argparse.ArgumentParser = Parser(
        prog="python -m synaug_ray.cluster.log_trials",
        allow_abbrev=False,
        description="Log each finished trial of a run, once, as a run of the logger: its labels and measurements.",
    )
    parser.add_argument("run", metavar="RUN", help="path or URL of a run's folder, <storage>/<run>")
    parser.add_argument("logger", choices=sorted(PACKAGES))
    parser.add_argument("--follow", action="store_true", help="go on until the standard input closes")
    try:
        args = parser.parse_args(argv)
        os.nice(10)  # before the heavy imports: the run comes first
        run = read_run_status(args.run)
        storage, _, name = args.run.rstrip("/").rpartition("/")
        log(run, RunFolder(storage or ".", name), args.logger, _run_ended if args.follow else lambda: True)
    except Exception as error:  # of a library or a server, of any kind: in a line, and the rest is logged another time
        said = str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
        print(f"{WORD}{without_secrets(said)}", file=sys.stderr)
        return error.exit_code if isinstance(error, Problem) else BUG
    return DONE


if __name__ == "__main__":
    sys.exit(main())
