"""``python -m synaug_ray.runs.log_trials RUN LOGGER``: log each finished Trial of a run, once.

In a process of its own, so that a slow or broken logger cannot hold up the run.
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
from typing import Any, Protocol

import pandas as pd

from synaug_ray.common.cli import Parser, run_command
from synaug_ray.common.errors import BUG, DONE, Problem
from synaug_ray.common.text import one_line
from synaug_ray.runs.loggers import ELSEWHERE, PACKAGES, WORD
from synaug_ray.runs.run import RunStatus
from synaug_ray.runs.status import read_run_status
from synaug_ray.runs.tables import COSTS, MEASURED, measurements

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
NOTE_SECONDS = 2.0  # between notes of what is logged: a logger that is killed logs what came after the last one twice
SECRET = re.compile("KEY|TOKEN|PASS|SECRET|CREDENTIAL", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class FinishedTrial:
    """What is logged of a finished Trial."""

    key: str
    name: str
    labels: dict[str, Any]
    measured: dict[str, float]  # errors are fractions, nll in nats, times in seconds

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> FinishedTrial:
        """From its row of the measurement table."""
        name = (
            f"{row['generator']}-n{row['num_real']}-s{row['num_synthetic']}-{row['real_share']}"
            f"-d{row['draw']}-{row['seed']}-{row['key'][:8]}"
        )
        measured = {name: row[name] for name in (*MEASURED, *TIMED) if math.isfinite(row[name])}
        return cls(row["key"], name, {name: row[name] for name in LABELS}, measured)


class Logger(Protocol):
    """Where finished trials are logged, a run of the logger each."""

    def log(self, trial: FinishedTrial) -> None:
        """Log one trial, whole."""

    def close(self) -> None:
        """Write what is left."""


class TensorBoard:
    """An event file for each trial: its measurements as scalars, its labels as hyperparameters."""

    def __init__(self, folder: str) -> None:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        self._folder, self._open, self._hparams = folder, SummaryWriter, hparams

    def log(self, trial: FinishedTrial) -> None:
        path = f"{self._folder}/{trial.name}"
        os.makedirs(path, exist_ok=True)
        scalars = {f"ray/tune/{name}": value for name, value in trial.measured.items()}  # tags of runs logged before
        with self._open(path) as writer:
            for tag, value in scalars.items():
                writer.add_scalar(tag, value, global_step=1)
            assert writer.file_writer is not None  # it is open
            for summary in self._hparams(hparam_dict=trial.labels, metric_dict=scalars):
                writer.file_writer.add_summary(summary)

    def close(self) -> None:
        """Nothing is left."""


class MLflow:
    """A run for each trial, in an experiment of the grid run's name: measurements as metrics, labels as parameters."""

    def __init__(self, tracking_uri: str, experiment: str) -> None:
        import mlflow  # pyright: ignore[reportMissingImports]  # an extra
        from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]

        self._metric, self._param = Metric, Param
        self._client = mlflow.MlflowClient(tracking_uri)
        known = self._client.get_experiment_by_name(experiment)
        self._experiment = self._client.create_experiment(experiment) if known is None else known.experiment_id

    def log(self, trial: FinishedTrial) -> None:
        run = self._client.create_run(self._experiment, tags={"trial_name": trial.name}, run_name=trial.name)
        now = int(time.time() * 1000)
        metrics = [self._metric(name, value, now, 1) for name, value in trial.measured.items()]
        params = [self._param(name, str(value)) for name, value in trial.labels.items()]
        self._client.log_batch(run.info.run_id, metrics, params)
        self._client.set_terminated(run.info.run_id, "FINISHED")

    def close(self) -> None:
        """Nothing is left."""


