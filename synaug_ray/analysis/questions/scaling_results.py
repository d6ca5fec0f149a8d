"""The results of synthetic scaling: errors of synthetic images alone over their number, and where they end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from synaug_ray.laws.results import Estimate


class Ever(StrEnum):
    """Would more of the same synthetic images ever do, without any real image beside them?"""

    NO = "no"  # they end above real images alone
    YES = "yes"  # they end as low, within the margin
    NOT_KNOWN = "not known"


@dataclass(frozen=True)
class ScalingPoint:
    """The error of synthetic images alone at an amount: measured, or on the fitted line."""

    num_synthetic: float
    error: Estimate


@dataclass(frozen=True, kw_only=True)
class PoolQuality:
    """What the quality checks found in a generator's images: means over the checked draws; None: not known."""

    recognised: float | None  # share in which classifiers of real images see the requested class
    recognised_real: float | None  # the same share of real images
    recall: float | None  # share of real images that lie among the synthetic ones
    coverage: float | None  # share of real images with a synthetic one close to them; 0.97 for real ones
    near_copies: float | None
    draws: int


@dataclass(frozen=True, kw_only=True)
class SyntheticScaling:
    """Synthetic images alone, of one generator at one number of real images, with intervals of each number alone.

    Without a value, an end of an interval is a bound. ``why_not`` says why something was not determined.
    """

    classifier: str
    generator: str
    protocol: str
    real_share: str
    num_real: int
    points: tuple[ScalingPoint, ...]
    form: str = ""  # the form with a floor that has the most weight
    floor: Estimate = Estimate(None)  # the error that remains however many images there are
    exponent: Estimate = Estimate(None)  # c: far above the floor, doubling divides what is above it by 2^c
    near_floor: Estimate = Estimate(None)  # images from which all further ones together gain less than the margin
    doubling: Estimate = Estimate(None)  # gain of twice the largest amount over that
    real_floor: Estimate = Estimate(None)  # of real images alone, with the same classifier
    above_real: Estimate = Estimate(None)  # floor - real_floor
    margin: float
    family: str = ""  # of the generator
    line: tuple[ScalingPoint, ...] = ()  # from the smallest amount to four times the largest
    misfit: float | None = None  # distance from the measurements, where 1 is what noise explains
    ever: Ever = Ever.NOT_KNOWN
    why_not: str = ""
    quality: PoolQuality | None = None
    sentence: str = ""
