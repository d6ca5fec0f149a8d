"""The result of the label-efficiency read-out."""

from __future__ import annotations

from dataclasses import dataclass

from synaug_ray.laws.results import Estimate


@dataclass(frozen=True, kw_only=True)
class LabelSaving:
    """The labels that one cell saves, with pointwise intervals.

    Without a value, an end of an interval is a bound: the error is beyond those of the measured real-only sizes.
    """

    classifier: str
    generator: str
    protocol: str  # synthetic-only at 0 real images
    real_share: str
    num_real: int
    num_synthetic: int
    error: Estimate
    needed: Estimate  # real images that real-only training needs for this error
    saved: Estimate  # needed - num_real
    labels: int | None  # labelled images of this data set in all, those of the generator included; None: not known
    saved_in_all: Estimate  # needed - labels
    why_not: str = ""  # why nothing is needed or saved that could be told, '' if something is
    sentence: str = ""
