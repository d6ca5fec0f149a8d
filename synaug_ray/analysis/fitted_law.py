"""A fitted law as a result: its parameters with units and intervals, and its misfit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synaug_ray.analysis.real_only import as_estimate
from synaug_ray.analysis.results import PrimaryLaw
from synaug_ray.laws.curves import CurveForm
from synaug_ray.laws.equivalence import BY_NAME, reported
from synaug_ray.laws.joint import JointData, predict_log_error, split
from synaug_ray.laws.results import Estimate, HeldOut, LawFit
from synaug_ray.laws.selection import Candidate

PRIMARY = "F1"  # the source paper's law, always with an interval, for comparison with its published values


def law_fit(
    data: JointData,
    curve: CurveForm,
    candidate: Candidate,
    thetas: np.ndarray | None,
    judged: HeldOut | None,
    confidence: float,
) -> LawFit:
    """The ``candidate``, fitted to ``data`` with the ``curve``.

    Args:
        thetas: of the replicates, [B, P]; with None there are no intervals.
        judged: how well it predicted the held-out cells.
    """
    form = BY_NAME[candidate.name]
    point = reported(form, split(candidate.fit.theta[None], curve, form)[1], data.n0)
    drawn = None if thetas is None else reported(form, split(thetas, curve, form)[1], data.n0)
    parameters = {
        name: as_estimate(value[0, 0], None if drawn is None else drawn[name][0][:, 0], confidence)
        for name, (value, _) in point.items()
    }
    units = {name: unit for name, (_, unit) in point.items()} | {"n0": f"{data.n0:.6g} real images"}
    residual = predict_log_error(candidate.fit.theta[None], curve, form, data)[0] - data.log_errors()
    return LawFit(
        form=form.name,
        formula=form.formula,
        source=form.source,
        parameters=parameters,
        units=units,
        status=candidate.fit.status,
        share_of_starts=candidate.fit.share_of_starts,
        rmse_log_error=float(np.sqrt((residual**2).mean())),
        aicc=candidate.aicc,
        held_out=judged,
    )


def primary_law(
    data: JointData, curve: CurveForm, candidate: Candidate, thetas: np.ndarray | None, confidence: float
) -> PrimaryLaw:
    """The source paper's law in the source's own parameters; ``thetas`` as in ``law_fit``."""
    form = BY_NAME[PRIMARY]

    def named(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = reported(form, split(theta, curve, form)[1], data.n0)
        return values["c2"][0][:, 0], values["lambda"][0][:, 0]

    c2, rate = named(candidate.fit.theta[None])
    drawn = None if thetas is None else named(thetas)

    def estimate(value: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Estimate:
        return as_estimate(value(c2, rate)[0], None if drawn is None else value(*drawn), confidence)

    return PrimaryLaw(
        estimate(lambda c2, rate: c2),
        estimate(lambda c2, rate: rate),
        tuple(
            (int(n), estimate(lambda c2, rate, n=n: (c2 - 1) * np.exp(np.clip(rate * n, -60, 60))))
            for n in data.sizes[np.unique(data.base)]
        ),
        candidate.fit.status,
    )
