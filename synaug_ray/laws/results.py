"""The results of fits.

Units: errors are fractions in [0, 1], images are counts. ``None`` means "not estimable", never zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class FitStatus(StrEnum):
    """How far a fit can be trusted."""

    CONVERGED = "converged"
    AT_BOUND = "at a bound"
    NOT_IDENTIFIABLE = "not identifiable"
    FAILED = "failed"


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap interval at the analysis's confidence; an open end is None."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def around(cls, value: float, half: float) -> Estimate:
        """``value`` with an interval of this half-width; without an interval if that is NaN."""
        ends = () if math.isnan(half) else (float(value - half), float(value + half))
        return cls(float(value), *ends)

    @property
    def ends(self) -> tuple[float, float]:
        """Of the interval: infinite where it is open."""
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high


@dataclass(frozen=True)
class HeldOut:
    """How well a form that was chosen without the cells of the largest n and the largest s predicts them."""

    cells: int
    rmse_log_error: float
    skill_no_effect: float | None  # 1 - MSE(form) / MSE("synthetic images do nothing")
    skill_constant_rate: float | None  # 1 - MSE(form) / MSE(F0)
    coverage: float | None = None  # share of held-out cells within their prediction interval


@dataclass(frozen=True)
class BestWeight:
    """The weight of real images in the loss that J3 expects to be best for so many of both kinds."""

    num_real: int
    num_synthetic: int
    real_weight: float  # 1: the synthetic images would only do harm
    error: float  # expected at that weight, a fraction
    worth: float | None  # the additional real images that would do as much; None if no number of them would


@dataclass(frozen=True, kw_only=True)
class LawFit:
    """One fitted form."""

    form: str
    formula: str
    source: str
    parameters: dict[str, Estimate]
    units: dict[str, str]
    status: FitStatus
    share_of_starts: float  # share of the starts that reached the best optimum
    rmse_log_error: float
    aicc: float | None
    held_out: HeldOut | None = None
    best: tuple[BestWeight, ...] = ()  # of J3, one for each mixed cell


@dataclass(frozen=True)
class FormParameter:
    """A parameter of a form, with its unit and the bounds of the search."""

    name: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class Form:
    """One row of the table of fitted forms."""

    name: str
    kind: str  # real-only curve, equivalence law, or joint law
    formula: str
    parameters: tuple[FormParameter, ...]
    source: str
    least_sizes: int  # sizes that it needs


@dataclass(frozen=True)
class Published:
    """A published c2 of F1."""

    dataset: str
    setting: str
    c2: float
    source: str
