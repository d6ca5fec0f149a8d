"""Synthetic scaling (after Fan et al., arXiv 2312.04567): would more of the same synthetic images ever do?

From the trials without real images in training, for each generator and number of real images that it was made from: the
error over the number of synthetic images, fitted by E = E_inf + b s^-c and by M4. Their floor minus that of real images
alone, with the same classifier, is what no number of such images removes. Floors are extrapolations: they hold if the
curves go on as they did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synaug_ray.analysis.cells.cell_noise import CellUncertainty, measure
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.analysis.law_check import NOISE_FREEDOM
from synaug_ray.analysis.questions.scaling_results import Ever, PoolQuality, ScalingPoint, SyntheticScaling
from synaug_ray.analysis.questions.scaling_text import scaling_sentence
from synaug_ray.analysis.real_only import as_estimate
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.config.protocols import SYNTHETIC_ONLY
from synaug_ray.laws.covariance import cell_covariance
from synaug_ray.laws.floor import LEAST_AMOUNTS, FloorFit, fit_floor
from synaug_ray.laws.joint import JointData
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import Look

LEAST_TOLD = 3  # amounts from which a curve is reported; a floor needs LEAST_AMOUNTS
NO_FLOOR = 0.1  # of the error at the largest amount: a floor whose interval begins below that is not told from none
FARTHEST = 1_000.0  # times the largest amount; an amount beyond that is not given
LINE_POINTS, LINE_BEYOND = 31, 4.0
QUALITY = {
    "recognised": "label_agreement",
    "recognised_real": "label_reference",
    "recall": "recall",
    "coverage": "coverage",
    "near_copies": "near_copies",
}


@dataclass(frozen=True)
class _Curve:
    """A curve with its fit, or why it has none."""

    points: tuple[ScalingPoint, ...]
    fit: FloorFit | None = None
    why_not: str = ""

    def determined(self, confidence: float) -> bool:
        """Whether its floor is told from none."""
        if self.fit is None:
            return False
        low = np.quantile(self.fit.floor()[1], (1 - confidence) / 2)
        return bool(low >= NO_FLOOR * float(self.fit.error(np.array([self.points[-1].num_synthetic]))[0][0]))


def synthetic_scaling(
    cells: PairedCells,
    margins: Mapping[str, float],
    quality: Any,
    *,
    confidence: float,
    replicates: int,
    rng: np.random.Generator,
    looks: Sequence[Look],
) -> tuple[SyntheticScaling, ...]:
    """One result for each classifier, generator and number of real images with ``LEAST_TOLD`` amounts or more.

    Args:
        margins: by classifier, the largest difference of errors that counts as none.
        quality: the table of quality checks, or None.
        rng: of the bootstrap of these cells and the real-only ones.
    """
    series: dict[tuple[StudyKey, int], list[MixedCell]] = {}
    for cell in (*cells.mixed, *cells.alone):
        if cell.study.protocol == SYNTHETIC_ONLY:
            series.setdefault((cell.study, cell.num_real), []).append(cell)
    series = {at: sorted(of, key=lambda c: c.num_synthetic) for at, of in series.items() if len(of) >= LEAST_TOLD}
    if not series or not replicates:
        return ()
    # errors in place of gains: nothing is paired with these cells
    own = tuple(replace(cell, gains=cell.errors) for of in series.values() for cell in of)
    uncertainty = measure(
        replace(cells, mixed=own),
        confidence=confidence,
        simultaneous_confidence=confidence,
        replicates=replicates,
        rng=rng,
        looks=looks,
    )
    real: dict[str, _Curve] = {}
    found, start = [], len(cells.real)
    for (key, num_real), of in series.items():
        if key.classifier not in real:
            index = [i for i, cell in enumerate(cells.real) if cell.classifier == key.classifier]
            index.sort(key=lambda i: cells.real[i].num_real)
            sizes = [cells.real[i].num_real for i in index]
            real[key.classifier] = _curve(cells, uncertainty, np.array(index), sizes, "sizes of num_real", confidence)
        amounts = [cell.num_synthetic for cell in of]
        curve = _curve(cells, uncertainty, np.arange(start, start + len(of)), amounts, "amounts", confidence)
        start += len(of)
        result = _result(key, num_real, curve, real[key.classifier], margins[key.classifier], confidence)
        checked = _quality(quality, cells, key.generator, num_real)
        result = replace(result, quality=checked, family=cells.kinds[key.generator].family)
        found.append(replace(result, sentence=scaling_sentence(result)))
    return tuple(sorted(found, key=lambda r: (r.classifier, r.num_real)))


def _curve(
    cells: PairedCells,
    uncertainty: CellUncertainty,
    index: np.ndarray,
    amounts: Sequence[int],
    of_what: str,
    confidence: float,
) -> _Curve:
    """The curve of the cells number ``index``, which have these ``amounts`` of images, ascending."""
    points = tuple(ScalingPoint(a, uncertainty.estimate(i)) for a, i in zip(amounts, index, strict=True))
    drawn = uncertainty.replicates
    if drawn is None or (uncertainty.draws[index] < 2).any():
        return _Curve(points, why_not="one draw does not say how sure a floor would be")
    if len(amounts) < LEAST_AMOUNTS:
        return _Curve(points, why_not=f"a floor needs {LEAST_AMOUNTS} {of_what}, and there are {len(amounts)}")
    fall = drawn[:, index[0]] - drawn[:, index[-1]]
    if np.quantile(fall, (1 - confidence) / 2) <= 0:
        change = as_estimate(float(uncertainty.values[index[0]] - uncertainty.values[index[-1]]), fall, confidence)
        low, high = (100 * (end or 0.0) for end in (change.low, change.high))
        said = (
            f"{100 * (change.value or 0.0):.1f} points ({low:.1f} to {high:.1f}) from {amounts[0]:,} to {amounts[-1]:,}"
        )
        return _Curve(points, why_not=f"the error is not shown to fall: by {said} images")
    fit = fit_floor(
        _data(cells, uncertainty, index, amounts), drawn[:, index], NOISE_FREEDOM * (uncertainty.draws[index].min() - 1)
    )
    if fit is None:
        return _Curve(points, why_not="no curve with a floor could be fitted")
    if fit.lack.refused:
        worst = f"{amounts[fit.lack.worst]:,} images"
        times = fit.lack.overdispersion**0.5
        said = f"the misfit is {times:.1f} times what noise explains, and largest at {worst}"
        return _Curve(points, why_not=f"no curve with a floor describes the errors ({said})")
    return _Curve(points, fit)


def _data(cells: PairedCells, uncertainty: CellUncertainty, index: np.ndarray, amounts: Sequence[int]) -> JointData:
    """Cells as points of a fit, their amounts in place of sizes."""
    sizes, none = np.array(amounts, dtype=float), np.zeros(0)
    base = np.zeros(0, dtype=int)
    return JointData(
        sizes=sizes,
        real=uncertainty.values[index],
        real_error=uncertainty.pooled_error[index],
        base=base,
        s=none,
        gains=none,
        gain_error=none,
        chance=1 - 1 / max(cells.num_classes, 2),
        n0=float(np.exp(np.log(sizes).mean())),
        least_error=0.5 / (cells.images * cells.synthetic_draws * len(cells.seeds)),
        covariance=cell_covariance(
            uncertainty.parts.take(index),
            (uncertainty.pooled_error**2 - uncertainty.image_variance)[index],
            base,
            len(sizes),
        ),
    )


def _result(
    key: StudyKey, num_real: int, own: _Curve, real: _Curve, margin: float, confidence: float
) -> SyntheticScaling:
    result = SyntheticScaling(**key._asdict(), num_real=num_real, points=own.points, margin=margin, why_not=own.why_not)
    if real.fit is not None:
        result = replace(result, real_floor=_floor(real, confidence))
    elif not own.why_not:
        result = replace(result, why_not=f"of real images alone, {real.why_not}")
    if own.fit is None:
        return result
    largest = own.points[-1].num_synthetic
    at = np.array([largest, 2 * largest])
    error, drawn = own.fit.error(at)
    determined = own.determined(confidence)
    if not determined and not result.why_not:
        result = replace(result, why_not="a curve without a floor describes these amounts as well")
    result = replace(
        result,
        form=own.fit.form,
        misfit=own.fit.lack.overdispersion**0.5,
        floor=_floor(own, confidence),
        exponent=as_estimate(float(own.fit.exponent()[0]), own.fit.exponent()[1], confidence),
        near_floor=_near(own.fit, margin, largest, confidence) if determined else Estimate(None),
        doubling=as_estimate(error[0] - error[1], drawn[:, 0] - drawn[:, 1], confidence),
        line=_line(own.fit, own.points[0].num_synthetic, largest, confidence),
    )
    if real.fit is None:
        return result
    (floor, floors), (real_floor, real_floors) = own.fit.floor(), real.fit.floor()
    above = as_estimate(float(floor - real_floor), floors - real_floors, confidence)
    ever = Ever.NOT_KNOWN
    if above.low is not None and above.low > 0:
        ever = Ever.NO
    elif above.high is not None and above.high < margin:
        ever = Ever.YES
    return replace(result, above_real=above if determined else replace(above, value=None), ever=ever)


def _floor(curve: _Curve, confidence: float) -> Estimate:
    """The floor with its interval; its upper end alone where it is not told from none."""
    assert curve.fit is not None
    point, drawn = curve.fit.floor()
    found = as_estimate(float(point), drawn, confidence)
    return found if curve.determined(confidence) else Estimate(None, None, found.high)


def _near(fit: FloorFit, margin: float, largest: float, confidence: float) -> Estimate:
    """The amount from which all further images gain less than ``margin``; open where it is too far to tell."""
    point, drawn = fit.log_amount_near_floor(margin)
    most = np.log(FARTHEST * largest)
    drawn = np.where(drawn > most, np.inf, np.exp(np.minimum(drawn, most)))
    value = np.inf if point > most else float(np.exp(point))
    return as_estimate(value, np.maximum(drawn, 1.0), confidence)


def _line(fit: FloorFit, smallest: float, largest: float, confidence: float) -> tuple[ScalingPoint, ...]:
    amounts = np.geomspace(smallest, LINE_BEYOND * largest, LINE_POINTS)
    errors, drawn = fit.error(amounts)
    return tuple(
        ScalingPoint(float(a), as_estimate(e, drawn[:, i], confidence))
        for i, (a, e) in enumerate(zip(amounts, errors, strict=True))
    )


def _quality(quality: Any, cells: PairedCells, generator: str, num_real: int) -> PoolQuality | None:
    """The checks of a generator's pools; they name the number of real images that it was trained on."""
    if quality is None or not len(quality):
        return None
    made = cells.makings.get((generator, num_real))
    seen = num_real if made is None else made.trained_on
    rows = quality[(quality["generator"] == generator) & (quality["num_real"] == seen)]
    if not len(rows):
        return None
    means = {name: rows[column].astype(float).mean() if column in rows else None for name, column in QUALITY.items()}
    known = {name: None if mean is None or np.isnan(mean) else float(mean) for name, mean in means.items()}
    return PoolQuality(**known, draws=len(rows))
