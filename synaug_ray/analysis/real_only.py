"""The real-only law of one classifier: all forms, the intervals of the chosen one, and the averaged line."""

from __future__ import annotations

import numpy as np

from synaug_ray.analysis.results import CurvePoint, RealCurve
from synaug_ray.laws.bootstrap import interval
from synaug_ray.laws.curve_average import averaged_curve
from synaug_ray.laws.curves import CURVES_BY_NAME
from synaug_ray.laws.fitting import outward, refit
from synaug_ray.laws.joint import JointData, curve_model, whitened
from synaug_ray.laws.results import Estimate, LawFit
from synaug_ray.laws.selection import Candidate, choose

LEAST_DRAWS = 3  # that the interval of a difference of errors needs: with two, it is wider than any measured difference
LINE_POINTS = 41
LINE_BEYOND = 2.0  # the fitted line is drawn up to this multiple of the largest measured size


def as_estimate(point: float, samples: np.ndarray | None, confidence: float) -> Estimate:
    """A value with the percentile interval of its replicates [B]."""
    low, high = (None, None) if samples is None else interval(samples, confidence)
    return Estimate(float(point) if np.isfinite(point) else None, low, high)


def _law_fit(data: JointData, candidate: Candidate, thetas: np.ndarray | None, confidence: float) -> LawFit:
    curve = CURVES_BY_NAME[candidate.name]
    natural = outward(candidate.fit.theta[None], curve.parameters)
    drawn = None if thetas is None else outward(thetas, curve.parameters)
    residual = curve_model(curve, data)(candidate.fit.theta[None])[0] - data.target[: len(data.sizes)]
    parameters = {
        p.name: as_estimate(natural[i][0, 0], None if drawn is None else drawn[i][:, 0], confidence)
        for i, p in enumerate(curve.parameters)
    }
    return LawFit(
        form=curve.name,
        formula=curve.formula,
        source=curve.source,
        parameters=parameters,
        units={p.name: p.unit for p in curve.parameters} | {"n0": f"{data.n0:.6g} real images"},
        status=candidate.fit.status,
        share_of_starts=candidate.fit.share_of_starts,
        rmse_log_error=float(np.sqrt((residual**2).mean())),
        aicc=candidate.aicc,
    )


def _line(
    data: JointData, candidates: dict[str, Candidate], replicates: np.ndarray | None, confidence: float
) -> tuple[CurvePoint, ...]:
    """The averaged curve with its discrepancy: one curve's band would include neither the choice of form nor misfit."""
    sizes = np.geomspace(data.sizes[0], LINE_BEYOND * data.sizes[-1], LINE_POINTS)
    point, drawn = averaged_curve(data, candidates, replicates, sizes)
    return tuple(
        CurvePoint(float(n), as_estimate(point[i], None if drawn is None else drawn[:, i], confidence))
        for i, n in enumerate(sizes)
    )


def describe(
    classifier: str,
    data: JointData,
    candidates: dict[str, Candidate],
    points: tuple[CurvePoint, ...],
    replicates: np.ndarray | None,
    confidence: float,
) -> RealCurve:
    """All fitted curves, the line of their average, and the intervals of the chosen one from ``replicates`` [B, k]."""
    chosen = choose(candidates)
    curve = CURVES_BY_NAME[chosen.name]
    thetas = None
    if replicates is not None:
        targets = np.log(np.maximum(replicates, data.least_error))
        model, targets, sigma = whitened(curve_model(curve, data), targets, data.whitener(slice(len(data.sizes))))
        thetas, _ = refit(model, chosen.fit, targets, sigma, curve.parameters)
    fits = tuple(
        _law_fit(data, candidate, thetas if candidate is chosen else None, confidence)
        for candidate in candidates.values()
    )
    return RealCurve(classifier, curve.name, fits, points, _line(data, candidates, replicates, confidence))


def not_shown_to_fall(classifier: str, data: JointData, draws: int) -> str:
    """The warning for errors of the largest and the smallest size that do not differ significantly."""
    low, high = f"{data.sizes[0]:,.0f}", f"{data.sizes[-1]:,.0f}"
    so = "so the value of a real image and all exchange rates are not estimable."
    if draws < LEAST_DRAWS and data.real[-1] < data.real[0]:
        told = f"{draws} draws are too few to say whether {high} real images are better than {low}"
        return f"{classifier}: {told}, {so} Use six or more (draws: 6)."
    told = f"{high} real images are not shown to be better than {low}"
    return f"{classifier}: {told}, {so} Use more draws, or a wider range of num_real."


def shape_warnings(classifier: str, sizes: np.ndarray, replicates: np.ndarray | None, confidence: float) -> list[str]:
    """Warnings for a measured curve that significantly rises, or falls faster than before.

    Equivalents are read off this curve, and all fitted curves fall ever more slowly.

    Args:
        sizes: ascending, [k].
        replicates: of the errors, [B, k].
    """
    if replicates is None or len(sizes) < 2:
        return []
    found = []
    tail = (1 - confidence) / 2 / max(len(sizes) - 1, 1)  # Bonferroni over all segments
    pieces = -np.diff(replicates, axis=1) / np.diff(sizes)
    for i in np.flatnonzero(np.quantile(pieces, 1 - tail, axis=0) < 0):
        found.append(
            f"{classifier}: the error rises from {sizes[i]:,.0f} to {sizes[i + 1]:,.0f} real images. Before "
            "real-equivalents are read off, sizes between which it does not fall are pooled."
        )
    for i in np.flatnonzero(np.quantile(np.diff(pieces, axis=1), tail, axis=0) > 0):
        found.append(
            f"{classifier}: the real-only curve is not convex: a real image lowers the error more from "
            f"{sizes[i + 1]:,.0f} to {sizes[i + 2]:,.0f} than from {sizes[i]:,.0f} to {sizes[i + 1]:,.0f}. No fitted "
            "curve does so; real-equivalents near these sizes are read off straight lines between them."
        )
    return found
