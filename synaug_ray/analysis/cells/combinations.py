"""Intervals of linear combinations of cells, such as differences of gains: of each alone, and of all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synaug_ray.laws import bootstrap, moderation, simultaneous
from synaug_ray.laws.results import Estimate


@dataclass(frozen=True)
class Between:
    """An estimate with its pointwise interval, and with one that holds for all estimates that were made together."""

    own: Estimate
    simultaneous: Estimate


@dataclass(frozen=True, kw_only=True)
class Combinations:
    """Q combinations, each paired within draws and test images."""

    values: np.ndarray  # float32 [Q, draws, images]; NaN for a draw that a combination lacks
    image_weights: np.ndarray  # [images]; the mean of ``values`` with these weights is the estimate
    strata: np.ndarray  # int [images]
    groups: np.ndarray | None  # int [images]
    trials: int  # of a cell
    log_size: np.ndarray  # log num_real, [Q]
    family: np.ndarray  # int [Q]; variances between draws are pooled within a family
    block: np.ndarray  # int [Q]; combinations of a block vary together, and count once where variances are pooled

    def estimates(
        self,
        *,
        confidence: float,
        simultaneous_confidence: float,
        looks: Sequence[simultaneous.Look],
        replicates: int,
        rng: np.random.Generator,
    ) -> list[Between]:
        """One for each combination; without intervals if ``replicates`` is 0, or from one draw.

        For the simultaneous intervals each combination has draws of its own: independence is conservative (Sidak 1967).
        """
        parts = bootstrap.components(self.values, self.image_weights, self.strata, self.trials, self.groups)
        half, wide = np.full(len(self.values), np.nan), np.full(len(self.values), np.nan)
        several = np.flatnonzero(parts.draws > 1)
        if replicates and len(several):
            own = parts.take(several)
            errors = moderation.moderate(own, self.log_size[several], self.family[several], self.block[several])
            half[several] = moderation.half_widths(errors, confidence)
            alone, alpha = np.arange(len(several)), 1 - simultaneous_confidence
            critical = simultaneous.critical_p(own, errors, alone, alpha, looks, replicates, rng)
            wide[several] = simultaneous.quantiles(errors, critical) * errors.error
        return [
            Between(Estimate.around(value, a), Estimate.around(value, b))
            for value, a, b in zip(parts.estimates, half, wide, strict=True)
        ]
