"""How far a study's averaged laws can be trusted: their misfit, their held-out error, and corrections by the cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synaug_ray.analysis.anchor import Anchor
from synaug_ray.analysis.cells.measured_rates import Slopes
from synaug_ray.analysis.verdict_text import multiple
from synaug_ray.laws.averaging import WeightedLaw, average, misfit
from synaug_ray.laws.curves import CurveForm
from synaug_ray.laws.discrepancy import estimate
from synaug_ray.laws.joint import JointData, predict_log_error
from synaug_ray.laws.lack_of_fit import LackOfFit, lack_of_fit
from synaug_ray.laws.results import HeldOut
from synaug_ray.laws.selection import Candidate, HeldOutCells, fit_curves

NOISE_FREEDOM = 4.0  # degrees of freedom of the noise variances, pooled over cells, per draw after the first


@dataclass(frozen=True)
class Unseen:
    """Held-out cells, and the predictions of the averaged laws that were fitted without them."""

    seen: JointData  # the development cells
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
    """The averaged laws, fitted to the development cells; None if no law is usable.

    Args:
        data: all cells.
        masks: the sizes and cells to which the ``candidates`` were fitted, with the ``curve``.
        cells: the held-out ones.
    """
    seen = data.subset(*masks)
    laws = average(seen, fit_curves(seen), curve, candidates, {}, None)
    if not laws:
        return None
    each = [law.weight * predict_log_error(law.theta, law.curve, law.form, data)[0] for law in laws]
    return Unseen(seen, cells, np.sum(each, axis=0))


@dataclass(frozen=True)
class Checked:
    """Corrections of the laws by the cells, and the laws' misfit, with a sentence if it is significant, else ''."""

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
    """Check averaged laws.

    Args:
        data: the cells to which they were fitted.
        laws: at least one.
        draws: number of draws; the noise is not known from one draw.
        equivalents: m as measured, [C], in real images, and its replicates [B, C] or None.
        steep: measured slopes of m, by (num_real, num_synthetic).
        held_out: the laws' predictions for held-out cells.
    """
    residual = misfit(laws)
    heaviest = max(laws, key=lambda law: law.weight)
    free = len(heaviest.curve.parameters), len(heaviest.form.parameters)
    lack = lack_of_fit(data, residual, sum(free), NOISE_FREEDOM * max(draws - 1, 0.1))
    found = estimate(data, residual, free, held_out and (held_out.seen, held_out.cells, held_out.predicted))
    n = data.sizes[data.base]
    point, samples = equivalents
    amounts = np.round(data.s * n, 6)
    unknown = Slopes(np.nan, None, None)  # there the law is used, without correction by neighbouring cells
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
        f"no fitted law describes the measurements (the misfit is {lack.overdispersion**0.5:.1f} times what noise "
        f"explains, and largest at {where})"
    )
