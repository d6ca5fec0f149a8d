"""Meta-analysis against published numbers, closed forms and planted truths."""

import math

import numpy as np
import pytest

from synaug_ray.laws.meta_analysis import composite, holm, least_correlation, pool, regress, restricted_tau2

# 13 trials of the BCG vaccine (Colditz et al. 1994; dat.bcg of metafor): cases and others, vaccinated and not; latitude
BCG = np.array(
    [
        (4, 119, 11, 128, 44),
        (6, 300, 29, 274, 55),
        (3, 228, 11, 209, 42),
        (62, 13536, 248, 12619, 52),
        (33, 5036, 47, 5761, 13),
        (180, 1361, 372, 1079, 44),
        (8, 2537, 10, 619, 19),
        (505, 87886, 499, 87892, 13),
        (29, 7470, 45, 7232, 27),
        (17, 1699, 65, 1600, 42),
        (186, 50448, 141, 27197, 18),
        (5, 2493, 3, 2338, 33),
        (27, 16886, 29, 17825, 33),
    ],
    dtype=float,
).T
A, B, C, D, LATITUDE = BCG
LOG_RISK_RATIO = np.log(A / (A + B) / (C / (C + D)))
ERROR = np.sqrt(1 / A - 1 / (A + B) + 1 / C - 1 / (C + D))


def test_the_bcg_trials_as_metafor_has_them():
    """metafor 5.0.1, rma(yi, vi, method="REML", test="knha") with confint(): mean, its interval, tau, I^2, Q."""
    found = pool(LOG_RISK_RATIO, ERROR, 0.95)
    assert found is not None and found.studies == 13
    assert (found.mean.value, found.mean.low, found.mean.high) == pytest.approx(
        (-0.7145323484, -1.1084437230, -0.3206209737), abs=1e-6
    )
    assert found.tau.value == pytest.approx(math.sqrt(0.313243325981), abs=1e-6)
    assert (found.tau.low, found.tau.high) == pytest.approx((0.3459701, 1.0542705), rel=0.01)  # by Q-profile there
    assert found.share == pytest.approx(0.9222, abs=1e-4)
    assert found.heterogeneity_p == pytest.approx(1.99676e-26, rel=1e-4)
    assert sum(found.weights) == pytest.approx(1)


def test_the_prediction_interval_is_a_little_wider_than_one_for_a_known_tau():
    """Higgins, Thompson and Spiegelhalter's, with t(k - 2), is (-2.009, 0.580) here."""
    found = pool(LOG_RISK_RATIO, ERROR, 0.95)
    assert found is not None
    assert (found.prediction.low, found.prediction.high) == pytest.approx((-2.009, 0.580), abs=0.1)
    assert found.prediction.low < -2.009 and found.prediction.high > 0.580


def test_the_bcg_trials_by_latitude_as_metafor_has_them():
    """Viechtbauer 2010, rma(yi, vi, mods = ~ ablat): slope -0.0291, tau^2 0.0764, R^2 75.62%."""
    found = regress(LOG_RISK_RATIO, ERROR, LATITUDE, 0.95)
    assert found is not None
    assert found.slope.value == pytest.approx(-0.0291, abs=5e-5)
    assert found.tau**2 == pytest.approx(0.0764, abs=1e-4)
    assert found.explained == pytest.approx(0.7562, abs=1e-3)
    assert found.p < 0.01
    shifted = regress(LOG_RISK_RATIO, ERROR, 1e6 + LATITUDE / 1000, 0.95)  # another unit changes the slope alone
    assert shifted is not None and shifted.slope.value == pytest.approx(-29.1, abs=0.05)
    assert shifted.p == pytest.approx(found.p, rel=1e-4)


