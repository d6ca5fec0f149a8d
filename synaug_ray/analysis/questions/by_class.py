"""Errors and gains of each class; for two classes also sensitivity, specificity and AUC, as needed in medicine.

Each number is a mean over draws (of means over seeds). Its interval uses Student's t over draws, with a variance of two
parts: that between draws, and that of the test images, which all draws share. Unlike the intervals of verdicts, these
hold for each number alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from synaug_ray.analysis.study_key import STUDY
from synaug_ray.analysis.trials import CELL_COLUMNS, judged

COLUMNS = (
    *CELL_COLUMNS,
    "measure",
    "class",
    "value",
    "low",
    "high",
    "gain",
    "gain_low",
    "gain_high",
    "test_images",
    "shown",
)


def by_class(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    classes: Sequence[str] = (),
    confidence: float = 0.9,
    shown: Mapping[tuple[str, int], Mapping[int, float]] = MappingProxyType({}),
) -> pd.DataFrame:
    """One row per cell and measure, in fractions; ``gain`` is relative to the real-only cell, positive if better.

    Args:
        measurements: one row per trial; those that are not done are left out.
        predictions: one row per trial, with ``key``, ``label``, ``predicted`` and ``probability`` (of the true class),
            the last three [T].
        classes: their names; numbers are used for missing ones. The second of two is the positive class.
        shown: by generator and real images that it saw, the share of its images of a class that show it.
    """
    counted = judged(measurements)
    known: Any = counted[(counted["status"] == "done") & counted["key"].isin(predictions["key"].tolist())]
    if known.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    told = predictions.set_index("key")
    label = np.asarray(told["label"].iloc[0], dtype=np.int64)
    cells: dict[tuple[Any, ...], dict[int, list[str]]] = {}
    saw: dict[tuple[Any, ...], tuple[str, int]] = {}
    for row in known.to_dict("records"):
        real_only = row["num_synthetic"] == 0
        study = (row["classifier"], *(("none",) * 3 if real_only else (row[k] for k in STUDY[1:])))
        at = (*study, int(row["num_real"]), int(row["num_synthetic"]))
        saw[at] = (str(row["generator"]), int(row.get("trained_on") or row["num_real"]))
        cells.setdefault(at, {}).setdefault(int(row["draw"]), []).append(str(row["key"]))
    made = {at: _components(told, label, draws) for at, draws in cells.items()}
    rows = []
    for at, own in made.items():
        base = made.get((at[0], "none", "none", "none", at[4], 0)) if at[5] else None
        for (measure, k), (by_draw, parts) in own.items():
            value = _estimate(list(by_draw.values()), parts, confidence)
            gain: tuple[float | None, ...] = (None, None, None)
            if base is not None:
                theirs, their_parts = base[measure, k]
                sign = -1.0 if "error" in measure else 1.0
                both = [d for d in by_draw if d in theirs]
                if both:
                    apart = [sign * (by_draw[d] - theirs[d]) for d in both]
                    pairs = [sign * (a - b) for a, b in zip(parts, their_parts, strict=True)]
                    gain = _estimate(apart, pairs, confidence)
            images = int((label == k).sum()) if k >= 0 else len(label)
            seen = shown.get(saw[at], {}).get(k) if measure == "error" and at[5] else None
            rows.append((*at, measure, _name(classes, k), *value, *gain, images, seen))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def auc(score: np.ndarray, positive: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The area under the ROC curve (ties count half), with its components for positives [P] and negatives [N].

    The mean of either components is the area, and their variances give its variance (DeLong et al. 1988).
    """
    p, n = score[positive], score[~positive]
    below = np.searchsorted(np.sort(n), p, "left") + np.searchsorted(np.sort(n), p, "right")
    above = np.searchsorted(np.sort(p), n, "left") + np.searchsorted(np.sort(p), n, "right")
    of_p, of_n = below / (2 * len(n)), 1 - above / (2 * len(p))
    return float(of_p.mean()), of_p, of_n


Measure = tuple[str, int]  # its name, and its class (-1 for all)
Measured = dict[Measure, tuple[dict[int, float], list[np.ndarray]]]  # values by draw; components by group of images


def _components(told: pd.DataFrame, label: np.ndarray, draws: dict[int, list[str]]) -> Measured:
    """Each measure by draw, and for each class of test images the contribution of each image, averaged over trials."""
    found = [int(k) for k in np.unique(label)]
    two = len(found) == 2
    out: Measured = {("error", k): ({}, []) for k in found}
    extra = (
        ("balanced error", -1),
        *((("sensitivity", found[1]), ("specificity", found[0]), ("AUC", -1)) if two else ()),
    )
    out |= {measure: ({}, []) for measure in extra}
    wrong_of, p_of, n_of = [], [], []
    for draw, keys in draws.items():
        wrong = np.mean([np.asarray(told.at[key, "predicted"]) != label for key in keys], axis=0)
        wrong_of.append(wrong)
        errors = {k: float(wrong[label == k].mean()) for k in found}
        for k in found:
            out["error", k][0][draw] = errors[k]
        out["balanced error", -1][0][draw] = float(np.mean(list(errors.values())))
        if two:
            out["sensitivity", found[1]][0][draw] = 1 - errors[found[1]]
            out["specificity", found[0]][0][draw] = 1 - errors[found[0]]
            positive = label == found[1]
            areas = []
            for key in keys:
                true = np.asarray(told.at[key, "probability"], dtype=float)
                areas.append(auc(np.where(positive, true, 1 - true), positive))
            out["AUC", -1][0][draw] = float(np.mean([a for a, _, _ in areas]))
            p_of.append(np.mean([p for _, p, _ in areas], axis=0))
            n_of.append(np.mean([n for _, _, n in areas], axis=0))
    mean = np.mean(wrong_of, axis=0)
    for k in found:
        out["error", k][1].append(mean[label == k])
        out["balanced error", -1][1].append(mean[label == k] / len(found))
    if two:
        out["sensitivity", found[1]][1].append(1 - mean[label == found[1]])
        out["specificity", found[0]][1].append(1 - mean[label == found[0]])
        out["AUC", -1][1].extend([np.mean(p_of, axis=0), np.mean(n_of, axis=0)])
    return out


def _estimate(
    by_draw: list[float], parts: list[np.ndarray], confidence: float
) -> tuple[float, float | None, float | None]:
    """Mean over draws, lower and upper end; there is no interval from one draw."""
    value, draws = float(np.mean(by_draw)), len(by_draw)
    if draws < 2:
        return value, None, None
    images = sum(float(part.var(ddof=1)) / len(part) for part in parts if len(part) > 1)
    between = float(np.var(by_draw, ddof=1)) / draws
    half = float(stats.t.ppf((1 + confidence) / 2, draws - 1)) * math.sqrt(between + images)
    return value, value - half, value + half


def _name(classes: Sequence[str], k: int) -> str:
    return "all" if k < 0 else str(classes[k]) if k < len(classes) else str(k)
