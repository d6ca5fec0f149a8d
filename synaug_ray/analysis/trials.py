"""Checks of a run's tables, and the done trials with the test images that each of them got wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.study_key import STUDY
from synaug_ray.config.cells import TRAINING_CHECK
from synaug_ray.config.protocols import JOINT

MEASUREMENT_COLUMNS = (
    "key",
    "status",
    "num_real",
    "num_synthetic",
    "draw",
    "seed",
    "generator",
    "classifier",
    "protocol",
    "real_share",
    "test_error",
    "seconds",
)
PREDICTION_COLUMNS = ("key", "label", "predicted")
STAGES = ("stage_one", "stages_key")  # optional: of protocols in two stages, what the first sees, and their options
LEEP = "leep"  # optional: of stage one of bridged trials
JOINT_ARM = ("joint_arm", "joint_key")  # optional: what the head of protocol joint learnt from, and its controls' key
HEAD_NOTES = ("fakes_selected", "weight_real", "weight_fakes")  # optional: of these heads' training
GROUP = "group"  # optional: the group of each test image, such as its patient
CELL_COLUMNS = [*STUDY, "num_real", "num_synthetic"]
REAL_ONLY = ["classifier", "num_real", "draw", "seed"]  # what tells the real-only trial that a trial is paired with
GENERATOR_FAILURES = ("diverged", "collapsed")  # causes that are due to the generator, not to the machine
UNBALANCED = 1.5  # ratio of the largest to the smallest class above which the balanced error is analysed


def _require_columns(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")


def _stack(column: pd.Series, name: str) -> np.ndarray:
    lengths = {len(row) for row in column}
    if len(lengths) != 1:
        raise ValueError(f"predictions: rows of {name!r} differ in length, got {sorted(lengths)[:5]}")
    return np.stack([np.asarray(row, dtype=np.int64) for row in column])


def judged(measurements: pd.DataFrame) -> pd.DataFrame:
    """The trials that laws and verdicts count: without the training check, controls in two stages, and protocol joint.

    Those controls see real images alone, and are no real-only training; nor is a head that was trained with a generator
    any mixture.
    """
    kept = pd.Series(True, index=measurements.index)
    if "protocol" in measurements.columns:
        kept &= ~measurements["protocol"].isin([TRAINING_CHECK, JOINT])
    if STAGES[0] in measurements.columns:
        kept &= measurements[STAGES[0]] != "real"
    return measurements if kept.all() else pd.DataFrame(measurements[kept]).reset_index(drop=True)


def checked_trials(measurements: pd.DataFrame) -> pd.DataFrame:
    """The done trials that are counted, one row each; real-only ones have no generator name.

    Raises:
        ValueError: for missing columns, repeated keys or trials, impossible counts, or if no trial is done.
    """
    _require_columns(measurements, MEASUREMENT_COLUMNS, "measurements")
    measurements = judged(measurements)
    trials: Any = measurements[measurements["status"] == "done"].copy()
    if trials.empty:
        raise ValueError("measurements contain no trial with status 'done': nothing to analyse yet")
    real_only = trials["num_synthetic"] == 0
    trials.loc[real_only, ["generator", "protocol", "real_share"]] = ["none", "real-only", "none"]
    again = trials.duplicated(["key", *CELL_COLUMNS])  # one trial may measure cells of two studies
    if again.any():
        raise ValueError(f"measurements repeat the key {trials.loc[again, 'key'].iloc[0]}")
    repeated = trials.duplicated([*CELL_COLUMNS, "draw", "seed"])
    if repeated.any():
        row = trials[repeated].iloc[0]
        raise ValueError(
            f"two done trials for {row[[*CELL_COLUMNS, 'draw', 'seed']].to_dict()}; "
            "there must be one per cell, draw and seed"
        )
    for name in ("num_real", "num_synthetic"):
        if (trials[name] < 0).any():
            raise ValueError(f"{name} must not be negative, got {trials[name].min()}")
    if (trials["num_real"] + trials["num_synthetic"] == 0).any():
        raise ValueError("num_real must be positive in trials without synthetic images, got 0")
    return trials


def wrong_answers(
    trials: pd.DataFrame, predictions: pd.DataFrame, warnings: list[str]
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, int]:
    """The trials with predictions; "wrong", bool [trials, images]; labels, int64 [images]; the number of classes seen.

    Raises:
        ValueError: if the predictions are inconsistent, or differ from the trials' ``test_error``.
    """
    _require_columns(predictions, PREDICTION_COLUMNS, "predictions")
    known: Any = trials["key"].isin(predictions["key"])
    if not known.any():
        raise ValueError("no done trial of the measurements has a row in the predictions")
    if not known.all():
        warnings.append(f"{int((~known).sum())} done trials have no predictions and are left out.")
    kept: Any = trials[known].reset_index(drop=True)
    if predictions["key"].duplicated().any():
        raise ValueError("predictions repeat a key")
    rows: Any = predictions.set_index("key").loc[kept["key"]]
    label, predicted = _stack(rows["label"], "label"), _stack(rows["predicted"], "predicted")
    if label.shape != predicted.shape:
        raise ValueError(
            f"predictions: label and predicted must have the same length, got {label.shape[1]} and {predicted.shape[1]}"
        )
    if not (label == label[0]).all():
        raise ValueError("predictions: the labels differ between trials; all must share one test set in one order")
    wrong = label != predicted
    gap = np.abs(wrong.mean(axis=1) - kept["test_error"].to_numpy(float))
    if np.nanmax(gap, initial=0.0) > 0.5 / wrong.shape[1]:
        row = int(np.nanargmax(gap))
        raise ValueError(
            f"trial {kept['key'][row]}: test_error {kept['test_error'][row]:.6f} but its "
            f"predictions are wrong on {wrong[row].mean():.6f} of the test images"
        )
    return kept, wrong, label[0], int(max(label.max(), predicted.max())) + 1


def failed_draws(measurements: pd.DataFrame) -> dict[tuple[Any, ...], set[int]]:
    """By cell, the draws whose trials are ``blocked`` because their generator failed, by a ``cause`` of its own."""
    if not {"status", "cause", *CELL_COLUMNS, "draw"} <= set(measurements.columns):
        return {}
    rows: Any = measurements[(measurements["status"] == "blocked") & measurements["cause"].isin(GENERATOR_FAILURES)]
    return {cell: set(map(int, of["draw"])) for cell, of in rows.groupby(CELL_COLUMNS, sort=True)}


def image_groups(predictions: pd.DataFrame) -> np.ndarray | None:
    """The group (such as a patient) of each test image, int64 [images] from 0; None if the table has no groups.

    Raises:
        ValueError: if the groups differ between trials, or their number is not that of the images.
    """
    if GROUP not in predictions.columns:
        return None
    column: Any = predictions[GROUP]
    groups = _stack(column, GROUP)
    if not (groups == groups[0]).all():
        raise ValueError("predictions: the groups differ between trials; all must share one test set in one order")
    if groups.shape[1] != len(predictions["label"].iloc[0]):
        raise ValueError(
            f"predictions: group and label must have the same length, got {groups.shape[1]} and "
            f"{len(predictions['label'].iloc[0])}"
        )
    return np.unique(groups[0], return_inverse=True)[1].astype(np.int64)


def image_weights(labels: np.ndarray, balanced: bool | None) -> tuple[str, np.ndarray, np.ndarray]:
    """The column to analyse, the weights of images that give it (float64 [images]), and strata (int [images]).

    ``balanced=None`` means balanced error if the largest class has more than ``UNBALANCED`` times as many images as the
    smallest.
    """
    _, strata, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if balanced is None:
        balanced = bool(counts.max() / counts.min() > UNBALANCED)
    if balanced:
        return "balanced_error", 1.0 / (len(counts) * counts[strata]), strata
    return "test_error", np.full(len(labels), 1.0 / len(labels)), np.zeros(len(labels), dtype=np.int64)
