"""Intervals against scipy, closed forms and simulated coverage."""

import numpy as np
import pytest
from scipy import stats

from synaug_ray.quality.intervals import Interval, by_half_samples, share, weighted_mean


@pytest.mark.parametrize(("count", "total"), [(0, 30), (1, 30), (15, 30), (997, 1_000), (30, 30)])
def test_share_is_wilsons_interval(count, total):
    theirs = stats.binomtest(count, total).proportion_ci(0.9, method="wilson")
    ours = share(count, total, 0.9)
    assert (ours.value, ours.low, ours.high) == pytest.approx((count / total, theirs.low, theirs.high), abs=1e-12)


def test_weights_are_relative_and_independent_errors_add_in_squares():
    mean = weighted_mean([Interval(0.2, 0.1, 0.5), Interval(0.6, 0.2, 0.7)], [1, 3])
    assert mean.value == pytest.approx(0.5)
    assert mean.low == pytest.approx(0.5 - np.hypot(0.25 * 0.1, 0.75 * 0.4))
    assert mean.high == pytest.approx(0.5 + np.hypot(0.25 * 0.3, 0.75 * 0.1))


def test_half_samples_know_the_error_of_a_mean():
    """Of 400 standard normals: 1.645 / sqrt(400)."""
    x = np.random.default_rng(0).standard_normal(400)
    whole, halves, wide = by_half_samples(lambda i: x[i].mean(keepdims=True), 400, 0, 0.9)
    assert whole[0] == pytest.approx(x.mean()) and halves[0] == pytest.approx(x.mean(), abs=0.03)
    assert wide[0] == pytest.approx(1.645 * x.std() / 20, rel=0.35)
