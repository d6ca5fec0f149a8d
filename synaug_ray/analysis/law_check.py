"""How far the averaged laws of a study can be trusted: their misfit, their held-out error, their ties to the cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synaug_ray.analysis.anchor import Anchor
from synaug_ray.analysis.measured_rates import Slopes
from synaug_ray.analysis.verdict_text import multiple
from synaug_ray.laws.averaging import WeightedLaw, average, misfit
from synaug_ray.laws.curves import CurveForm
from synaug_ray.laws.discrepancy import estimate
from synaug_ray.laws.joint import JointData, predict_log_error
from synaug_ray.laws.lack_of_fit import LackOfFit, lack_of_fit
from synaug_ray.laws.results import HeldOut
from synaug_ray.laws.selection import Candidate, HeldOutCells, fit_curves

NOISE_FREEDOM = 4.0  # of the noise's variances, pooled over cells, per draw beyond the first


@dataclass(frozen=True)
class Unseen:
    """What laws had seen when they were chosen, the cells they had not, and the error of their average there."""

    seen: JointData
    cells: HeldOutCells
    predicted: np.ndarray  # log errors of all cells, [k + C]

    @property
    def judged(self) -> HeldOut:
        """The accuracy of the averaged laws."""
        return self.cells.judge(self.predicted)


def unseen(
    data: JointData,
    masks: tuple[np.ndarray, np.ndarray],
    curve: CurveForm,
    candidates: dict[str, Candidate],
    cells: HeldOutCells,
) -> Unseen | None:
    """The averaged laws fitted to the development cells of ``masks``; None where none is usable.

    Args:
        data: all cells.
        masks: sizes and cells that the ``candidates``, fitted with the ``curve``, had seen.
        cells: the others.
    """
    seen = data.subset(*masks)
    laws = average(seen, fit_curves(seen), curve, candidates, {}, None)
    if not laws:
        return None
    each = [law.weight * predict_log_error(law.theta, law.curve, law.form, data)[0] for law in laws]
    return Unseen(seen, cells, np.sum(each, axis=0))


@dataclass(frozen=True)
class Checked:
    """The ties of the laws to the cells, their misfit, and in a sentence what they do not hold (empty: nothing)."""

    anchor: Anchor
    lack: LackOfFit
    misfit: str


def check(
    data: JointData,
    laws: list[WeightedLaw],
    draws: int,
    equivalents: tuple[np.ndarray, np.ndarray | None],
    steep: Mapping[tuple[float, float], Slopes],
    held_out: Unseen | None,
) -> Checked:
    """Judge ``laws``, at least one.

    Args:
        data: the cells they were fitted to.
        laws: as averaged.
        draws: number of draws; the noise is not known from one.
        equivalents: m as measured [C] and its replicates [B, C] or None, in real images.
        steep: measured slopes of m by (num_real, num_synthetic).
        held_out: the laws' error on cells they had not seen.
    """
    residual = misfit(laws)
    heaviest = max(laws, key=lambda law: law.weight)
    free = len(heaviest.curve.parameters), len(heaviest.form.parameters)
    lack = lack_of_fit(data, residual, sum(free), NOISE_FREEDOM * max(draws - 1, 0.1))
    found = estimate(data, residual, free, held_out and (held_out.seen, held_out.cells, held_out.predicted))
    n = data.sizes[data.base]
    point, samples = equivalents
    amounts = np.round(data.s * n, 6)
    unknown = Slopes(np.nan, None, None)  # the law counts there, uncorrected by its neighbours
    by_cell = {i: steep.get(at, unknown) for i, at in enumerate(zip(n, amounts, strict=True))} if steep else {}
    anchor = Anchor(data, found, point[None] / n, None if samples is None else samples / n, by_cell)
    return Checked(anchor, lack, _sentence(data, lack) if lack.refused and draws > 1 else "")


def _sentence(data: JointData, lack: LackOfFit) -> str:
    k, i = len(data.sizes), lack.worst
    if i < k:
        where = f"{data.sizes[i]:,.0f} real images alone"
    else:
        where = f"{multiple(data.s[i - k])} at {data.sizes[data.base[i - k]]:,.0f}"
    return (
        f"no fitted law holds the measurements (their misfit is {lack.overdispersion**0.5:.1f} times what noise "
        f"explains, the largest at {where})"
    )
