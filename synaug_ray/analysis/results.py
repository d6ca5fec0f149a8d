"""The results of an analysis.

Units: errors, gains and probabilities are fractions in [0, 1] (the page shows
points, 1 point = 0.01); images are counts; nll is in nats. ``None`` means
"not estimable", never zero.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from synaug_ray.analysis.questions.contrast_results import Contrast
from synaug_ray.analysis.questions.gap_results import Gap
from synaug_ray.analysis.questions.generator_results import Behind, BudgetCurve, Ceiling, OverBaseline, Training
from synaug_ray.analysis.questions.joint_results import JointCell
from synaug_ray.analysis.questions.label_results import LabelSaving
from synaug_ray.analysis.questions.length_results import TrainingLength
from synaug_ray.analysis.questions.scaling_results import SyntheticScaling
from synaug_ray.analysis.questions.second_results import SecondTest
from synaug_ray.analysis.questions.staged_results import StagedCell
from synaug_ray.laws.results import Estimate, FitStatus, Form, HeldOut, LawFit, Published


class Outcome(StrEnum):
    """The four verdicts."""

    HELPS = "helps"
    HURTS = "hurts"
    NO_EFFECT = "no effect"
    UNDECIDED = "undecided"


class Censoring(StrEnum):
    """On which side of the measured real-only curve a real-equivalent is, if it has no value for that reason."""

    NONE = "none"
    ABOVE = "above"  # better than the largest measured num_real: at least `bound` images
    BELOW = "below"  # worse than the smallest measured num_real: at most `bound` images


@dataclass(frozen=True)
class CurvePoint:
    """The error at one real-only size: a measured point, or a point on the fitted line."""

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
    gain_simultaneous: Estimate  # the same with an interval that holds for all cells of the analysis at once
    equivalent: Estimate  # m(n, s): extra real images that this cell is worth; negative if it hurts
    censoring: Censoring
    held_out: bool  # not used for the selection of forms
    predicted_error: float | None = None  # by the chosen law
    equivalent_simultaneous: Estimate = Estimate(None)  # m with the interval that corresponds to gain_simultaneous
    instead: Estimate | None = None  # the error with real images in place of the synthetic ones minus this cell's


@dataclass(frozen=True)
class PrimaryLaw:
    """F1 in the parameters of its source (arXiv 2508.09550), for comparison with the published c2; always fitted.

    ``lambda_per_image`` is ln(c1) / k, since c1 and k are not identifiable separately. ``doubling`` is
    (c2 - 1) e^(lambda n), by num_real: the synthetic images per real one that are worth a doubling of the real images.
    """

    c2: Estimate
    lambda_per_image: Estimate
    doubling: tuple[tuple[int, Estimate], ...]
    status: FitStatus


@dataclass(frozen=True)
class Exchange:
    """How many synthetic images one more real image is worth at a working point.

    ``marginal`` and ``average`` are about replacement: how many synthetic images have the effect of real ones added to
    a real-only set. ``tradeoff`` answers another question: how many of them lower the error *here* as much as one more
    real image, which also improves the generator. All are averaged over laws by Akaike weights, so they can differ
    slightly from those of the chosen law.
    """

    num_real: int
    num_synthetic: int
    marginal: Estimate  # ds/dr: synthetic images that replace the next real image
    average: Estimate  # synthetic images divided by the real images that they replace
    reachable: bool  # False if no amount replaces another real image here
    limit: float | None  # no amount replaces more real images than this; None if the law is unbounded
    note: str = ""
    limit_interval: Estimate = Estimate(None)  # the same with its interval; an open end means an unbounded law
    tradeoff: Estimate = Estimate(None)  # (dE/dn) / (dE/ds); None if more synthetic images do not help here


@dataclass(frozen=True)
class RealCurve:
    """The real-only scaling law of one classifier."""

    classifier: str
    chosen: str
    fits: tuple[LawFit, ...]
    points: tuple[CurvePoint, ...]
    line: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class RealStep:
    """What more real images bring, between two neighbouring measured sizes."""

    classifier: str
    low: int  # real images
    high: int  # real images
    gain: Estimate  # decrease of the error from ``low`` to ``high``; pointwise interval


Rows = tuple[tuple[float | None, ...], ...]  # [len(num_real)][len(num_synthetic)]


@dataclass(frozen=True, kw_only=True)
class PredictionGrid:
    """Predictions of one study at any (num_real, num_synthetic) on a grid, averaged over laws like exchange rates.

    Between grid points, ln(error), equivalent and ln(marginal) are bilinear in u = ln n and
    v = ln(1 + s / num_synthetic[1]). Errors are fractions, ``equivalent`` is in real images, ``marginal`` is the number
    of synthetic images that the next real one is worth (without synthetic images, the rate of the first one). None
    means "not estimable", and in ``marginal`` also "not reachable". Intervals are pointwise, at the analysis's
    confidence; None is an open end.
    """

    num_real: tuple[float, ...]  # log-spaced ascending: half the smallest to twice the largest measured
    num_synthetic: tuple[
        float, ...
    ]  # 0, then the smallest measured amount to twice the largest, including all measured ones
    measured_num_real: tuple[int, int]  # smallest and largest size measured with synthetic images
    measured_num_synthetic: int  # largest measured amount
    measured_multiple: float  # largest measured synthetic multiple
    error: Rows
    error_low: Rows
    error_high: Rows
    equivalent: Rows
    equivalent_low: Rows
    equivalent_high: Rows
    marginal: Rows
    marginal_low: Rows
    marginal_high: Rows
    measured_real_only: tuple[int, int]  # smallest and largest size measured without synthetic images
    misfit: str = ""  # a sentence if no fitted law describes the measurements; then ``marginal`` has no values
    falls: str = ""  # a sentence if the error rises at the largest amounts; then nothing is predicted for more
    error_levels: tuple[float, ...] = ()  # of ``error_quantiles``; empty without replicates
    decided: tuple[tuple[int, bool], ...] = ()  # sizes with synthetic images, and whether any amount helps or hurts
    withheld: tuple[tuple[int, int, tuple[str, ...]], ...] = ()  # num_real, num_synthetic, rates not given in the cells
    error_quantiles: Rows = ()  # of the expected error of real images alone, [len(num_real)][len(error_levels)]


@dataclass(frozen=True)
class Generation:
    """The measured cost of synthetic images at one size, as medians over draws, in seconds of one core or GPU."""

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
    open_set: bool = False  # whether in every cell the generator saw more real images than the cell has
    surface: PredictionGrid | None = None
    generation: tuple[Generation, ...] = ()
    rivals: tuple[LawFit, ...] = ()  # J2 and J3, which have no real-equivalents: reported, never chosen
    primary: PrimaryLaw | None = None
    misfit: str = ""  # a sentence if no fitted law describes the measurements, else empty
    overdispersion: float | None = None  # chi-square of the averaged laws per degree of freedom
    held_out: HeldOut | None = None  # of the averaged laws, on which rates and predictions are based
    real_only_slope: float = 0.0  # with which further real-only draws correct the gains: see ``extra_draws``


@dataclass(frozen=True)
class Verdict:
    """The verdict for one (classifier, generator, protocol, real_share, num_real)."""

    classifier: str
    generator: str
    protocol: str
    real_share: str
    num_real: int
    outcome: Outcome
    best_multiple: float | None  # the amount that the sentence is about
    gain: Estimate  # at that amount; simultaneous interval, or pointwise for "no effect", which depends on that
    equivalent: Estimate  # what that gain is worth, with an interval of the same kind
    exchange: Exchange | None
    smallest_detectable_gain: float
    deciding_draws: int | None  # if undecided: draws, including existing ones, that decide it with probability 80%
    deciding_seconds: float | None  # measured cost of the additional draws, including generators
    sentence: str
    family: str = ""
    open_set: bool = False
    deciding_range: tuple[int, int | None] | None = None  # draws for 50% and 90%; None if no number of draws is enough
    margin: float | None = None  # gains and losses within +- this count as none
    failed_draws: int = 0  # draws whose generator failed, of ``tried_draws``; the verdict is about the others
    tried_draws: int | None = None
    training: Training | None = (
        None  # the effect of longer training; None if the generator is not trained, or not known to be
    )
    gain_if_failed: float | None = None  # the gain if each failed draw had the worst gain of the others
    training_length: str = ""  # of the classifier at this size, a value of ``Ended``; empty if not checked
    classifier_saw: str = ""  # images that a pretrained classifier has seen besides these; empty: none
    over_control: Estimate | None = None  # of a bridged protocol: gain over its stages on real images alone; pointwise


@dataclass(frozen=True)
class Analysis:
    """The content of ``laws.json`` and ``verdict.json``."""

    error: str  # the column that is analysed: test_error, or balanced_error if classes are unbalanced
    confidence: float
    delta: float
    draws: int  # with synthetic images; of all trials where none has
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
    real_draws: int = 0  # of real images alone: ``draws`` or more
    simultaneous_confidence: float | None = None  # of simultaneous intervals
    forms: tuple[Form, ...] = ()  # all fitted forms
    published: tuple[Published, ...] = ()  # published values of F1's c2
    looks: tuple[int, ...] = ()  # numbers of draws at each look at these results so far, including this one at the end
    relative_delta: float | None = None  # replaces ``delta`` by a fraction of the real-only error at each size
    budgets: tuple[BudgetCurve, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    real_steps: tuple[RealStep, ...] = ()
    over_baselines: tuple[OverBaseline, ...] = ()
    behind: tuple[Behind, ...] = ()  # cells of classifiers that are not the best on real images alone
    training_lengths: tuple[TrainingLength, ...] = ()  # whether classifiers are trained to their end, if checked
    label_savings: tuple[LabelSaving, ...] = ()  # of protocols that pretrain, and of cells without real images
    test_groups: int | None = None  # number of groups (such as patients) of test images; None if there are no groups
    staged: tuple[StagedCell, ...] = ()  # protocols in two stages, and their controls
    joint_words: tuple[str, ...] = ()  # what protocol joint gains, a sentence for each head
    joint: tuple[JointCell, ...] = ()  # heads of discriminators as classifiers, against their controls
    second_test: SecondTest | None = None  # on the images of ``data.test2``
    contrasts: tuple[Contrast, ...] = ()  # of gains between the levels of factors
    gaps: tuple[Gap, ...] = ()  # between held-out real images and synthetic ones, taken apart
    scaling: tuple[SyntheticScaling, ...] = ()  # synthetic images alone over their number
    chance_error: float | None = None  # ``error`` by guessing: of the best answer that looks at no image

    def laws_json(self) -> dict[str, Any]:
        """Everything except the verdicts, as plain JSON values."""
        whole = dataclasses.asdict(self)
        return {k: v for k, v in whole.items() if k not in ("verdicts", "headline", "second_test", "contrasts", "gaps")}

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
            **({} if self.second_test is None else {"second_test": whole["second_test"]}),
            **({"contrasts": whole["contrasts"]} if self.contrasts else {}),
            **({"gaps": whole["gaps"]} if self.gaps else {}),
        }
