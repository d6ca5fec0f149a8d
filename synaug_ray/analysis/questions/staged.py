"""Protocols in two stages, compared with their control: the same stages on real images alone.

A bridged training may gain over real-only training because of its synthetic images, or because of the two stages
alone: another schedule of the learning rate, a new head, mixtures. What it gains over the control is due to the images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.cells.cell_differences import uncertain
from synaug_ray.analysis.cells.paired_cells import PairedCells
from synaug_ray.analysis.questions.staged_results import StagedCell
from synaug_ray.analysis.results import Outcome, Verdict
from synaug_ray.analysis.trials import LEEP, REAL_ONLY, STAGES, wrong_answers
from synaug_ray.analysis.verdict_text import points, span
from synaug_ray.laws import moderation
from synaug_ray.laws.results import Estimate

CELL = ["classifier", "protocol", "generator", "num_real", "num_synthetic"]
Pairs = dict[int, list[tuple[str, str]]]  # by draw, the keys of the two trials of each seed


def staged_cells(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    cells: PairedCells,
    *,
    confidence: float,
    intervals: bool = True,
) -> tuple[StagedCell, ...]:
    """One result for each cell of a protocol in two stages with a pair of trials; controls come first.

    Args:
        measurements: one row per trial, with the columns ``STAGES``; nothing is found without.
        cells: of the same tables.
        intervals: whether to compute intervals; a live view has none.
    """
    if not set(STAGES) <= set(measurements.columns):
        return ()
    done: Any = measurements[(measurements["status"] == "done") & measurements["key"].isin(predictions["key"])]
    staged = done[done[STAGES[0]].isin(["real", "synthetic"])]
    if staged.empty:
        return ()
    real = {_at(row): str(row["key"]) for row in _rows(done[done["protocol"] == "real-only"])}
    controls = {(*_at(row), row[STAGES[1]]): row for row in _rows(staged[staged[STAGES[0]] == "real"])}
    of_cell: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in _rows(staged.sort_values([STAGES[0], *CELL, "draw", "seed"])):
        of_cell.setdefault(tuple(row[name] for name in CELL), []).append(row)
    compared: list[tuple[tuple[Any, ...], str, Pairs]] = []
    for at, rows in of_cell.items():
        own = [(row, real.get(_at(row))) for row in rows]
        other = [(row, controls.get((*_at(row), row[STAGES[1]]))) for row in rows if row[STAGES[0]] == "synthetic"]
        for what, pairs in (
            ("real-only", _pairs(own)),
            ("control", _pairs([(row, None if c is None else str(c["key"])) for row, c in other])),
        ):
            if pairs:
                compared.append((at, what, pairs))
    gains = paired_gains(predictions, done, cells, compared, confidence if intervals else None)
    found = []
    for at, rows in of_cell.items():
        if (at, "real-only") not in gains:
            continue
        bridged = rows[0][STAGES[0]] == "synthetic"
        names = [controls[(*_at(r), r[STAGES[1]])]["protocol"] for r in rows if (*_at(r), r[STAGES[1]]) in controls]
        over = gains.get((at, "control")) if bridged else None
        scores = [float(row[LEEP]) for row in rows if LEEP in row and np.isfinite(row[LEEP])] if bridged else []
        classifier, protocol, generator, num_real, num_synthetic = at
        found.append(
            StagedCell(
                classifier=str(classifier),
                protocol=str(protocol),
                generator=str(generator),
                num_real=int(num_real),
                num_synthetic=int(num_synthetic),
                gain=gains[at, "real-only"],
                control=str(names[0]) if over is not None else "",
                over_control=over,
                leep=float(np.mean(scores)) if scores else None,
            )
        )
    return tuple(found)


def _rows(frame: Any) -> list[dict[str, Any]]:
    return frame.to_dict("records")


def _at(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in REAL_ONLY)


def _pairs(rows: Sequence[tuple[Mapping[str, Any], str | None]]) -> Pairs:
    found: Pairs = {}
    for row, other in rows:
        if other is not None:
            found.setdefault(int(row["draw"]), []).append((str(row["key"]), other))
    return found


def paired_gains(
    predictions: pd.DataFrame,
    done: pd.DataFrame,
    cells: PairedCells,
    compared: Sequence[tuple[tuple[Any, ...], str, Pairs]],
    confidence: float | None,
) -> dict[tuple[tuple[Any, ...], str], Estimate]:
    """The gain of the first trials of all pairs over the second ones, by cell and by what it is compared with.

    The first part of a cell is its classifier, and its fourth the number of real images.
    """
    if not compared:
        return {}
    keys = {key for _, _, pairs in compared for both in pairs.values() for pair in both for key in pair}
    table = pd.DataFrame(done[done["key"].isin(list(keys))]).drop_duplicates("key")
    kept, wrong, _, _ = wrong_answers(table, predictions, [])
    row = {key: i for i, key in enumerate(kept["key"])}
    draws = {draw: i for i, draw in enumerate(sorted({draw for _, _, pairs in compared for draw in pairs}))}
    values = np.full((len(compared), len(draws), wrong.shape[1]), np.nan, dtype=np.float32)
    for i, (_, _, pairs) in enumerate(compared):
        for draw, both in pairs.items():
            own, other = ([row[pair[k]] for pair in both] for k in (0, 1))
            values[i, draws[draw]] = (wrong[other].astype(np.float32) - wrong[own]).mean(axis=0)
    errors, gain = uncertain(cells, values, [(f"{at[0]} {at[1]} {what}", at[3]) for at, what, _ in compared])
    half = np.full(len(compared), np.nan) if confidence is None else moderation.half_widths(errors, confidence)
    around = [Estimate.around(value, width) for value, width in zip(gain, half, strict=True)]
    return {(at, what): estimate for (at, what, _), estimate in zip(compared, around, strict=True)}


def with_staged(verdicts: Sequence[Verdict], found: Sequence[StagedCell]) -> list[Verdict]:
    """The verdicts of bridged protocols, completed with the gain over their control at the same amount."""
    by = {(c.classifier, c.protocol, c.generator, c.num_real, c.num_synthetic): c for c in found}
    told = []
    for v in verdicts:
        amount = round(v.num_real * (v.best_multiple or 0.0))
        cell = by.get((v.classifier, v.protocol, v.generator, v.num_real, amount))
        if cell is not None and cell.over_control is not None:
            v = replace(v, over_control=cell.over_control, sentence=v.sentence + _sentence(cell, v.outcome))
        told.append(v)
    return told


def _sentence(cell: StagedCell, outcome: Outcome) -> str:
    over = cell.over_control or Estimate(None)
    said = f" Over the same two stages on real images alone ({cell.control}) the gain is {points(over.value or 0.0)}"
    said += " points" + (f" ({span(over)})" if over.low is not None else "")
    if outcome is Outcome.HELPS and not _shown(over):
        said += ": it is not shown that the synthetic images bring it, and not the two stages"
    return f"{said}."


def _shown(over: Estimate) -> bool:
    return over.low is not None and over.low > 0


def warnings(verdicts: Sequence[Verdict]) -> list[str]:
    """One warning for each protocol that helps, at sizes where its control may do the same without synthetic images."""
    helped = [v for v in verdicts if v.outcome is Outcome.HELPS and v.over_control is not None]
    doubtful = [v for v in helped if not _shown(v.over_control or Estimate(None))]
    said = []
    for study in dict.fromkeys((v.generator, v.protocol, v.classifier) for v in doubtful):
        sizes = [f"{v.num_real:,}" for v in doubtful if (v.generator, v.protocol, v.classifier) == study]
        said.append(
            f"{study[0]} with {study[2]} ({study[1]}) helps at {', '.join(sizes)} real images, but is not shown to "
            "gain more than the same two stages on real images alone: these may be enough."
        )
    return said
