"""What to know about the number of draws: few, few groups of test images, and further ones of real images alone."""

from __future__ import annotations

from synaug_ray.analysis.cells.paired_cells import PairedCells
from synaug_ray.analysis.verdict import FEW_DRAWS
from synaug_ray.common.text import listed

FEW_GROUPS = 10  # groups of test images; with fewer, the variance between groups is poorly known


def draw_warnings(cells: PairedCells, replicates: int) -> tuple[list[str], str]:
    """The warnings, and why nothing can be decided, if so."""
    draws = cells.synthetic_draws
    groups = None if cells.groups is None else int(cells.groups.max()) + 1
    few_groups = []
    if groups is not None and groups < FEW_GROUPS:
        few_groups = [
            f"{groups} groups of test images (data.group) are few; test on more: they say little about other groups, "
            "and intervals are right only if the differences between groups are normally distributed."
        ]
    if draws < 2:
        why = "There is only one draw, so there are no intervals and nothing can be decided."
        return [why], why
    if replicates == 0:
        return [], "Intervals have not been computed yet."
    if draws < FEW_DRAWS:
        return [
            *few_groups,
            f"{draws} draws are few; use six or more: so far intervals are wide, and right only if the differences "
            "between draws are normally distributed (in simulations where they are, 90% intervals from 3 draws hold in "
            "90 to 97%).",
        ], ""
    return few_groups, ""


def extra_draws_note(cells: PairedCells) -> list[str]:
    """Whose gains further draws of real images alone correct, if any's: see ``extra_draws``."""
    names = dict.fromkeys(study.generator for study, slope in cells.slopes.items() if slope.value)
    if not names:
        return []
    return [
        f"Real images alone have further draws, {len(cells.draws)} in all: these correct the gains of {listed(names)} "
        "for how lucky the draws with synthetic images were."
    ]
