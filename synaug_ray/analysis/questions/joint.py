"""Protocol ``joint``: what a discriminator's class head gains over the same network trained without a generator.

Each head is paired with its controls, and with the grid's classifiers, by draw. It is no mixture, and no law counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.cells.paired_cells import PairedCells
from synaug_ray.analysis.questions.joint_results import JointCell, OverClassifier
from synaug_ray.analysis.questions.staged import Pairs, paired_gains
from synaug_ray.analysis.trials import HEAD_NOTES, JOINT_ARM
from synaug_ray.common.text import fixed
from synaug_ray.config.protocols import JOINT
from synaug_ray.laws.results import Estimate

ARMS = ("selected", "unselected", "alone")
ARM, KEY = JOINT_ARM
Row = Mapping[str, Any]


def joint_cells(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    cells: PairedCells,
    *,
    confidence: float,
    intervals: bool = True,
) -> tuple[JointCell, ...]:
    """One result for each head and number of real images: those with selected synthetic images first.

    Args:
        measurements: one row per trial, with the columns ``JOINT_ARM``; nothing is found without.
        cells: of the same tables.
        intervals: whether to compute intervals; a live view has none.
    """
    if not set(JOINT_ARM) <= set(measurements.columns):
        return ()
    done: Any = measurements[(measurements["status"] == "done") & measurements["key"].isin(predictions["key"])]
    heads = done[done["protocol"] == JOINT].to_dict("records")
    if not heads:
        return ()
    heads.sort(key=lambda row: (row["generator"], ARMS.index(row[ARM]), row["num_real"], row["draw"]))
    heads.sort(key=lambda row: ARMS.index(row[ARM]))
    controls = {(row[ARM], row[KEY], row["num_real"], row["draw"]): row for row in heads}
    real: dict[tuple[str, int, int], list[str]] = {}
    for row in done[done["protocol"] == "real-only"].to_dict("records"):
        real.setdefault((row["classifier"], row["num_real"], row["draw"]), []).append(row["key"])
    classifiers = list(dict.fromkeys(classifier for classifier, _, _ in real))
    of_cell: dict[tuple[str, int], list[Row]] = {}
    for row in heads:
        of_cell.setdefault((row["generator"], row["num_real"]), []).append(row)
    compared: list[tuple[tuple[Any, ...], str, Pairs]] = []
    for (generator, n), rows in of_cell.items():
        at = ("discriminator", generator, JOINT, n)
        for other in ARMS[1 + ARMS.index(rows[0][ARM]) :]:
            of_draw = {row["draw"]: controls.get((other, row[KEY], n, row["draw"])) for row in rows}
            if pairs := _pairs(rows, {draw: [str(c["key"])] for draw, c in of_draw.items() if c is not None}):
                compared.append((at, f"over {other}", pairs))
        for name in classifiers:
            if pairs := _pairs(rows, {row["draw"]: real.get((name, n, row["draw"]), []) for row in rows}):
                compared.append((at, name, pairs))
    gains = paired_gains(predictions, done, cells, compared, confidence if intervals else None)
    errors = dict(zip(done["key"], done[cells.error], strict=True))
    found = []
    for (generator, n), rows in of_cell.items():
        at = ("discriminator", generator, JOINT, n)
        found.append(
            JointCell(
                generator=str(generator),
                arm=str(rows[0][ARM]),
                num_real=int(n),
                draws=len(rows),
                nimg=int(rows[0]["nimg"]),
                error=float(np.mean([row[cells.error] for row in rows])),
                over_alone=gains.get((at, "over alone")),
                over_unselected=gains.get((at, "over unselected")),
                classifiers=tuple(
                    OverClassifier(
                        classifier=str(name),
                        error=float(np.mean([errors[k] for row in rows for k in real.get((name, n, row["draw"]), [])])),
                        gain=gains[at, name],
                    )
                    for name in classifiers
                    if (at, name) in gains
                ),
                **{name: _mean(rows, name) for name in HEAD_NOTES},
            )
        )
    return tuple(found)


def _pairs(rows: Sequence[Row], others: Mapping[int, Sequence[str]]) -> Pairs:
    """Of each draw the head's key with each of the keys that it is compared with there."""
    found = {int(row["draw"]): [(str(row["key"]), key) for key in others.get(row["draw"], ())] for row in rows}
    return {draw: pairs for draw, pairs in found.items() if pairs}


def _mean(rows: Sequence[Row], name: str) -> float | None:
    known = [float(row[name]) for row in rows if np.isfinite(row.get(name, np.nan))]
    return float(np.mean(known)) if known else None


def joint_sentences(found: Sequence[JointCell], delta: float) -> tuple[str, ...]:
    """One for each head with selected synthetic images: what it gains over the same network without a generator.

    Args:
        delta: the largest gain or loss, as a fraction, that still counts as none.
    """
    said = []
    for cell in found:
        over = cell.over_alone
        if cell.arm != "selected" or over is None:
            continue
        told = (
            f"{cell.generator} at {cell.num_real:,} real images: its discriminator's class head errs "
            f"{100 * cell.error:.1f}%, a gain of {_points(over)} over the same network trained alone: "
            f"{_read(over, delta)}."
        )
        best = min(cell.classifiers, key=lambda c: c.error, default=None)
        if best is not None:
            told += (
                f" Over {best.classifier} on the same real images ({100 * best.error:.1f}%) it gains "
                f"{_points(best.gain)}."
            )
        said.append(told)
    return tuple(said)


def _points(gain: Estimate) -> str:
    value = fixed(100 * (gain.value or 0.0), "+.1f")
    if gain.low is None or gain.high is None:
        return f"{value} points"
    return f"{value} points ({fixed(100 * gain.low, '+.1f')} to {fixed(100 * gain.high, '+.1f')})"


def _read(gain: Estimate, delta: float) -> str:
    if gain.low is None or gain.high is None:
        return "undecided, without an interval"
    if gain.low > 0:
        return "the joint training helps"
    if gain.high < 0:
        return "the joint training hurts"
    return "no effect" if -delta < gain.low and gain.high < delta else "undecided"
