"""The results of the check of training length. Errors and gains are fractions in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from synaug_ray.laws.results import Estimate


class Ended(StrEnum):
    """Whether a classifier's training is long enough, judging by the effect of twice as many images seen."""

    YES = "trained to its end"
    SHORT = "not trained to its end"
    MAYBE_SHORT = "maybe not trained to its end"  # one pair of trials, so no interval, but a large change
    LONG = "trained past its best length"
    UNKNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class TrainingLength:
    """Whether a classifier is trained to its end at one ``num_real``, from real-only trials alone."""

    classifier: str
    num_real: int
    nimg: int  # images seen in the grid's trials
    longer_nimg: int  # images seen in the longer trials with which these are compared
    pairs: int  # number of pairs of trials with the same draw and seed
    gain: Estimate  # by how much longer training lowers the error; pointwise interval
    margin: float  # a change within +- this counts as none; half the margin of the verdicts
    ended: Ended
