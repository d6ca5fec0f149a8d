"""Differences of gains between two levels of a factor: the results of ``contrasts``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synaug_ray.laws.results import Estimate

Factor = Literal["filter", "use", "classifier", "generator"]  # use: protocol and real share, in words
Unit = Literal["points", "share of the error", "real images per synthetic one"]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """How ``level`` of a factor in place of ``reference`` changes the gain of ``generator``.

    With ``versus``, how much more it changes that gain than the gain of ``versus``: an interaction.
    """

    factor: Factor
    level: str
    reference: str
    generator: str  # empty if the factor is the generator
    versus: str  # empty: a difference of gains; else a difference of differences
    num_real: int | None  # None: the mean over all cells where all levels were measured
    cells: int  # measured with all levels, at the same other factors, num_real and num_synthetic
    unit: Unit  # of ``change``: gains and shares of the real-only error as fractions, or images
    change: Estimate  # pointwise interval
    simultaneous: Estimate  # interval that holds for all contrasts at once
    outcome: str  # more, less, no difference (within the margin of the verdicts), undecided
    sentence: str
