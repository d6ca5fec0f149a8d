"""The results of an analysis, as frozen values.

Units: errors, gains and probabilities are fractions in [0, 1] (a page may show
points, 1 point = 0.01); images are counts; nll is in nats. ``None`` stands for
"not estimable", never for zero.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from synaug_ray.analysis.generator_results import BudgetCurve, Ceiling, Training
from synaug_ray.analysis.length_results import TrainingLength
from synaug_ray.laws.results import Estimate, FitStatus, Form, HeldOut, LawFit, Published


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
    equivalent_simultaneous: Estimate = Estimate(None)  # the same m, its interval as wide as gain_simultaneous's


@dataclass(frozen=True)
class PrimaryLaw:
    """F1 in the parameters of its source (arXiv 2508.09550), for comparison with the published c2. Always fitted.

    ``lambda_per_image`` is ln(c1) / k: c1 and k are not separately identifiable. ``doubling`` is
    (c2 - 1) e^(lambda n): synthetic images per real one that equal a doubling of the real images, by num_real.
    """

    c2: Estimate
    lambda_per_image: Estimate
    doubling: tuple[tuple[int, Estimate], ...]
    status: FitStatus


@dataclass(frozen=True)
class Exchange:
    """How many synthetic images one more real image is worth at a working point.

    ``marginal`` and ``average`` are about replacement: synthetic images that do what real ones added to a
    real-only set would. ``tradeoff`` answers another question: how many of them lower the error *here* as much as
    one more real image, which also improves the generator. All are averaged over laws by Akaike weights, so they
    can differ slightly from the chosen law alone.
    """

    num_real: int
    num_synthetic: int
    marginal: Estimate  # ds/dr: synthetic images that replace the next real image
    average: Estimate  # synthetic images over the real images they replace
    reachable: bool  # False: no amount replaces another real image here
    limit: float | None  # no amount replaces more real images than this, where the law is bounded
    note: str = ""
    limit_interval: Estimate = Estimate(None)  # the same with its interval; an open end is an unbounded law
    tradeoff: Estimate = Estimate(None)  # (dE/dn) / (dE/ds); None: more synthetic images do not help here


@dataclass(frozen=True)
class RealCurve:
    """The real-only scaling law of one classifier."""

    classifier: str
    chosen: str
    fits: tuple[LawFit, ...]
    points: tuple[CurvePoint, ...]
    line: tuple[CurvePoint, ...]


Rows = tuple[tuple[float | None, ...], ...]  # [len(num_real)][len(num_synthetic)]


@dataclass(frozen=True, kw_only=True)
class PredictionGrid:
    """Predictions of one study at any (num_real, num_synthetic), averaged over laws as exchanges are, on a grid.

    Between grid points: bilinear in u = ln n and v = ln(1 + s / num_synthetic[1]); of ln(error), of equivalent,
    of ln(marginal). Errors are fractions; ``equivalent`` counts real images, ``marginal`` the synthetic images the
    next real one is worth (at no synthetic image: at the first). None is "not estimable", and in ``marginal`` also
    "not reachable". Intervals are pointwise, at the analysis' confidence; None is an open end.
    """

    num_real: tuple[float, ...]  # log-spaced ascending: half the smallest to twice the largest measured
    num_synthetic: tuple[
        float, ...
    ]  # 0, then the smallest amount measured to twice the largest, all measured among them
    measured_num_real: tuple[int, int]  # sizes measured with synthetic images: inside nothing is extrapolated
    measured_num_synthetic: int  # largest amount measured
    measured_multiple: float  # largest synthetic multiple measured
    error: Rows
    error_low: Rows
    error_high: Rows
    equivalent: Rows
    equivalent_low: Rows
    equivalent_high: Rows
    marginal: Rows
    marginal_low: Rows
    marginal_high: Rows
    measured_real_only: tuple[int, int]  # sizes measured without: the range of the column num_synthetic = 0
    misfit: str = ""  # what no fitted law holds, in a sentence; then ``marginal`` has no values
    falls: str = ""  # that more synthetic images than measured would be worth less, in words; then none are predicted
    error_levels: tuple[float, ...] = ()  # of ``error_quantiles``; empty without replicates
    error_quantiles: Rows = ()  # [len(num_real)][len(error_levels)]: of the expected error of real images alone


@dataclass(frozen=True)
class Generation:
    """What synthetic images cost at one size, medians over draws, as measured (core-seconds, or of one GPU)."""

    num_real: int
    generator_seconds: float  # to train one generator
    seconds_per_image: float


@dataclass(frozen=True)
class Study:
    """All results for one (classifier, generator, protocol, real_share)."""

    classifier: str
    generator: str
    protocol: str
    real_share: str
    cells: tuple[Cell, ...]
    fits: tuple[LawFit, ...]
    chosen: str | None
    exchange: tuple[Exchange, ...]
    family: str = ""  # of the generator: edm, jitter, real-holdout ...
    open_set: bool = False  # in every cell the generator saw more real images than the cell's own
    surface: PredictionGrid | None = None
    generation: tuple[Generation, ...] = ()
    rivals: tuple[LawFit, ...] = ()  # J2 and J3, without real-equivalents: reported, never chosen
    primary: PrimaryLaw | None = None
    misfit: str = ""  # what no fitted law holds, in a sentence; empty where the laws hold
    overdispersion: float | None = None  # chi-square of the averaged laws per degree of freedom
    held_out: HeldOut | None = None  # of the averaged laws, which rates and predictions rest on


@dataclass(frozen=True)
class Verdict:
    """The verdict for one (classifier, generator, protocol, real_share, num_real)."""

    classifier: str
    generator: str
    protocol: str
    real_share: str
    num_real: int
    outcome: Outcome
    best_multiple: float | None  # the amount the sentence is about
    gain: Estimate  # at that amount; simultaneous interval, except for "no effect": the cell's own, which decides it
    equivalent: Estimate  # what that gain is worth, with an interval of the same kind
    exchange: Exchange | None
    smallest_detectable_gain: float
    deciding_draws: int | None  # draws, those there included, that decide it with a chance of 80%, where undecided
    deciding_seconds: float | None  # measured cost of the additional draws, generators included
    sentence: str
    family: str = ""
    open_set: bool = False
    deciding_range: tuple[int, int | None] | None = None  # draws for an even chance and for 90%; None: no number does
    margin: float | None = None  # gains and losses within +- this count as none
    failed_draws: int = 0  # whose generator failed, of ``tried_draws``; the verdict is of those that train
    tried_draws: int | None = None
    training: Training | None = (
        None  # what a longer training would do; None for what is not trained, or not known to be
    )
    gain_if_failed: float | None = None  # the gain with the worst one seen in place of those that failed
    training_length: str = ""  # of the classifier at this size, as ``Ended`` says it; empty: not checked
    classifier_saw: str = ""  # images that a pretrained classifier has seen besides these; empty: none


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
    controls: tuple[dict[str, Any], ...] = ()  # results of the generators with a known answer
    simultaneous_confidence: float | None = None  # of the intervals that hold for all cells at once
    forms: tuple[Form, ...] = ()  # all fitted forms
    published: tuple[Published, ...] = ()  # published values of F1's c2
    looks: tuple[int, ...] = ()  # numbers of draws at each look at these results so far, this one last
    relative_delta: float | None = None  # instead of ``delta``: a fraction of the real-only error of each size
    budgets: tuple[BudgetCurve, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    training_lengths: tuple[TrainingLength, ...] = ()  # are the classifiers trained to their end; empty: not checked
    test_groups: int | None = None  # independent groups (patients) of test images; None: each image is by itself

    def laws_json(self) -> dict[str, Any]:
        """Everything except the verdicts, as plain JSON values."""
        whole = dataclasses.asdict(self)
        return {k: v for k, v in whole.items() if k not in ("verdicts", "headline")}

    def verdict_json(self) -> dict[str, Any]:
        """The verdicts and their headline, as plain JSON values."""
        whole = dataclasses.asdict(self)
        return {
            "headline": self.headline,
            "confidence": self.confidence,
            "delta": self.delta,
            "relative_delta": self.relative_delta,
            "warnings": list(self.warnings),
            "verdicts": whole["verdicts"],
        }
