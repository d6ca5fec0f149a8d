"""How much of a gain is out of reach of a closed-set generator, and whether for lack of quality or of information.

A grid may have two upper bounds for it: the open-set generator of the same recipe, which saw more real images, and the
real images themselves. The difference from the closed-set to the open-set gain is due to more real images for training
the generator (information that its subset does not contain); the difference from there to real images is lost by the
generator (quality). Both are compared draw by draw, cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from synaug_ray.analysis.cell_noise import alike, components
from synaug_ray.analysis.generator_results import Ceiling
from synaug_ray.analysis.generators import CONTROLS, Made
from synaug_ray.analysis.paired_cells import MixedCell, PairedCells
from synaug_ray.laws import moderation
from synaug_ray.laws.results import Estimate

REAL = "real-holdout"


def ceilings(cells: PairedCells, *, confidence: float, intervals: bool) -> tuple[Ceiling, ...]:
    """One for each cell of a closed-set generator for which there is an upper bound."""
    found: list[tuple[MixedCell, MixedCell | None, MixedCell | None]] = []
    at: dict[tuple[object, ...], list[MixedCell]] = {}
    for cell in cells.mixed:
        at.setdefault(_place(cell), []).append(cell)
    for cell in cells.mixed:
        made = cells.makings.get((cell.study.generator, cell.num_real))
        family = cells.kinds[cell.study.generator].family
        if made is None or made.trained_on > cell.num_real or family in CONTROLS:
            continue
        opened = [other for other in at[_place(cell)] if _same_but_saw_more(cells, cell, other)]
        above = max(opened, key=lambda other: _made(cells, other).trained_on, default=None)
        real = next((o for o in at[_place(cell)] if o.study.generator == REAL or _family(cells, o) == REAL), None)
        if above is not None or real is not None:
            found.append((cell, above, real))
    differences = {
        (i, name): pair
        for i, (own, above, real) in enumerate(found)
        for name, pair in (("information", (above, own)), ("quality", (real, above)), ("missing", (real, own)))
        if pair[0] is not None and pair[1] is not None
    }
    known = _estimates(cells, differences, confidence, intervals)
    return tuple(
        Ceiling(
            **own.study._asdict(),
            num_real=own.num_real,
            num_synthetic=own.num_synthetic,
            synthetic_multiple=own.multiple,
            gain=_gain(cells, own),
            open_set="" if above is None else above.study.generator,
            open_set_gain=None if above is None else _gain(cells, above),
            real_gain=None if real is None else _gain(cells, real),
            information=known.get((i, "information")),
            quality=known.get((i, "quality")),
            missing=known.get((i, "missing")),
        )
        for i, (own, above, real) in enumerate(found)
    )


def _place(cell: MixedCell) -> tuple[object, ...]:
    return (*cell.study._replace(generator=""), cell.num_real, cell.num_synthetic)


def _family(cells: PairedCells, cell: MixedCell) -> str:
    return cells.kinds[cell.study.generator].family


def _made(cells: PairedCells, cell: MixedCell) -> Made:
    return cells.makings[cell.study.generator, cell.num_real]


def _gain(cells: PairedCells, cell: MixedCell) -> float:
    return float(np.nanmean(cell.gains @ cells.image_weights))


def _same_but_saw_more(cells: PairedCells, cell: MixedCell, other: MixedCell) -> bool:
    """Whether ``other`` has the same recipe, with the same length, and saw more real images than the cell has."""
    made, its = _made(cells, cell), cells.makings.get((other.study.generator, other.num_real))
    same = its is not None and (its.whole, its.filter) == (made.whole, made.filter)
    return same and its is not None and its.trained_on > other.num_real


def _estimates(
    cells: PairedCells,
    differences: Mapping[tuple[int, str], tuple[MixedCell | None, MixedCell | None]],
    confidence: float,
    intervals: bool,
) -> dict[tuple[int, str], Estimate]:
    """Differences of gains, each with its own interval."""
    pairs = {
        key: (upper, lower, upper.paired - lower.paired)
        for key, (upper, lower) in differences.items()
        if upper is not None and lower is not None
    }
    pairs = {key: pair for key, pair in pairs.items() if not np.isnan(pair[2][:, 0]).all()}
    if not pairs:
        return {}
    parts = components(cells, np.stack([difference for _, _, difference in pairs.values()]))
    likeness = alike(cells, [lower for _, lower, _ in pairs.values()])
    half, several = np.full(len(pairs), np.nan), np.flatnonzero(parts.draws > 1)
    if len(several) and intervals:
        errors = likeness.take(several).moderate(parts.take(several))
        half[several] = moderation.half_widths(errors, confidence)
    return {key: Estimate.around(value, wide) for key, value, wide in zip(pairs, parts.estimates, half, strict=True)}
