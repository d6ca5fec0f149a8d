"""The results of protocol ``joint``. Errors, gains and shares are fractions in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

from synaug_ray.laws.results import Estimate


@dataclass(frozen=True, kw_only=True)
class OverClassifier:
    """A head beside a classifier of the grid that was trained on the same real images alone."""

    classifier: str
    error: float  # of the classifier
    gain: Estimate  # of the head over it


@dataclass(frozen=True, kw_only=True)
class JointCell:
    """The head of one generator's discriminator at one number of real images; all intervals are pointwise."""

    generator: str
    arm: str  # what it learnt from beside real images: synthetic ones, "selected" or "unselected"; "alone": none
    num_real: int
    draws: int
    nimg: int  # real images seen in training, counting repeats
    error: float  # mean over draws
    over_alone: (
        Estimate | None
    )  # gain over the same network without a generator; None for itself, or if that is missing
    over_unselected: Estimate | None  # gain over the same with all synthetic images
    classifiers: tuple[OverClassifier, ...]
    fakes_selected: float | None  # share of the synthetic images shown that the head learnt from; None without any
    weight_real: float | None  # learnt, of the loss on real images
    weight_fakes: float | None  # learnt, of the loss on synthetic ones
