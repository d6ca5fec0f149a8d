"""Inversion of the real-only curve: exact inside, censored outside, negative where it hurts."""

import numpy as np
import pytest

from synaug_ray.analysis.cells.measured_cells import equivalent_estimate, equivalents, falls, smooth, widened
from synaug_ray.analysis.results import Cell, Censoring
from synaug_ray.laws.results import Estimate

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


def gain_of(n, extra):
    """What ``extra`` more real images bring at n."""
    return curve(n) - curve(n + extra)


@pytest.mark.parametrize("middle", [-15.0, 0.0, 20.0, 110.0])
@pytest.mark.parametrize("half", [0.005, 0.06])
@pytest.mark.parametrize("ratio", [1.0, 3.0])
@pytest.mark.parametrize("curve_noise", [0.0, 0.01])
def test_gain_and_worth_hold_zero_alike_and_worth_is_never_the_narrower(middle, half, ratio, curve_noise):
    """Normal noise of the gain and of the curve: the interval of m is the truth's, at another confidence."""
    rng = np.random.default_rng(3)
    value = gain_of(40.0, middle)
    gains = value + half / 1.645 * rng.standard_normal(300)
    errors = ERRORS * np.exp(curve_noise * rng.standard_normal((300, len(SIZES))))
    samples = np.array(
        [equivalents(SIZES, e, np.array([40.0]), g[None])[0] for e, g in zip(errors, gains, strict=True)]
    )
    own, _ = equivalent_estimate(middle, samples, 40, SIZES, 0.9)
    gain = Estimate(value, value - half, value + half)
    joint = Estimate(value, value - ratio * half, value + ratio * half)
    found = widened(own, gain, joint, 40, SIZES, ERRORS)
    low, high = -np.inf if found.low is None else found.low, np.inf if found.high is None else found.high
    assert (low > 0) <= (joint.low > 0) and (high < 0) <= (joint.high < 0)
    if joint.low <= 0 <= joint.high:
        assert low <= 0 <= high
    # no narrower than the pointwise one, but for an end that the sign of the gain forbids
    assert low <= (-np.inf if own.low is None else own.low) + 1e-6 or low == 0.0
    assert high >= (np.inf if own.high is None else own.high) - 1e-6 or high == 0.0
    if curve_noise == 0.0 and found.low is not None and low > 0:  # then m is a function of the gain alone
        assert curve(40.0) - curve(40.0 + low) == pytest.approx(joint.low, abs=0.1 * half * ratio)


def test_an_end_beyond_the_curve_is_a_bound_and_an_open_one_stays_open():
    value = gain_of(40.0, 110.0) + 0.05
    own = Estimate(None, 120.0, None)
    found = widened(own, Estimate(value, value - 0.01, value + 0.01), Estimate(value, value - 0.02, value + 0.02), 40,
                    SIZES, ERRORS)  # fmt: skip
    assert found == Estimate(None, 120.0, None) or (found.low is not None and found.low < 120.0 and found.high is None)
    nothing = widened(own, Estimate(value, value - 0.01, value + 0.01), Estimate(value), 40, SIZES, ERRORS)
    assert nothing == Estimate(None)  # no interval for the gain, none for what it is worth
    undecided = widened(own, Estimate(value, value - 0.01, value + 0.01), Estimate(value, -0.01, value + 0.2), 40,
                        SIZES, ERRORS)  # fmt: skip
    assert undecided.low is None or undecided.low <= 0  # never "at least 120" where the gain may be none


def cells_with(errors_by_multiple, noise, seed=0):
    """Three amounts at each size, their errors this many times that of real images alone."""
    rng, none = np.random.default_rng(seed), Estimate(None)
    return [
        Cell(int(n), int(n * s), s, 10, Estimate(curve(n) * times * np.exp(noise * rng.standard_normal())), none, none,
             none, Censoring.NONE, False)
        for n in SIZES for s, times in errors_by_multiple.items()
    ]  # fmt: skip


def test_a_rise_at_the_largest_amount_is_told_apart_from_chance():
    rising = falls(cells_with({1: 0.8, 4: 0.7, 8: 0.9}, 0.03))
    assert rising.startswith("from 4 to 8 synthetic images per real one the error rises, by 2")
    assert not falls(cells_with({1: 0.9, 4: 0.7, 8: 0.6}, 0.03))
    told = [bool(falls(cells_with({1: 0.8, 4: 0.7, 8: 0.7}, 0.05, seed))) for seed in range(200)]
    assert np.mean(told) < 0.09
    assert not falls(cells_with({4: 0.7, 8: 0.9}, 0.0)[:4])  # two sizes


def test_cells_without_a_wrong_answer_say_nothing_of_a_rise():
    assert not falls(cells_with({4: 0.7, 8: 0.0}, 0.03)) and not falls([])
