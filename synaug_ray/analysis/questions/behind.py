"""How far classifiers with synthetic images stay behind another one without any, draw by draw.

Whoever may take the better classifier has no use for a gain that leaves the worse one behind it.
"""

from __future__ import annotations

from synaug_ray.analysis.cells.cell_differences import at, differences, mean
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells, RealCell
from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.analysis.questions.generator_results import Behind


def behind(cells: PairedCells, *, confidence: float, intervals: bool) -> tuple[Behind, ...]:
    """One for each cell of a trained generator whose classifier is not the best one on real images alone."""
    best: dict[int, tuple[float, RealCell]] = {}
    for real in cells.real:
        error = mean(cells, real.errors)
        if real.num_real not in best or error < best[real.num_real][0]:
            best[real.num_real] = (error, real)
    found: list[tuple[MixedCell, RealCell]] = [
        (cell, best[cell.num_real][1])
        for cell in cells.mixed
        if cell.num_real in best
        and best[cell.num_real][1].classifier != cell.study.classifier
        and cells.kinds[cell.study.generator].family not in CONTROLS
    ]
    values = {i: (cell, cell.errors - real.errors) for i, (cell, real) in enumerate(found)}
    known = differences(cells, values, confidence=confidence, intervals=intervals)
    return tuple(
        Behind(
            **at(cell),
            best=real.classifier,
            difference=known[i],
        )
        for i, (cell, real) in enumerate(found)
        if i in known
    )
