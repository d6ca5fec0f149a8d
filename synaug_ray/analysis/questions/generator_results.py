"""What generators are held against: longer training, upper bounds, baselines to beat, and better classifiers.

Units are those of ``results``: gains are fractions, lengths of training are images seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from synaug_ray.laws.results import Estimate


class Training(StrEnum):
    """The effect of longer training on a gain, that is whether another length of training would change the answer."""

    SETTLED = "settled"  # four times the training changes the gain by less than the margin
    RISING = "still rising"
    FALLING = "falling"  # longer training lowers the gain, without more copies
    COPYING = "copying"  # longer training makes more near-copies of real images, and does not raise the gain
    UNKNOWN = "not known"

    @property
    def open(self) -> bool:
        """Whether another length of training may give a different answer."""
        return self in (Training.RISING, Training.FALLING, Training.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class BudgetCell:
    """One amount of synthetic images, from generators that differ only in their length of training."""

    num_synthetic: int
    synthetic_multiple: float
    gains: tuple[Estimate, ...]  # at each length, with pointwise intervals
    doubling: Estimate  # change of the gain per doubling of the training, by least squares over all lengths
    changes: tuple[Estimate, ...]  # of the gain with four times the training, at each length; pointwise intervals
    changes_simultaneous: tuple[Estimate, ...]  # the same, with intervals that hold for all changes at once


@dataclass(frozen=True, kw_only=True)
class BudgetCurve:
    """One recipe at several lengths of training, the shortest first, in one study and at one num_real.

    The change at a length is the one up to the first length of at least four times it. If there is no such length, it
    is the one from a quarter of the longest length up to that. For other ratios it is scaled to four times, as if the
    gain were linear in the logarithm of the length.
    """

    classifier: str
    protocol: str
    real_share: str
    num_real: int
    generators: tuple[str, ...]
    lengths: tuple[int, ...]  # images seen in training
    cells: tuple[BudgetCell, ...]
    words: tuple[Training, ...]  # at each length
    sentence: str  # about the longest
    near_copies: tuple[float | None, ...]  # share of near-copies at each length; None without a quality check
    next_seconds: float | None  # cost of one generator with four times the longest length


@dataclass(frozen=True, kw_only=True)
class AtCell:
    """Something about one cell of a study."""

    classifier: str
    generator: str
    protocol: str
    real_share: str
    num_real: int
    num_synthetic: int


@dataclass(frozen=True, kw_only=True)
class Ceiling(AtCell):
    """Upper bounds for a cell of a closed-set generator, with pointwise intervals; None if not measured.

    ``missing`` = ``information`` + ``quality`` is the difference from this gain to that of real images, by way of the
    open-set generator's.
    """

    synthetic_multiple: float
    gain: float
    open_set: str  # name of the generator of the same recipe that saw more real images; '' if there is none
    open_set_gain: float | None
    real_gain: float | None  # of as many held-out real images
    information: Estimate | None  # increase of the gain by more real images for training the generator
    quality: Estimate | None  # increase from there to real images
    missing: Estimate | None


@dataclass(frozen=True, kw_only=True)
class OverBaseline(AtCell):
    """The gain of a trained generator beside that of a baseline that learns nothing, at the same place."""

    synthetic_multiple: float
    baseline: str  # its name in the grid
    family: str  # jitter, mixup or augment
    gain: float
    baseline_gain: float
    difference: Estimate  # by how much the generator gains more, with a pointwise interval


@dataclass(frozen=True, kw_only=True)
class Behind(AtCell):
    """The error of a cell beside that of the best classifier on the same real images alone."""

    best: str  # the classifier with the lowest error on these real images alone
    difference: Estimate  # by how much the cell's error is above that one's, with a pointwise interval
