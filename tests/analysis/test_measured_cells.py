"""Inversion of the real-only curve: exact inside, censored outside, negative where it hurts."""

import numpy as np
import pytest

from synaug_ray.analysis.measured_cells import equivalent_estimate, equivalents, smooth
from synaug_ray.analysis.results import Censoring

SIZES = np.array([20.0, 40.0, 80.0, 160.0])
ERRORS = 0.4 * (SIZES / 20) ** -0.5


def curve(n):
    return 0.4 * (n / 20) ** -0.5


@pytest.mark.parametrize("extra", [-20.0, -5.0, 0.0, 15.0, 100.0])
def test_a_power_law_is_inverted_exactly(extra):
    gain = curve(40.0) - curve(40.0 + extra)
    m = equivalents(SIZES, ERRORS, np.array([40.0]), np.array([gain]))[0]
    assert m == pytest.approx(extra, abs=1e-6)


def test_outside_the_measured_range_is_censored():
    n = np.array([40.0, 40.0])
    gains = np.array([curve(40.0) - curve(200.0), curve(40.0) - curve(15.0)])
    above, below = equivalents(SIZES, ERRORS, n, gains)
    assert above == np.inf
    assert below == -np.inf
    estimate, censoring = equivalent_estimate(above, np.full(100, np.inf), 40, SIZES, 0.9)
    assert censoring is Censoring.ABOVE
    assert (estimate.value, estimate.low, estimate.high) == (None, 120.0, None)
    estimate, censoring = equivalent_estimate(below, np.full(100, -np.inf), 40, SIZES, 0.9)
    assert censoring is Censoring.BELOW
    assert (estimate.value, estimate.low, estimate.high) == (None, None, -20.0)


def test_no_gain_is_worth_nothing_even_where_the_curve_rises():
    bumpy = np.array([0.40, 0.25, 0.27, 0.15])
    m = equivalents(SIZES, bumpy, SIZES, np.zeros(4))
    np.testing.assert_array_equal(m, 0.0)


def test_smoothed_curve_falls_strictly_over_the_measured_range():
    for bumpy in ([0.3, 0.35, 0.2, 0.2], [0.2, 0.3, 0.4, 0.5]):
        x, y = smooth(np.log(SIZES), np.log(bumpy))
        assert (np.diff(y) < 0).all()
        assert (x[0], x[-1]) == (np.log(20), np.log(160))
