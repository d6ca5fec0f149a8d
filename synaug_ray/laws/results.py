"""What the analysis says: frozen values, no numerics.

Units: errors, gains and probabilities are fractions in [0, 1] (a page may show
points, 1 point = 0.01); images are counts; nll is in nats. ``None`` stands for
"not estimable", never for zero.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FitStatus(StrEnum):
    """How far a fit may be believed."""

    CONVERGED = "converged"
    AT_BOUND = "at a bound"
    NOT_IDENTIFIABLE = "not identifiable"
    FAILED = "failed"


class Outcome(StrEnum):
    """The four verdicts."""

    HELPS = "helps"
    HURTS = "hurts"
    NO_EFFECT = "no effect"
    UNDECIDED = "undecided"


class Censoring(StrEnum):
    """Why a real-equivalent has no value: the real-only curve was not measured there."""

    NONE = "none"
    ABOVE = "above"  # better than the largest measured num_real: at least `bound` images
    BELOW = "below"  # worse than the smallest measured num_real: at most `bound` images


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap interval at the analysis' confidence."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class CurvePoint:
    """Error of one real-only size (a measured point, or a point on the fitted line)."""

    num_real: float
    error: Estimate


@dataclass(frozen=True)
class Cell:
    """One measured cell of a study: all draws and seeds of one (num_real, num_synthetic)."""

    num_real: int
    num_synthetic: int
    synthetic_multiple: float
    trials: int
    error: Estimate
    gain: Estimate  # real-only error minus this cell's, paired by draw and seed; pointwise interval
    gain_simultaneous: Estimate  # the same, interval simultaneous over all cells of the analysis
    equivalent: Estimate  # m(n, s): extra real images this cell is worth; negative where it hurts
    censoring: Censoring
    held_out: bool  # never seen by form selection
    predicted_error: float | None = None  # by the chosen law


@dataclass(frozen=True)
class HeldOut:
    """How a form chosen without the largest n and the largest s predicted them."""

    cells: int
    rmse_log_error: float
    skill_no_effect: float | None  # 1 - MSE(form) / MSE("synthetic images do nothing")
    skill_constant_rate: float | None  # 1 - MSE(form) / MSE(F0)
    coverage: float | None = None  # share of held-out cells inside their predictive interval


@dataclass(frozen=True)
class LawFit:
    """One fitted form."""

    form: str
    formula: str
    source: str
    parameters: dict[str, Estimate]
    units: dict[str, str]
    status: FitStatus
    share_of_starts: float  # of the multi-start fits, how many reached the best optimum
    rmse_log_error: float
    aicc: float | None
    held_out: HeldOut | None = None


@dataclass(frozen=True)
class Exchange:
    """How many synthetic images one more real image is worth at a working point.

    Averaged over laws by their Akaike weights, so it can differ a little from the chosen law's own slope.
    """

    num_real: int
    num_synthetic: int
    marginal: Estimate  # ds/dr: synthetic images that replace the next real image
    average: Estimate  # synthetic images over the real images they replace
    reachable: bool  # False: no amount replaces another real image here
    limit: float | None  # the real images that any amount replaces at most, where the law is bounded
    note: str = ""


@dataclass(frozen=True)
class RealCurve:
    """The real-only scaling law of one classifier."""

    classifier: str
    chosen: str
    fits: tuple[LawFit, ...]
    points: tuple[CurvePoint, ...]
    line: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Study:
    """Everything at one (classifier, generator, protocol, real_share)."""

    classifier: str
    generator: str
    protocol: str
    real_share: str
    cells: tuple[Cell, ...]
    fits: tuple[LawFit, ...]
    chosen: str | None
    exchange: tuple[Exchange, ...]
    family: str = ""  # of the generator: edm, jitter, real-holdout ...
    open_set: bool = False  # the generator saw more real images than the cell's own


@dataclass(frozen=True)
class Verdict:
    """The answer at one (classifier, generator, protocol, real_share, num_real)."""

    classifier: str
    generator: str
    protocol: str
    real_share: str
    num_real: int
    outcome: Outcome
    best_multiple: float | None  # the amount the sentence is about
    gain: Estimate  # at that amount, simultaneous interval
    equivalent: Estimate
    exchange: Exchange | None
    smallest_detectable_gain: float
    deciding_draws: int | None  # draws that would likely decide it, where undecided
    deciding_seconds: float | None  # what the further draws would cost, generators included, as measured
    sentence: str
    family: str = ""
    open_set: bool = False


@dataclass(frozen=True)
class Analysis:
    """What ``laws.json`` and ``verdict.json`` hold."""

    error: str  # the column judged: test_error, or balanced_error where classes are unbalanced
    confidence: float
    delta: float
    draws: int
    seeds: int
    test_images: int
    replicates: int
    num_classes: int
    warnings: tuple[str, ...]
    real: tuple[RealCurve, ...]
    studies: tuple[Study, ...]
    verdicts: tuple[Verdict, ...]
    headline: str
    controls: tuple[dict[str, Any], ...] = ()  # what generators with a known answer came out at
    simultaneous_confidence: float | None = None  # of the intervals that hold for all cells at once

    def laws_json(self) -> dict[str, Any]:
        """Everything but the verdicts, as plain JSON values."""
        whole = dataclasses.asdict(self)
        return {k: v for k, v in whole.items() if k not in ("verdicts", "headline")}

    def verdict_json(self) -> dict[str, Any]:
        """The verdicts and their headline, as plain JSON values."""
        whole = dataclasses.asdict(self)
        return {
            "headline": self.headline,
            "confidence": self.confidence,
            "delta": self.delta,
            "warnings": list(self.warnings),
            "verdicts": whole["verdicts"],
        }
