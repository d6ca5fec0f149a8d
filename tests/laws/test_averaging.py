"""Averaging: both curves that fit count, and each replicate goes to a law that fits it."""

import numpy as np
import pytest

from synaug_ray.laws.averaging import average, refit_law
from synaug_ray.laws.selection import fit_curves, fit_forms
from tests.laws.test_selection import CURVE, planted

FORMS = ("F0", "F1", "F3")


def averaged(noise_of_curve, replicates=None):
    data = planted("F3")
    curves = fit_curves(data)
    # With errors that wide either curve fits; with narrow ones the planted power law alone.
    data = type(data)(**{**vars(data), "real_error": noise_of_curve * data.real})
    curves = fit_curves(data)
    candidates = fit_forms(data, CURVE, curves[CURVE.name].fit.theta)
    return data, average(data, curves, CURVE, candidates, {}, replicates), candidates


def test_the_runner_up_curve_counts_where_it_fits_as_well():
    _, sure, _ = averaged(0.001)
    _, unsure, _ = averaged(0.1)
    assert sum(law.weight for law in unsure) == pytest.approx(1.0)
    assert len({law.curve.name for law in unsure}) == 2
    assert not any(law.curve.name.startswith("M4") for law in sure)  # it bends where the plant does not
    assert {law.curve.name for law in unsure} <= {"power law", "M4 without floor"}
    assert all(law.thetas is None for law in unsure)


def test_every_replicate_goes_to_one_law_by_its_own_fit():
    data = planted("F3")
    rate = planted("F0")
    real = np.repeat(data.real[None], 60, axis=0)
    # Half of the replicates are exact cells of F3, half of F0: each must end with a law that can follow it.
    gains = np.concatenate([np.repeat(data.gains[None], 30, 0), np.repeat(rate.gains[None], 30, 0)])
    _, laws, candidates = averaged(0.01, (real, gains))
    assert sum(len(law.thetas) for law in laws) == 60
    again = averaged(0.01, (real, gains))[1]
    assert all(np.array_equal(a.thetas, b.thetas) for a, b in zip(laws, again, strict=True))
    theta, cost = refit_law(data, CURVE, candidates["F3"], (real, gains))
    assert theta.shape == (60, 5) and (cost[:30] < 1e-2).all() and (cost[30:] > cost[:30].max()).all()
    assert refit_law(data, CURVE, candidates["F3"], None) is None
