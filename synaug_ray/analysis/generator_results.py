"""Results about generators themselves: what longer training does, and what lies above a closed-set one.

Units as in ``results``: gains are fractions, lengths of training are images seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from synaug_ray.laws.results import Estimate


class Training(StrEnum):
    """What longer training does to a gain: whether another length of it would change an answer."""

    SETTLED = "settled"  # four times the training changes the gain by less than the margin
    RISING = "still rising"
    FALLING = "falling"  # longer training lowers the gain, and not by copying
    COPYING = "copying"  # longer training makes more near-copies of real images, and no larger gain
    UNKNOWN = "not known"

    @property
    def open(self) -> bool:
        """Whether another length of training may give another answer."""
        return self in (Training.RISING, Training.FALLING, Training.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class BudgetCell:
    """One amount of synthetic images from generators that differ in nothing but how long they were trained."""

    num_synthetic: int
    synthetic_multiple: float
    gains: tuple[Estimate, ...]  # at each length, the cells' own intervals
    doubling: Estimate  # change of the gain with each doubling of the training: least squares over all lengths
    changes: tuple[Estimate, ...]  # of the gain with four times the training, at each length; own interval
    changes_simultaneous: tuple[Estimate, ...]  # the same; intervals that hold for all of the analysis at once


@dataclass(frozen=True, kw_only=True)
class BudgetCurve:
    """One recipe at several lengths of training, in one study and at one num_real: shortest first.

    The change at a length is that to the first length of four times it; at lengths from which none is measured, that up
    to the longest from a quarter of it. Where the lengths have another ratio it is scaled to four times, as if the gain
    were linear in the logarithm of the length.
    """

    classifier: str
    protocol: str
    real_share: str
    num_real: int
    generators: tuple[str, ...]
    lengths: tuple[int, ...]  # images seen in training
    cells: tuple[BudgetCell, ...]
    words: tuple[Training, ...]  # at each length
    sentence: str  # of the longest
    near_copies: tuple[float | None, ...]  # share of near-copies, where a quality check judged it
    next_seconds: float | None  # what one generator of four times the longest length would cost


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """What lies above a cell of a closed-set generator; intervals are each cell's own, None where an arm is not there.

    ``missing`` = ``information`` + ``quality``: from this gain to that of real images, by way of the open-set
    generator's.
    """

    classifier: str
    generator: str
    protocol: str
    real_share: str
    num_real: int
    num_synthetic: int
    synthetic_multiple: float
    gain: float
    open_set: str  # name of the generator of the same recipe that saw more real images; '' where there is none
    open_set_gain: float | None
    real_gain: float | None  # of as many held-out real images
    information: Estimate | None  # what more real images behind the generator add to the gain
    quality: Estimate | None  # what real images add to that
    missing: Estimate | None
