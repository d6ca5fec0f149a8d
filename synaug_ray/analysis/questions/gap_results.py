"""The difference between held-out real images and synthetic ones, part by part: the results of ``gap``."""

from __future__ import annotations

from dataclasses import dataclass

from synaug_ray.laws.results import Estimate

TRACED = 0.9  # from which share of re-made images they count as the same images
APPEARANCE, CONTENT, LABEL, JUDGES = "appearance", "content", "label", "judges' own mistakes"


@dataclass(frozen=True, kw_only=True)
class GapPart:
    """What one exchange does to the error: ``after`` in place of ``before``, both names of the table of trials."""

    part: str  # appearance, content, label; two of them, joined by "and", where the arm between them was not run
    before: str
    after: str
    change: Estimate  # of the error, a fraction: positive costs; pointwise interval
    simultaneous: Estimate  # interval that holds for all parts and wholes of the analysis at once
    outcome: str  # costs, gains, nothing (within the margin of the verdicts), undecided


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The gap of one generator: what its images cost in place of as many held-out real ones, taken apart."""

    generator: str
    remade: str  # the held-out images re-made by it; empty: not run
    classifier: str
    protocol: str
    real_share: str
    num_real: int | None  # None: the mean over all cells
    num_synthetic: int | None
    cells: int
    parts: tuple[GapPart, ...]  # in the order of the exchanges; their changes sum to that of ``whole``
    whole: GapPart
    traced: float | None  # share of re-made images that are still nearest to their own source; None: not known
    judges: GapPart | None  # what relabelling does to held-out images, whose labels are right; None: not run
    sentence: str
