"""What several runs say beside each other: a row for each study, a group for what may be averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from synaug_ray.laws.meta_analysis import Pooled, Slope
from synaug_ray.laws.results import Estimate

Json = Mapping[str, Any]


class Role(StrEnum):
    """What a generator is to the question."""

    CLOSED = "closed-set"
    OPEN = "open-set"
    BASELINE = "baseline"  # learns nothing: the rival to beat
    CONTROL = "control"  # its answer is known


class Why(StrEnum):
    """Why something is not estimable, in a few words."""

    NOT_FINISHED = "not finished"
    NOT_ANALYSED = "not analysed"
    LEAKY = "test images known from training"
    NEAR_CHANCE = "hardly better than guessing"
    NOT_MEASURED = "not measured"
    NO_INTERVAL = "no interval"
    FLAT = "more real images not shown to help"
    LACK_OF_FIT = "no law fits"
    AT_BOUND = "not determined by these data"


@dataclass(frozen=True)
class Reason:
    """Why something is not estimable: in a few words, and in a sentence."""

    why: Why
    text: str


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """The files of one run, as plain JSON values; None for those that it does not have."""

    name: str
    laws: Json | None
    verdict: Json | None
    audit: Json | None
    quality: Json | None
    status: Json | None
    dataset: str = ""  # as the table of trials names it, where ``status.json`` does not
    advice: str = ""  # of its card
    trials: pd.DataFrame | None = None  # measurements.parquet


@dataclass(frozen=True, kw_only=True)
class Row:
    """One study of one run at one number of real and synthetic images; or a run that has none to show.

    Errors, gains and shares are fractions. ``why`` is given where nothing may be taken from the row, and then its
    numbers are not estimable.
    """

    run: str
    dataset: str
    unit: str  # rows of one unit share their images, and count as one data set
    why: Reason | None = None
    pixels: tuple[int, int] | None = None  # height and width of the images that were trained on
    advice: str = ""  # of the run's card
    classes: int | None = None
    test_images: int | None = None
    draws: int | None = None
    core_hours: float | None = None  # of the whole run
    error_name: str = "test error"
    confidence: float = 0.9
    generator: str = ""
    family: str = ""
    role: Role | None = None
    classifier: str = ""
    pretrained: bool = False  # whether the classifier has seen other images
    protocol: str = ""
    real_share: str = ""
    num_real: int | None = None
    num_synthetic: int | None = None
    multiple: float | None = None
    real_error: Estimate = Estimate(None)  # without synthetic images
    outcome: str = ""
    gain: Estimate = Estimate(None)  # of this cell by itself
    real_gain: float | None = None  # of as many held-out real images instead, where they were measured
    missing: Estimate = Estimate(None)  # by how much that is more
    baseline: str = ""  # family of the baseline at the same place, classical augmentation where it was measured
    over_baseline: Estimate = Estimate(None)  # by how much the gain is above that baseline's
    log_ratio: Estimate = Estimate(None)  # ln(error without / error with synthetic images)
    equivalent: Estimate = Estimate(None)  # real images that the gain is worth; one end alone is a bound
    equivalent_why: Reason | None = None
    rate: Estimate = Estimate(None)  # synthetic images that replace the next real one
    rate_why: str = ""
    c2: Estimate = Estimate(None)
    lambda_per_image: Estimate = Estimate(None)
    law_why: Reason | None = None
    fidelity: float | None = None  # share of synthetic images that show their class, of that of real ones
    copies: float | None = None  # share of synthetic images that are near-copies
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The data set with the size of its images, where that is known: what a reader must not confuse."""
        return f"{self.dataset} ({self.pixels[0]}×{self.pixels[1]})" if self.pixels else self.dataset

    @property
    def worth(self) -> Estimate:
        """Real images that each synthetic one is worth."""
        m, s = self.equivalent, self.num_synthetic
        if not s:
            return Estimate(None)
        return Estimate(*(None if x is None else x / s for x in (m.value, m.low, m.high)))

    @property
    def group(self) -> tuple[str, ...]:
        """What rows have in common that may be averaged: kind of generator, protocol, mix, kind of classifier."""
        kind = str(self.role) if self.role in (Role.CLOSED, Role.OPEN) else self.family
        return kind, self.protocol, self.real_share, "pretrained" if self.pretrained else "from scratch"


@dataclass(frozen=True)
class Average:
    """One quantity over the data sets of a group; ``why`` where there is no mean."""

    pooled: Pooled | None
    why: str = ""


@dataclass(frozen=True)
class Explanation:
    """One property of the data sets, and how the gain changes with it."""

    name: str
    unit: str  # what one step of the property is
    slope: Slope | None  # of ``log_ratio``, per step
    p: float | None = None  # that allows for all properties that were tried
    why: str = ""  # why there is no slope


@dataclass(frozen=True)
class Group:
    """Rows that ask the same question of several data sets."""

    key: tuple[str, ...]
    role: Role
    rows: tuple[Row, ...]  # all, also those without numbers
    datasets: int  # that have a gain with an interval
    gain: Average
    log_ratio: Average
    over_baseline: Average
    worth: Average  # real images per synthetic one
    log_c2: Average
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Several runs beside each other."""

    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    confidence: float  # of means and prediction intervals
    asked_real: int | None
    multiple: float | None  # at which all rows are compared; None if nothing was measured
    asked_multiple: bool
