"""How much of a gain is out of reach of a closed-set generator, and whether for lack of quality or of information.

A grid may have two upper bounds for it: the open-set generator of the same recipe, which saw more real images, and the
real images themselves. The difference from the closed-set to the open-set gain is due to more real images for training
the generator (information that its subset does not contain); the difference from there to real images is lost by the
generator (quality). Both are compared draw by draw, cell by cell.
"""

from __future__ import annotations

from synaug_ray.analysis.cells.cell_differences import at, differences, mean, place
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.analysis.generators import CONTROLS, Made
from synaug_ray.analysis.questions.generator_results import Ceiling

REAL = "real-holdout"


def ceilings(cells: PairedCells, *, confidence: float, intervals: bool) -> tuple[Ceiling, ...]:
    """One for each cell of a closed-set generator for which there is an upper bound."""
    found: list[tuple[MixedCell, MixedCell | None, MixedCell | None]] = []
    beside: dict[tuple[object, ...], list[MixedCell]] = {}
    for cell in cells.mixed:
        beside.setdefault(place(cell), []).append(cell)
    for cell in cells.mixed:
        made = cells.makings.get((cell.study.generator, cell.num_real))
        family = cells.kinds[cell.study.generator].family
        if made is None or made.trained_on > cell.num_real or family in CONTROLS:
            continue
        opened = [other for other in beside[place(cell)] if _same_but_saw_more(cells, cell, other)]
        above = max(opened, key=lambda other: _made(cells, other).trained_on, default=None)
        real = next((o for o in beside[place(cell)] if o.study.generator == REAL or _family(cells, o) == REAL), None)
        if above is not None or real is not None:
            found.append((cell, above, real))
    pairs = {
        (i, name): (lower, upper.paired - lower.paired)
        for i, (own, above, real) in enumerate(found)
        for name, upper, lower in (("information", above, own), ("quality", real, above), ("missing", real, own))
        if upper is not None and lower is not None
    }
    known = differences(cells, pairs, confidence=confidence, intervals=intervals)
    return tuple(
        Ceiling(
            **at(own),
            synthetic_multiple=own.multiple,
            gain=mean(cells, own.gains),
            open_set="" if above is None else above.study.generator,
            open_set_gain=None if above is None else mean(cells, above.gains),
            real_gain=None if real is None else mean(cells, real.gains),
            information=known.get((i, "information")),
            quality=known.get((i, "quality")),
            missing=known.get((i, "missing")),
        )
        for i, (own, above, real) in enumerate(found)
    )


def _family(cells: PairedCells, cell: MixedCell) -> str:
    return cells.kinds[cell.study.generator].family


def _made(cells: PairedCells, cell: MixedCell) -> Made:
    return cells.makings[cell.study.generator, cell.num_real]


def _same_but_saw_more(cells: PairedCells, cell: MixedCell, other: MixedCell) -> bool:
    """Whether ``other`` has the same recipe, with the same length, and saw more real images than the cell has."""
    made, its = _made(cells, cell), cells.makings.get((other.study.generator, other.num_real))
    same = its is not None and (its.whole, its.filter) == (made.whole, made.filter)
    return same and its is not None and its.trained_on > other.num_real
