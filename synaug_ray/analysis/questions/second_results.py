"""The results on a second test set (``data.test2``): verdicts of its own, and whether gains carry over to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from synaug_ray.laws.results import Estimate


class Carries(StrEnum):
    """What becomes of an effect on the first test set, at the same amount."""

    FULLY = "carries over"
    PARTLY = "carries over in part"  # there, and clearly smaller
    NOT = "does not carry over"  # none beyond the margin, or the opposite
    UNKNOWN = "undecided"
    NOTHING = ""  # there is no effect on the first test set


@dataclass(frozen=True)
class SecondCell:
    """One measured cell on the second test set."""

    num_real: int
    num_synthetic: int
    synthetic_multiple: float
    error: Estimate  # pointwise interval
    gain: Estimate  # pointwise interval
    gain_simultaneous: Estimate  # with an interval that holds for all cells of this test set at once
    difference: Estimate  # this gain minus that on the first test set, paired by draw; interval for all at once


@dataclass(frozen=True)
class SecondVerdict:
    """The verdict on the second test set for one (classifier, generator, protocol, real_share, num_real).

    ``multiple``, gains and ``difference`` are of the amount that the first verdict is about.
    """

    classifier: str
    generator: str
    protocol: str
    real_share: str
    num_real: int
    outcome: str  # a value of ``results.Outcome``, over all amounts
    first_outcome: str
    multiple: float
    gain: Estimate  # on the second test set, simultaneous interval
    first_gain: Estimate  # on the first, simultaneous interval
    difference: Estimate
    carries: Carries
    sentence: str
    cells: tuple[SecondCell, ...]


@dataclass(frozen=True)
class SecondReal:
    """Errors without synthetic images on both test sets."""

    classifier: str
    num_real: int
    first_error: Estimate
    error: Estimate


@dataclass(frozen=True)
class SecondTest:
    """All results on the second test set."""

    name: str
    error: str  # the column that is analysed, test2_error or balanced_test2_error
    images: int
    groups: int | None
    real: tuple[SecondReal, ...]
    verdicts: tuple[SecondVerdict, ...]
    headline: str
    warnings: tuple[str, ...] = ()