def test_equally_precise_studies_in_closed_form():
    """With equal errors REML is the sample variance minus the noise, and the interval that of a one-sample t test."""
    y, s = np.array([1.0, 2.0, 4.0, 7.0]), 0.5
    found = pool(y, [s] * 4, 0.9)
    assert found is not None
    assert found.tau.value == pytest.approx(math.sqrt(y.var(ddof=1) - s**2), rel=1e-6)
    half = 2.3533634 * y.std(ddof=1) / 2
    assert (found.mean.low, found.mean.high) == pytest.approx((3.5 - half, 3.5 + half), rel=1e-5)


def test_studies_that_agree_better_than_chance_have_no_tau_and_no_narrower_interval():
    found = pool([1.0, 1.001, 0.999, 1.0], [0.5, 0.4, 0.6, 0.5], 0.9)
    assert found is not None
    assert found.tau.value == 0 and found.share == 0 and found.heterogeneity_p > 0.99
    error = sum(1 / s**2 for s in (0.5, 0.4, 0.6, 0.5)) ** -0.5
    assert found.mean.high - found.mean.value == pytest.approx(2.3533634 * error, rel=1e-4)


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_a_new_study_lies_within_its_interval_as_often_as_promised(tau):
    """Ten studies with errors of 0.5 to 2, 90%; the usual interval would hold in 80% with tau = 1."""
    rng = np.random.default_rng(int(10 * tau))
    means = predictions = 0
    times = 60
    for _ in range(times):
        errors = rng.uniform(0.5, 2, 10)
        found = pool(rng.normal(5, tau, 10) + rng.normal(0, errors), errors, 0.9)
        assert found is not None
        means += found.mean.low <= 5 <= found.mean.high
        predictions += found.prediction.low <= rng.normal(5, tau) <= found.prediction.high
    assert means / times >= 0.83 and predictions / times >= 0.83


def test_fewer_than_three_studies_are_not_pooled():
    assert pool([1.0, 2.0], [0.1, 0.1], 0.9) is None and pool([], [], 0.9) is None
    assert regress([1.0, 2.0, 3.0], [0.1] * 3, [1.0, 2.0, 3.0], 0.9) is None
    assert regress([1.0, 2.0, 3.0, 4.0], [0.1] * 4, [7.0] * 4, 0.9) is None


@pytest.mark.parametrize(("y", "s"), [([1, math.nan, 2], [1, 1, 1]), ([1, 2, 3], [1, 0, 1]), ([1, 2, 3], [1, 1])])
def test_what_is_no_effect_or_no_error_is_refused(y, s):
    with pytest.raises(ValueError, match="finite"):
        pool(y, s, 0.9)


def test_scale_does_not_matter():
    small = pool(LOG_RISK_RATIO * 1e-6, ERROR * 1e-6, 0.9)
    large = pool(LOG_RISK_RATIO, ERROR, 0.9)
    assert small is not None and large is not None
    for a, b in ((small.mean, large.mean), (small.prediction, large.prediction)):
        assert (a.value, a.low, a.high) == pytest.approx((b.value * 1e-6, b.low * 1e-6, b.high * 1e-6), rel=1e-6)


def test_restricted_likelihood_finds_the_higher_of_two_maxima():
    """One precise outlier among imprecise studies: the values around the maximum are all less likely."""
    y, v = np.array([0.0, 0.1, -0.1, 3.0]), np.array([1.0, 1.0, 1.0, 0.01])
    tau2 = restricted_tau2(y, v, np.ones((4, 1)))

    def likelihood(t):
        w = 1 / (v + t)
        mean = (w * y).sum() / w.sum()
        return (np.log(w).sum() - np.log(w.sum()) - (w * (y - mean) ** 2).sum()) / 2

    assert likelihood(tau2) == pytest.approx(max(likelihood(t) for t in np.linspace(0, 20, 2001)), abs=1e-6)


def test_composites_adjusted_p_values_and_what_few_rows_can_tell():
    assert composite([1.0, 3.0], [0.2, 0.4]) == pytest.approx((2.0, 0.3))
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]
    assert least_correlation(10, 0.95) == pytest.approx(0.632, abs=1e-3)  # the table of critical correlations
    assert least_correlation(10, 0.95, looks=5) > 0.75
