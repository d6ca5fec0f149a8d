"""Weights & Biases behind Ray's logger interface, in this process.

Ray's own WandbLoggerCallback starts two actors for each trial (2 to 4 s of a core), which suits trials of minutes.
"""

from __future__ import annotations

from typing import Any

import wandb  # pyright: ignore[reportMissingImports]  # an extra
from ray.tune.logger import LoggerCallback


class WandbCallback(LoggerCallback):
    """A W&B run for each trial; $WANDB_MODE says whether anything leaves the machine."""

    def __init__(self, project: str, group: str, folder: str) -> None:
        self._project, self._group, self._folder = project, group, folder
        self._open: dict[Any, Any] = {}

    def log_trial_start(self, trial: Any) -> None:
        # of this process and machine nothing is told: no command line, no host, no code, no output
        quiet = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            save_code=False,
            x_disable_meta=True,
            x_disable_stats=True,
        )
        self._open[trial] = wandb.init(
            project=self._project,
            group=self._group,
            dir=self._folder,
            id=trial.trial_id,
            name=str(trial),
            config=trial.config,
            resume="allow",
            settings=quiet,
        )

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        self._open[trial].log({k: v for k, v in result.items() if k != "training_iteration"})

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        self._open.pop(trial).finish(exit_code=int(failed))

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        wandb.teardown()