class WeightsAndBiases:
    """A run for each trial, grouped by the grid run; $WANDB_MODE says whether anything leaves the machine."""

    def __init__(self, project: str, group: str, folder: str) -> None:
        os.environ.setdefault("WANDB_MODE", "offline")
        import wandb  # pyright: ignore[reportMissingImports]  # an extra

        self._wandb, self._project, self._group, self._folder = wandb, project, group, folder

    def log(self, trial: FinishedTrial) -> None:
        # nothing of this process or machine is sent: no command line, no host, no code, no output
        quiet = self._wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            save_code=False,
            x_disable_meta=True,
            x_disable_stats=True,
        )
        run = self._wandb.init(
            project=self._project,
            group=self._group,
            dir=self._folder,
            id=trial.key[:16],
            name=trial.name,
            config=trial.labels,
            resume="allow",
            settings=quiet,
        )
        run.log(trial.measured)
        run.finish()

    def close(self) -> None:
        self._wandb.teardown()


def open_logger(name: str, run: str, folder: str) -> Logger:
    """The logger of a name.

    Args:
        run: the name of the grid's run.
        folder: for what it writes, unless the logger's own environment variables say where.
    """
    os.makedirs(folder, exist_ok=True)
    where = os.environ.get(ELSEWHERE.get(name, ""))
    if name == "tensorboard":
        return TensorBoard(f"{folder}/tensorboard")
    if name == "mlflow":
        return MLflow(where or f"sqlite:///{folder}/mlflow.db", run)
    return WeightsAndBiases(os.environ.get("WANDB_PROJECT", "synaug_ray"), run, where or folder)


def log(run: RunStatus, name: str, ended: Callable[[], bool]) -> None:
    """Log every finished trial that is not logged yet.

    Args:
        ended: whether the run has ended; waits a little each time it is called. Until then, new trials are looked for.
    """
    logger = open_logger(name, run.name, f"{run.folder.root}/logs")
    note = f"logs/{name}.json"
    logged, noted = set(json.loads(run.folder.read(note) or b"[]")), time.monotonic()
    try:
        last = False
        while not last:
            last = ended()  # asked before the listing, so that the last trial is not missed
            for trial in _new(run, logged):
                logger.log(trial)
                logged.add(trial.key)
                if time.monotonic() - noted > NOTE_SECONDS:
                    run.folder.write_json(note, sorted(logged))
                    noted = time.monotonic()
        logger.close()
    finally:
        run.folder.write_json(note, sorted(logged))


def _new(run: RunStatus, logged: set[str]) -> Iterator[FinishedTrial]:
    todo = run.store.keys("trial") - logged
    rows = {row.trial.key: row for row in reversed(run.plan.rows) if row.trial.key in todo}
    if rows:
        table = measurements(run.spec, dataclasses.replace(run.plan, rows=tuple(reversed(rows.values()))), run.store)
        for row in pd.DataFrame(table[table["status"] == "done"]).to_dict("records"):
            yield FinishedTrial.of_row({str(k): v for k, v in row.items()})


def _run_ended() -> bool:
    return bool(
        select.select([sys.stdin], [], [], POLL_SECONDS)[0]
    )  # nothing is ever written to it: readable means closed


def without_secrets(text: str) -> str:
    """A library's message on one line, without the values of secret environment variables and passwords in URLs."""
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) > 3:
            text = text.replace(value, "***")
    return re.sub(r"://[^/\s@]+@", "://***@", one_line(text))[:300]


def main(argv: Sequence[str] | None = None) -> int:
    """Parse and log; returns the exit code."""
    parser: argparse.ArgumentParser = Parser(
        prog="python -m synaug_ray.runs.log_trials",
        allow_abbrev=False,
        description="Log each finished trial of a run, once, as a run of the logger: its labels and measurements.",
    )
    parser.add_argument("run", metavar="RUN", help="path or URL of a run's folder, <storage>/<run>")
    parser.add_argument("logger", choices=sorted(PACKAGES))
    parser.add_argument("--follow", action="store_true", help="continue until the standard input closes")
    try:
        args = parser.parse_args(argv)
        os.nice(10)  # before the heavy imports: the run comes first
        log(read_run_status(args.run), args.logger, _run_ended if args.follow else lambda: True)
    except (
        Exception
    ) as error:  # of any kind, from a library or a server: one line says why, and the rest can be logged later
        said = str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
        print(f"{WORD}{without_secrets(said)}", file=sys.stderr)
        return error.exit_code if isinstance(error, Problem) else BUG
    return DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
