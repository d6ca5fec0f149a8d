"""What laws miss: seen by the gate where it is planted, small where there is nothing, wider the further away."""

import dataclasses

import numpy as np
import pytest

from synaug_ray.laws.discrepancy import beyond, correction, estimate, interpolation, one_step_ahead, rate
from synaug_ray.laws.joint import joint_model
from synaug_ray.laws.lack_of_fit import lack_of_fit
from synaug_ray.laws.selection import fit_curves, fit_forms
from tests.laws.test_selection import CURVE, planted

CELLS = planted("F3")
DATA = dataclasses.replace(CELLS, real_error=0.02 * CELLS.real, gain_error=np.full(len(CELLS.s), 0.001))
K = len(DATA.sizes)


def residual_of(data):
    candidates = fit_forms(data, CURVE, fit_curves(data)["power law"].fit.theta)
    best = min((c for c in candidates.values()), key=lambda c: c.fit.cost)
    from synaug_ray.laws.equivalence import BY_NAME

    return data.target - joint_model(CURVE, BY_NAME[best.name], data)(best.fit.theta[None])[0]


def bent():
    """The same cells, but the error at 80 images is a quarter higher: no power law holds it."""
    real = DATA.real * np.where(np.isclose(DATA.sizes, 80), 1.25, 1.0)
    return dataclasses.replace(DATA, real=real)


def test_the_gate_opens_for_the_planted_law_and_closes_for_a_bend():
    assert not lack_of_fit(DATA, residual_of(DATA), 5, np.inf).refused
    found = lack_of_fit(bent(), residual_of(bent()), 5, np.inf)
    assert found.refused and found.overdispersion > 3
    assert DATA.sizes[found.worst] == 80
    assert not lack_of_fit(bent(), residual_of(bent()), 5, 0.4).refused  # noise that is hardly known refutes nothing


def test_under_exact_laws_the_gate_refuses_rarely():
    rng = np.random.default_rng(0)
    size = np.linalg.cholesky(DATA.point_covariance)
    refused = [lack_of_fit(DATA, size @ rng.standard_normal(len(size)), 0, np.inf).refused for _ in range(500)]
    assert np.mean(refused) < 0.02


def test_inside_a_discrepancy_ends_in_the_measurements_and_without_one_in_the_law():
    data = bent()
    residual = residual_of(data)
    large = estimate(data, residual, (2, 3), None)
    small = estimate(DATA, residual_of(DATA), (2, 3), None)
    assert large.real > 3 * small.real and small.real < 0.02
    at = correction(large, data, data.sizes, np.zeros(K))
    i = int(np.flatnonzero(np.isclose(data.sizes, 80))[0])
    assert (at.weights @ residual)[i] == pytest.approx(residual[i], rel=0.2)
    assert (correction(small, data, data.sizes, np.zeros(K)).weights[:, :K].sum(axis=1) < 0.8).all()


def test_spread_grows_with_doublings_beyond_sizes_and_amounts():
    found = estimate(DATA, residual_of(DATA), (2, 3), None)
    n = DATA.sizes.max() * np.array([1.0, 2.0, 4.0, 8.0])
    spread = correction(found, DATA, n, np.zeros(4)).spread
    assert (np.diff(spread) > 0.015).all() and spread[3] == pytest.approx(3 * found.real_rate, rel=0.1)
    s = DATA.s.max() * np.array([1.0, 2.0, 4.0])
    more = correction(found, DATA, np.full(3, 40.0), s).spread
    assert (np.diff(more) > 0.01).all()
    assert beyond(np.array([40.0]), DATA.s[:1], DATA.sizes, DATA.s).tolist() == [[0.0], [0.0]]


def test_one_step_ahead_sees_a_break():
    straight, noise = one_step_ahead(DATA)
    assert np.abs(straight).max() < 0.04 and (noise > 0).all()
    broken = dataclasses.replace(DATA, real=DATA.real * np.where(DATA.sizes > 100, (DATA.sizes / 100) ** -0.8, 1.0))
    assert rate(*one_step_ahead(broken))[0] > 3 * rate(straight, noise)[0]


def test_interpolation_is_exact_at_cells_and_nothing_without_synthetic_images():
    n, every = DATA.sizes[DATA.base], np.arange(len(DATA.s))
    assert interpolation(DATA, every, n, DATA.s, from_zero=True) == pytest.approx(np.eye(len(n)), abs=1e-6)
    assert interpolation(DATA, every, n[:2], np.zeros(2), from_zero=True) == pytest.approx(0.0)
    assert interpolation(DATA, every[:3], n[:3], DATA.s[:3], from_zero=False) == pytest.approx(np.eye(3), abs=1e-6)
