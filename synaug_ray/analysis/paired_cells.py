"""Measurements and predictions as arrays: trials by test images, then cells by draws.

Everything downstream works on two kinds of cell. A real-only cell keeps, per draw and test
image, the mean error over classifier seeds. A mixed cell keeps the *paired gain*: real-only
minus mixed at the same draw and seed, so that what both share (the subset, the random
initialisation, the difficulty of a test image) cancels before anything is resampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from synaug_ray.analysis.generation import generation_costs
from synaug_ray.analysis.results import Generation

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
CELL_COLUMNS = ["classifier", "generator", "protocol", "real_share", "num_real", "num_synthetic"]
UNBALANCED = 1.5  # largest over smallest class from which balanced error is judged


class Kind(NamedTuple):
    """What a generator is, whatever it is called."""

    family: str  # edm, real-holdout, jitter ...; its name where the table has no such column
    open_set: bool  # it saw more real images than the cell's own


class StudyKey(NamedTuple):
    """What a law is fitted to: one generator under one protocol and real share, judged by one classifier."""

    classifier: str
    generator: str
    protocol: str
    real_share: str


@dataclass(frozen=True)
class RealCell:
    """Real-only trials of one classifier at one ``num_real``.

    ``errors`` float32 [draws, images] is the mean over seeds of "wrong", NaN where a draw has no trial.
    """

    classifier: str
    num_real: int
    errors: np.ndarray
    trials: int
    seconds: float  # mean cost of one trial: device-seconds where the table has them, else wall


@dataclass(frozen=True)
class MixedCell:
    """Trials with synthetic images at one (study, num_real, num_synthetic).

    ``gains`` float32 [draws, images] is the mean over common seeds of real-only minus mixed
    "wrong", NaN where a draw has no pair. ``errors`` is the mixed trials' own mean error.
    """

    study: StudyKey
    num_real: int
    num_synthetic: int
    gains: np.ndarray
    errors: np.ndarray
    trials: int
    seconds: float
    pool_seconds: float  # mean cost of one draw's generator and of its pool up to this amount

    @property
    def multiple(self) -> float:
        """s: synthetic images per real image."""
        return self.num_synthetic / self.num_real


@dataclass(frozen=True)
class Table:
    """The cells of one grid, and the test images they share.

    ``image_weights`` float64 [images] sums to 1 and turns "wrong" into the error judged;
    ``strata`` int [images] groups the images that are resampled together (the classes for
    balanced error, one group otherwise).
    """

    column: str
    real: tuple[RealCell, ...]
    mixed: tuple[MixedCell, ...]
    draws: tuple[int, ...]
    seeds: tuple[int, ...]
    image_weights: np.ndarray
    strata: np.ndarray
    num_classes: int
    warnings: tuple[str, ...]
    kinds: dict[str, Kind]
    generation: dict[str, tuple[Generation, ...]]  # by generator

    @property
    def images(self) -> int:
        """Number of test images."""
        return len(self.image_weights)


def _mean_of(rows: pd.DataFrame, column: str, otherwise: float) -> float:
    return float(np.mean(rows[column].to_numpy())) if column in rows else otherwise


def _kinds(trials: pd.DataFrame) -> dict[str, Kind]:
    kinds = {}
    for name, rows in trials[trials["num_synthetic"] > 0].groupby("generator"):
        family = rows["family"].tolist()[0] if "family" in rows else name
        saw_more = "trained_on" in rows and bool((rows["trained_on"] > rows["num_real"]).any())
        kinds[str(name)] = Kind(str(family), saw_more or family == "pretrained")
    return kinds


def _require_columns(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")


def _stack(column: pd.Series, name: str) -> np.ndarray:
    lengths = {len(row) for row in column}
    if len(lengths) != 1:
        raise ValueError(f"predictions: rows of {name!r} differ in length, got {sorted(lengths)[:5]}")
    return np.stack([np.asarray(row, dtype=np.int64) for row in column])


def _done_trials(measurements: pd.DataFrame) -> pd.DataFrame:
    _require_columns(measurements, MEASUREMENT_COLUMNS, "measurements")
    trials: Any = measurements[measurements["status"] == "done"].copy()
    if trials.empty:
        raise ValueError("measurements hold no trial with status 'done': nothing to analyse yet")
    if trials["key"].duplicated().any():
        raise ValueError(f"measurements repeat the key {trials.loc[trials['key'].duplicated(), 'key'].iloc[0]}")
    real_only = trials["num_synthetic"] == 0
    trials.loc[real_only, ["generator", "protocol", "real_share"]] = ["none", "real-only", "none"]
    repeated = trials.duplicated([*CELL_COLUMNS, "draw", "seed"])
    if repeated.any():
        row = trials[repeated].iloc[0]
        raise ValueError(
            f"two done trials for {row[[*CELL_COLUMNS, 'draw', 'seed']].to_dict()}; "
            "a trial stands once per cell, draw and seed"
        )
    if (trials["num_real"] <= 0).any():
        raise ValueError(f"num_real must be positive, got {trials['num_real'].min()}")
    if (trials["num_synthetic"] < 0).any():
        raise ValueError(f"num_synthetic must not be negative, got {trials['num_synthetic'].min()}")
    return trials


def _error_matrix(
    trials: pd.DataFrame, predictions: pd.DataFrame, warnings: list[str]
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, int]:
    """Trials that have predictions, "wrong" bool [trials, images], labels [images], classes seen."""
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
            f"trial {trials['key'][row]}: test_error {trials['test_error'][row]:.6f} but its "
            f"predictions are wrong on {wrong[row].mean():.6f} of the test images"
        )
    return kept, wrong, label[0], int(max(label.max(), predicted.max())) + 1


def _image_weights(labels: np.ndarray, balanced: bool | None) -> tuple[str, np.ndarray, np.ndarray]:
    _, strata, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if balanced is None:
        balanced = bool(counts.max() / counts.min() > UNBALANCED)
    if balanced:
        return "balanced_error", 1.0 / (len(counts) * counts[strata]), strata
    return "test_error", np.full(len(labels), 1.0 / len(labels)), np.zeros(len(labels), dtype=np.int64)


def _by_draw_and_seed(rows: Any, wrong: np.ndarray, draws: dict[int, int], seeds: dict[int, int]) -> np.ndarray:
    """float32 [draws, seeds, images], NaN where there is no trial."""
    out = np.full((len(draws), len(seeds), wrong.shape[1]), np.nan, dtype=np.float32)
    out[rows["draw"].map(draws), rows["seed"].map(seeds)] = wrong[rows.index]
    return out


def _seed_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the seeds that are there: [draws, seeds, images] -> [draws, images]."""
    present = ~np.isnan(values[:, :, :1])
    total = np.where(present, values, 0).sum(axis=1)
    count = present.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def read_table(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    num_classes: int | None = None,
    balanced: bool | None = None,
) -> Table:
    """Turn one tidy row per trial and one row of predictions per trial into paired cells.

    Raises ``ValueError`` where the tables contradict themselves: missing columns, repeated keys or
    trials, labels that differ between trials, a ``test_error`` that its predictions do not give.
    Missing and failed trials are not errors: they are left out, with a warning.
    """
    warnings: list[str] = []
    states: Any = measurements["status"] if "status" in measurements.columns else ()
    unfinished = sum(state != "done" for state in states)
    if unfinished:
        warnings.append(f"{unfinished} of {len(measurements)} trials are not done; the rest is analysed.")
    trials, wrong, labels, seen = _error_matrix(_done_trials(measurements), predictions, warnings)
    if num_classes is not None and num_classes < seen:
        raise ValueError(f"num_classes is {num_classes} but the predictions name class {seen - 1}")
    column, image_weights, strata = _image_weights(labels, balanced)
    draws: dict[int, int] = {int(draw): i for i, draw in enumerate(sorted(set(trials["draw"])))}
    seeds = {int(seed): i for i, seed in enumerate(sorted(set(trials["seed"])))}

    baselines: dict[tuple[str, int], np.ndarray] = {}
    real, mixed, unpaired, incomplete = [], [], 0, 0
    grouped: Any = trials.groupby(CELL_COLUMNS, sort=True)
    cells = sorted(grouped.groups, key=lambda cell: (cell[5] > 0, cell))
    for cell in cells:
        classifier, generator, protocol, share, num_real, num_synthetic = cell
        rows = grouped.get_group(cell)
        values = _by_draw_and_seed(rows, wrong, draws, seeds)
        errors, seconds = _seed_mean(values), _mean_of(rows, "cost_seconds", float(rows["seconds"].mean()))
        if num_synthetic == 0:
            baselines[classifier, num_real] = values
            real.append(RealCell(classifier, int(num_real), errors, len(rows), seconds))
            incomplete += len(rows) < len(draws) * len(seeds)
            continue
        baseline = baselines.get((classifier, num_real))
        gains = None if baseline is None else _seed_mean(baseline - values)
        if gains is None or np.isnan(gains[:, 0]).all():
            unpaired += 1
            continue
        incomplete += len(rows) < len(draws) * len(seeds)
        key = StudyKey(classifier, generator, protocol, str(share))
        mixed.append(
            MixedCell(
                key,
                int(num_real),
                int(num_synthetic),
                gains,
                errors,
                len(rows),
                seconds,
                _mean_of(rows, "pool_cost_seconds", 0.0),
            )
        )
    if unpaired:
        warnings.append(f"{unpaired} cells have no real-only trial of the same draw and seed and are left out.")
    if incomplete:
        warnings.append(f"{incomplete} cells miss some draws or seeds; each is judged on the pairs it has.")
    return Table(
        column,
        tuple(real),
        tuple(mixed),
        tuple(draws),
        tuple(seeds),
        image_weights,
        strata,
        num_classes or seen,
        tuple(warnings),
        _kinds(trials),
        generation_costs(trials),
    )
