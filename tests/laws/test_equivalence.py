"""The forms against their formulas, their derivatives against differences, their limits against search."""

import numpy as np
import pytest

from synaug_ray.analysis.exchange import WeightedLaw, exchange, median, rates, tradeoff
from synaug_ray.laws.curves import CURVES
from synaug_ray.laws.equivalence import BY_NAME, FORMS, grow, reported
from synaug_ray.laws.fitting import starts_of


def natural(form, row):
    """Natural parameters [1, 1] of one declared start."""
    return tuple(np.array([[float(p.outward(v))]]) for p, v in zip(form.parameters, row, strict=True))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_slope_equals_central_differences(form):
    # Step 1e-5: truncation 1e-10 and rounding 1e-11 of r, both far below the tolerance.
    s = np.array([0.5, 2.0, 8.0])
    x = np.array([0.3, 1.0, 4.0])
    for row in starts_of(form.parameters):
        p = natural(form, row)
        numeric = (form.r(p, x, s + 1e-5) - form.r(p, x, s - 1e-5)) / 2e-5
        np.testing.assert_allclose(form.slope(p, x, s), numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_limit_is_the_supremum_over_amounts(form):
    s = np.concatenate([[0.0], np.geomspace(1e-3, 1e7, 20_001)])
    for row in starts_of(form.parameters):
        p = natural(form, row)
        limit = float(form.limit(p, np.array([1.5]))[0, 0])
        highest = float(form.r(p, np.array([1.5]), s).max())
        if np.isfinite(limit):
            assert highest == pytest.approx(limit, rel=2e-3, abs=1e-6)
        else:
            half = float(form.r(p, np.array([1.5]), s[: len(s) // 2]).max())
            assert highest > half  # it still grows at ten million synthetic images a real one


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_no_synthetic_images_are_worth_nothing(form):
    for row in starts_of(form.parameters):
        assert form.r(natural(form, row), np.array([0.7]), np.array([0.0])) == pytest.approx(0.0, abs=1e-12)


def test_primary_law_round_trip_and_its_marginal_rate():
    """F1 as published: s = e^(lambda n) (c2^r - 1), ds/dr = ln(c2) (s + e^(lambda n))."""
    form, n0, n, lam, c2 = BY_NAME["F1"], 100.0, 250.0, 0.004, 2.53
    p = (np.array([[np.log(c2)]]), np.array([[lam * n0]]))
    r = 1.7
    s = np.exp(lam * n) * (c2**r - 1)
    assert float(form.r(p, np.array([n / n0]), np.array([s]))[0, 0]) == pytest.approx(r)
    marginal, average, limit = (v[0, 0] for v in rates(form, p, np.array([n]), n0, np.array([s * n])))
    assert marginal == pytest.approx(np.log(c2) * (s + np.exp(lam * n)))
    assert average == pytest.approx(s / r)
    assert limit == np.inf
    named = reported(form, p, n0)
    assert float(named["c2"][0][0, 0]) == pytest.approx(c2)
    assert float(named["lambda"][0][0, 0]) == pytest.approx(lam)


CURVE = next(curve for curve in CURVES if curve.name == "power law")


def weighted(name, natural, weight=1.0, replicates=0):
    """A law with a curve before it; natural parameters, all replicates the same."""
    parameters = (*CURVE.parameters, *BY_NAME[name].parameters)
    theta = np.array([[float(p.inward(np.asarray(v))) for p, v in zip(parameters, (0.2, 0.5, *natural), strict=True)]])
    return WeightedLaw(CURVE, BY_NAME[name], weight, theta, np.repeat(theta, replicates, 0) if replicates else None)


def law(r0, s0=2.0, weight=1.0, replicates=0):
    return weighted("F3", (r0, 0.0, s0), weight, replicates)


def test_bounded_law_is_not_reachable_near_its_bound():
    n = 50
    # r = 0.4 (1 - e^-8/2) is worth 19.6 of at most 20 images: not one more.
    far = exchange([law(0.4)], n, 8 * n, 100.0, 0.9)
    assert not far.reachable
    assert far.marginal.value is None
    assert far.limit == pytest.approx(20.0)
    assert "no amount replaces more than 20 real images" in far.note
    near = exchange([law(0.4)], n, n, 100.0, 0.9)
    assert near.reachable
    assert near.marginal.value == pytest.approx(2.0 / 0.4 * np.exp(0.5))


def test_harm_replaces_no_real_image():
    answer = exchange([weighted("F0", (-0.1,))], 50, 100, 100.0, 0.9)
    assert not answer.reachable
    assert answer.tradeoff.value is None
    assert (answer.marginal.value, answer.average.value, answer.limit) == (None, None, 0.0)


def test_interval_over_laws_holds_both_answers():
    rate = weighted("F0", (0.05,), 0.5, 50)
    answer = exchange([law(0.4, weight=0.5, replicates=50), rate], 50, 50, 100.0, 0.9)
    assert answer.marginal.low == pytest.approx(2.0 / 0.4 * np.exp(0.5))
    assert answer.marginal.high == pytest.approx(20.0)


@pytest.mark.parametrize("name", [form.name for form in FORMS])
def test_tradeoff_equals_the_ratio_of_the_error_s_differences(name):
    """Central differences of E(n, s) itself, the curve included: it must cancel."""
    form, n0, n, amount = BY_NAME[name], 100.0, 130.0, 260.0
    for row in starts_of(form.parameters)[:20]:
        p = natural(form, row)

        def error(n, amount, p=p):
            m = n * (1 + float(form.r(p, np.array([n / n0]), np.array([amount / n]))[0, 0]))
            return 0.2 * (m / n0) ** -0.5

        if n * (1 + float(form.r(p, np.array([n / n0]), np.array([amount / n]))[0, 0])) < 10:
            continue  # more harm than a law may state
        by_real = (error(n + 1e-3, amount) - error(n - 1e-3, amount)) / 2e-3
        by_synthetic = (error(n, amount + 1e-3) - error(n, amount - 1e-3)) / 2e-3
        found = tradeoff(form, p, np.array([n]), n0, np.array([amount]))[0, 0]
        if by_synthetic < -1e-9:
            assert found == pytest.approx(max(by_real / by_synthetic, 0.0), rel=1e-3, abs=1e-3)
        elif by_synthetic > 1e-9:
            assert found == np.inf


def test_constant_rate_trades_like_it_replaces_plus_nothing():
    """F0: m = s / rho whatever n is, so a real image is worth rho synthetic ones in both senses."""
    answer = exchange([weighted("F0", (0.25,))], 50, 100, 100.0, 0.9)
    assert answer.marginal.value == pytest.approx(4.0)
    assert answer.tradeoff.value == pytest.approx(4.0)


def test_weighted_median_stays_within_the_law_that_holds_the_middle():
    values = np.array([[3.0, np.inf], [1.0, 1.0], [2.0, 2.0]])
    np.testing.assert_array_equal(median(values, np.array([0.3, 0.3, 0.4])), [2.0, 2.0])
    np.testing.assert_array_equal(median(values, np.array([0.6, 0.2, 0.2])), [3.0, np.inf])


def test_real_images_stay_positive():
    assert (grow(np.array([10.0, 10.0]), np.array([-5.0, 0.5])) == [0.2, 15.0]).all()


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_curves_fall_from_chance_to_their_floor(curve):
    for row in starts_of(curve.parameters):
        p = natural(curve, row)
        errors = np.exp(curve.log_error(p, np.geomspace(1e-4, 1e4, 50)[None], 0.9))[0]
        assert (np.diff(errors) < 0).all()
        if curve.name.startswith("M4") and (len(p) < 3 or p[2] < 0.9):
            assert errors[0] < 0.9
        if len(p) == 3:
            assert errors[-1] > p[2][0, 0] * 0.999


def test_a_slope_of_nearly_nothing_is_no_exchange_rate():
    """F3 with s0 = 0.02 at s = 4 has a slope of e^-200: 1 / slope was 6e85 images, in an interval's upper end."""
    form = BY_NAME["F3"]
    parameters = tuple(np.array([[v]]) for v in (0.5, 0.0, 0.02))
    at, amount = np.array([1000.0]), np.array([4000.0])
    assert 0 < form.slope(parameters, at / 1000, amount / at)[0, 0] < 1e-80
    assert rates(form, parameters, at, 1000.0, amount)[0] == np.inf
    assert tradeoff(form, parameters, at, 1000.0, amount) == np.inf
