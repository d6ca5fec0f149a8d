"""The verdicts of one study: its cells, what their intervals rest on, and what deciding an open one would cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from synaug_ray.analysis.cells.cell_noise import CellUncertainty
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.analysis.deciding import CellNoise, spread_of_gains
from synaug_ray.analysis.questions.budget_text import budget_clause
from synaug_ray.analysis.questions.budgets import of_verdict
from synaug_ray.analysis.questions.generator_results import BudgetCurve
from synaug_ray.analysis.results import Exchange, Study, Verdict
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.analysis.verdict import Failures, Margin, judge
from synaug_ray.laws.simultaneous import Look

TOO_FEW = "Some of its amounts have only one draw: too few for an interval."


def _failures(cells: PairedCells, cell: MixedCell) -> Failures:
    """A cell's gain in the worst case: each draw whose generator failed counts with the smallest gain of the others."""
    gains = cell.paired @ cells.image_weights
    seen = gains[~np.isnan(gains)]
    return Failures(
        cell.failed,
        cell.failed + len(seen),
        float((seen.sum() + cell.failed * seen.min()) / (cell.failed + len(seen))),
    )


def study_verdicts(
    cells: PairedCells,
    uncertainty: CellUncertainty,
    study: Study,
    margin: Callable[[float], Margin],
    looks: Sequence[Look],
    why: str,
) -> list[Verdict]:
    key = StudyKey(study.classifier, study.generator, study.protocol, study.real_share)
    exchanges: dict[tuple[int, int], Exchange] = {(e.num_real, e.num_synthetic): e for e in study.exchange}
    parts: dict[tuple[int, int], CellNoise] = {}
    seconds: dict[int, float] = {
        cell.num_real: cell.seconds for cell in cells.real if cell.classifier == study.classifier
    }
    pool: dict[int, float] = {}
    failures: dict[int, dict[int, Failures]] = {}
    gains: list[tuple[float, float]] = []
    real = {
        cell.num_real: float(uncertainty.values[i])
        for i, cell in enumerate(cells.real)
        if cell.classifier == study.classifier
    }
    for index, cell in enumerate(cells.mixed, start=len(cells.real)):
        if cell.study != key:
            continue
        seconds[cell.num_real] += cell.seconds
        pool[cell.num_real] = max(pool.get(cell.num_real, 0.0), cell.pool_seconds)  # the largest contains the others
        if cell.failed:
            failures.setdefault(cell.num_real, {})[cell.num_synthetic] = _failures(cells, cell)
        if uncertainty.has_intervals and uncertainty.draws[index] > 1:
            gains.append((float(uncertainty.values[index]), float(uncertainty.error[index])))
            between = float(uncertainty.draw_variance[index])
            parts[cell.num_real, cell.num_synthetic] = CellNoise(
                float(uncertainty.half_simultaneous[index - len(cells.real)] / uncertainty.error[index]),
                float(uncertainty.half[index] / uncertainty.error[index]),
                between * (1 - cell.fixed) * float(uncertainty.draws[index]),
                float(uncertainty.image_variance[index]) + between * cell.fixed,
                float(uncertainty.freedom[index]),
            )
    spread = spread_of_gains(*zip(*gains, strict=True)) if gains else 0.0
    out = []
    for n in sorted({cell.num_real for cell in study.cells}):
        of_size = [cell for cell in study.cells if cell.num_real == n]
        judged = all((n, cell.num_synthetic) in parts for cell in of_size)
        out.append(
            judge(
                key,
                of_size,
                exchanges,
                parts if judged else {},
                margin=margin(real[n]),
                spread=spread,
                looks=looks,
                failures=failures.get(n, {}),
                seconds_per_draw=seconds[n] * len(cells.seeds) + pool.get(n, 0.0),
                why_undecided="" if judged else why or TOO_FEW,
            )
        )
    return out


def with_training(verdict: Verdict, curves: Sequence[BudgetCurve], cells: PairedCells) -> Verdict:
    """The verdict, completed with what longer training of its generator would do."""
    curve, training = of_verdict(curves, verdict, cells.makings)
    return dataclasses.replace(
        verdict, training=training, sentence=verdict.sentence + budget_clause(training, verdict.outcome, curve)
    )
