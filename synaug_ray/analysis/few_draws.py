"""Warnings about few draws, and few groups of test images: intervals are wide then, or rest on an assumption."""

from __future__ import annotations

from synaug_ray.analysis.paired_cells import PairedCells
from synaug_ray.analysis.verdict import FEW_DRAWS

FEW_GROUPS = 10  # groups of test images; with fewer, the variance between groups is poorly known


def draw_warnings(cells: PairedCells, replicates: int) -> tuple[list[str], str]:
    """The warnings, and why nothing can be decided, if so."""
    draws = len(cells.draws)
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
