"""Trials averaged into cells: the arrays on which everything downstream is based.

There are two kinds of cell. A real-only cell has, for each draw and test image, the mean error over
classifier seeds. A mixed cell has the *paired gain*: real-only minus mixed at the same draw and
seed, so that what both share (the subset, the random initialisation, the difficulty of a test
image) cancels before anything is resampled. Real-only draws without synthetic images correct it
(``extra_draws``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.cells.extra_draws import Pairs, Slope, corrected, fixed_share, slope_of
from synaug_ray.analysis.generators import Kind, Made, generation_costs, kinds, makings
from synaug_ray.analysis.results import Generation
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.analysis.trials import (
    CELL_COLUMNS,
    checked_trials,
    failed_draws,
    image_groups,
    image_weights,
    wrong_answers,
)
from synaug_ray.common.text import counted


@dataclass(frozen=True)
class RealCell:
    """Real-only trials of one classifier at one ``num_real``."""

    classifier: str
    num_real: int
    errors: np.ndarray  # "wrong", averaged over seeds, float32 [draws, images]; NaN for a draw without a trial
    trials: int
    seconds: float  # mean cost of one trial: device-seconds if the table has them, else wall time


@dataclass(frozen=True, kw_only=True)
class MixedCell:
    """Trials with synthetic images at one (study, num_real, num_synthetic)."""

    study: StudyKey
    num_real: int
    num_synthetic: int
    gains: (
        np.ndarray
    )  # real-only minus mixed "wrong", averaged over common seeds, float32 [draws, images]; NaN: no pair
    errors: np.ndarray  # "wrong" of the mixed trials, averaged over seeds, float32 [draws, images]
    trials: int
    seconds: float  # mean cost of one trial
    pool_seconds: float  # mean cost of one draw's generator, and of its pool up to this amount
    failed: int = 0  # draws that are missing because their generator failed
    uncorrected: np.ndarray | None = None  # the gains before further real-only draws corrected them; None: they did not
    fixed: float = 0.0  # the share of the gain's variance between draws that further synthetic draws would not lower

    @property
    def paired(self) -> np.ndarray:
        """The uncorrected gains, for differences between gains: what real-only trials have in common cancels there."""
        return self.gains if self.uncorrected is None else self.uncorrected

    @property
    def multiple(self) -> float:
        """s: synthetic images per real image; infinite without real ones."""
        return self.num_synthetic / self.num_real if self.num_real else math.inf


@dataclass(frozen=True, kw_only=True)
class PairedCells:
    """The cells of one grid, and the test images that they share."""

    error: str  # the column that is analysed, test_error or balanced_error
    real: tuple[RealCell, ...]
    mixed: tuple[MixedCell, ...]
    draws: tuple[int, ...]
    seeds: tuple[int, ...]
    image_weights: np.ndarray  # float64 [images], summing to 1: the weights with which "wrong" gives ``error``
    strata: np.ndarray  # int [images]; images are resampled within strata (the classes, for balanced error)
    num_classes: int
    warnings: tuple[str, ...]
    kinds: dict[str, Kind]  # by generator
    generation: dict[str, tuple[Generation, ...]]  # by generator
    groups: np.ndarray | None = None  # int [images]; images of a group (a patient) are not independent of each other
    makings: dict[tuple[str, int], Made] = field(default_factory=dict)  # by generator and num_real
    alone: tuple[MixedCell, ...] = ()  # without real images, and so without a real-only cell: their gains are NaN
    chance_error: float | None = None  # ``error`` of the best answer that looks at no image: always the same class
    slopes: dict[StudyKey, Slope] = field(default_factory=dict)  # with which further real-only draws correct gains

    @property
    def synthetic_draws(self) -> int:
        """The number of draws that have synthetic images; of all draws if none has."""
        there = [~np.isnan(cell.errors[:, 0]) for cell in (*self.mixed, *self.alone)]
        return int(np.any(there, axis=0).sum()) if there else len(self.draws)

    @property
    def images(self) -> int:
        """The number of test images."""
        return len(self.image_weights)


def _mean_of(rows: pd.DataFrame, column: str, otherwise: float) -> float:
    return float(np.mean(rows[column].to_numpy())) if column in rows else otherwise


def _by_draw_and_seed(rows: Any, wrong: np.ndarray, draws: dict[int, int], seeds: dict[int, int]) -> np.ndarray:
    """``wrong`` as float32 [draws, seeds, images]; NaN if there is no trial."""
    out = np.full((len(draws), len(seeds), wrong.shape[1]), np.nan, dtype=np.float32)
    out[rows["draw"].map(draws), rows["seed"].map(seeds)] = wrong[rows.index]
    return out


def _has_gaps(rows: Any, draws: dict[int, int]) -> bool:
    """Whether a cell lacks trials within its draws: that it has only the first ones may be by design."""
    seeds = rows.groupby("draw").size()
    return len(seeds) != 1 + max(draws[int(draw)] for draw in seeds.index) or seeds.nunique() > 1


def _seed_mean(values: np.ndarray) -> np.ndarray:
    """The mean over existing seeds: [draws, seeds, images] -> [draws, images]."""
    present = ~np.isnan(values[:, :, :1])
    total = np.where(present, values, 0).sum(axis=1)
    count = present.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _with_extra_draws(
    mixed: Sequence[MixedCell], real: Sequence[RealCell], weights: np.ndarray
) -> tuple[list[MixedCell], dict[StudyKey, Slope]]:
    """The cells with corrected gains, and the slope of each study."""
    errors = {(cell.classifier, cell.num_real): cell.errors for cell in real}
    found: list[MixedCell] = list(mixed)
    slopes: dict[StudyKey, Slope] = {}
    for study in sorted({cell.study for cell in mixed}):
        index = [i for i, cell in enumerate(mixed) if cell.study == study]
        pairs = [Pairs(mixed[i].num_real, mixed[i].gains, errors[study.classifier, mixed[i].num_real]) for i in index]
        slopes[study] = slope = slope_of(pairs, weights)
        for i, pair in zip(index, pairs, strict=True):
            if slope.value and pair.extra:
                more = {"uncorrected": pair.gains, "fixed": fixed_share(pair, weights, slope)}
                found[i] = replace(found[i], gains=corrected(pair, weights, slope), **more)
    return found, slopes


def _failure_warnings(failed: dict[tuple[Any, ...], set[int]], mixed: Sequence[MixedCell]) -> list[str]:
    """Which generators failed, how often, and at which sizes all of them failed."""
    there = {(cell.study.generator, cell.num_real): cell for cell in mixed}
    said = {}
    for (_, generator, _, _, num_real, _), draws in failed.items():
        cell = there.get((str(generator), int(num_real)))
        if cell is None:
            said[generator, num_real] = f"{generator} at {num_real:,} real images: none of {len(draws)} trained"
        elif cell.failed:
            seen = cell.gains if cell.num_real else cell.errors
            tried = cell.failed + int((~np.isnan(seen[:, 0])).sum())
            said[generator, num_real] = f"{generator} at {num_real:,} real images: {cell.failed} of {tried} failed"
    if not said:
        return []
    return [f"Generators failed ({'; '.join(said.values())}). Verdicts are about those that did not."]


def pair_cells(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    num_classes: int | None = None,
    balanced: bool | None = None,
) -> PairedCells:
    """Turn one row per trial, and one row of predictions per trial, into paired cells.

    Missing and failed trials are left out, with a warning.

    Raises:
        ValueError: if the tables are inconsistent: missing columns, repeated keys or trials, labels that differ between
            trials, or a ``test_error`` that differs from that of its predictions.
    """
    warnings: list[str] = []
    states: Any = measurements["status"] if "status" in measurements.columns else ()
    unfinished, failed = sum(state != "done" for state in states), failed_draws(measurements)
    if unfinished:
        warnings.append(f"{unfinished} of {len(measurements)} trials are not done; the analysis uses the others.")
    trials, wrong, labels, seen = wrong_answers(checked_trials(measurements), predictions, warnings)
    if num_classes is not None and num_classes < seen:
        raise ValueError(f"num_classes is {num_classes}, but class {seen - 1} occurs in the predictions")
    error, weights, strata = image_weights(labels, balanced)
    draws: dict[int, int] = {int(draw): i for i, draw in enumerate(sorted(set(trials["draw"])))}
    seeds = {int(seed): i for i, seed in enumerate(sorted(set(trials["seed"])))}

    real_only: dict[tuple[str, int], np.ndarray] = {}
    real, mixed, alone, unpaired, incomplete = [], [], [], 0, 0
    grouped: Any = trials.groupby(CELL_COLUMNS, sort=True)
    cells = sorted(grouped.groups, key=lambda cell: (cell[5] > 0, cell))
    for cell in cells:
        classifier, generator, protocol, share, num_real, num_synthetic = cell
        rows = grouped.get_group(cell)
        values = _by_draw_and_seed(rows, wrong, draws, seeds)
        errors, seconds = _seed_mean(values), _mean_of(rows, "cost_seconds", float(rows["seconds"].mean()))
        if num_synthetic == 0:
            real_only[classifier, num_real] = values
            real.append(RealCell(classifier, int(num_real), errors, len(rows), seconds))
            incomplete += _has_gaps(rows, draws)
            continue
        partner = real_only.get((classifier, num_real)) if num_real else np.full_like(values, np.nan)
        gains = None if partner is None else _seed_mean(partner - values)
        if gains is None or num_real and np.isnan(gains[:, 0]).all():
            unpaired += 1
            continue
        incomplete += _has_gaps(rows, draws)
        (mixed if num_real else alone).append(
            MixedCell(
                study=StudyKey(classifier, generator, protocol, str(share)),
                num_real=int(num_real),
                num_synthetic=int(num_synthetic),
                gains=gains,
                errors=errors,
                trials=len(rows),
                seconds=seconds,
                pool_seconds=_mean_of(rows, "pool_cost_seconds", 0.0),
                failed=len(failed.get(cell, set()) - set(rows["draw"])),
            )
        )
    mixed, slopes = _with_extra_draws(mixed, real, weights)
    warnings += _failure_warnings(failed, [*mixed, *alone])
    if unpaired:
        left = (
            "has no real-only trial with the same draw and seed and is"
            if unpaired == 1
            else ("have no real-only trial with the same draw and seed and are")
        )
        warnings.append(f"{counted(unpaired, 'cell')} {left} left out.")
    if incomplete:
        lack = "lacks some draws or seeds and is" if incomplete == 1 else "lack some draws or seeds; each is"
        warnings.append(f"{counted(incomplete, 'cell')} {lack} analysed with the pairs that it has.")
    return PairedCells(
        error=error,
        real=tuple(real),
        mixed=tuple(mixed),
        draws=tuple(draws),
        seeds=tuple(seeds),
        image_weights=weights,
        strata=strata,
        num_classes=num_classes or seen,
        warnings=tuple(warnings),
        kinds=kinds(trials),
        generation=generation_costs(trials),
        groups=image_groups(predictions),
        makings=makings(trials),
        alone=tuple(alone),
        chance_error=float(1 - np.bincount(labels, weights=weights).max()),
        slopes=slopes,
    )
