"""Fidelity against closed forms: Gaussians, identical and disjoint sets, Naeem et al.'s expectations."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from synaug_ray.quality.fidelity import LEAST_NEIGHBOURS, compare, frechet, kernel_distance


def normal(seed, n, d=4, shift=0.0, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal((n, d)) + shift).astype(np.float32)


def test_frechet_distance_of_gaussians_in_closed_form():
    """N(0, 1) and N(m, s^2) in each of d dimensions: d m^2 + d (1 - s)^2."""
    x, y = (normal(s, 200_000, 3, *how).astype(float) for s, how in ((0, (0, 1)), (1, (0.5, 2))))
    assert frechet(x, y) == pytest.approx(3 * 0.25 + 3, rel=0.02)


def test_frechet_distance_with_correlated_features():
    rng = np.random.default_rng(2)
    x, y = (rng.standard_normal((300, 6)) @ rng.standard_normal((6, 6)) for _ in range(2))
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    direct = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert frechet(x, y) == pytest.approx(direct, rel=1e-6)


def test_kernel_distance_of_a_linear_kernel_is_the_distance_of_means():
    """Unbiased, so over many draws the mean is |m|^2 although each set has 10 points only."""
    found = []
    for seed in range(4_000):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((10, 2)), rng.standard_normal((10, 2)) + 0.5
        found.append(kernel_distance(x @ x.T, x @ y.T, y @ y.T))
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / np.sqrt(len(found)))


def test_equal_distributions_come_out_as_equal():
    """Density 1 and coverage 1 - 2^-5 in expectation (Naeem et al., arXiv 2002.09797, section 3.3)."""
    found = compare(normal(0, 800), normal(1, 800))
    assert found.num_compared == 800 and found.too_few == ()
    for interval, expected in ((found.density, 1), (found.coverage, 1 - 2**-5), (found.frechet, 0), (found.kernel, 0)):
        assert abs(interval.value - expected) < 2 * (interval.high - interval.low)
        assert interval.high - interval.low < 0.2
    assert found.precision.value == pytest.approx(found.recall.value, abs=0.03)


def test_the_bias_of_few_images_is_taken_off():
    """At 200 images in 64 dimensions the plain distance of two equal Gaussians is 0.17 of the variance, not 0."""
    found = [compare(normal(2 * s, 200, 64), normal(2 * s + 1, 200, 64)).frechet.value for s in range(4)]
    x, y = (normal(s, 200, 64).astype(float) for s in range(2))
    assert frechet(x, y) / 64 > 0.1 and abs(np.mean(found)) < 0.02


def test_identical_sets_are_perfect():
    x = normal(0, 300)
    found = compare(x, x)
    assert (found.precision.value, found.recall.value, found.coverage.value) == (1, 1, 1)
    assert found.frechet.value == pytest.approx(0, abs=0.02)


def test_disjoint_sets_share_nothing():
    found = compare(normal(0, 300), normal(1, 300, shift=100))
    assert (found.precision.value, found.recall.value, found.density.value, found.coverage.value) == (0, 0, 0, 0)
    assert found.frechet.value == pytest.approx(100**2, rel=0.1)  # in shares of the real variance


def test_a_narrow_set_is_precise_and_recalls_little():
    found = compare(normal(0, 400), normal(1, 400, scale=0.1))
    assert found.precision.value > 0.95 and found.recall.value < 0.1 and found.coverage.value < 0.5


def test_the_unit_of_the_features_does_not_matter():
    x, y = normal(0, 200), normal(1, 200, shift=0.3)
    here, there = compare(x, y), compare(100 * x, 100 * y)
    assert here.frechet.value == pytest.approx(there.frechet.value, rel=1e-4)
    assert here.kernel.value == pytest.approx(there.kernel.value, rel=1e-4) and here.density == there.density


def test_too_few_images_give_no_number_but_say_how_many_would():
    found = compare(normal(0, LEAST_NEIGHBOURS - 1, 64), normal(1, 500, 64))
    assert {found.precision, found.recall, found.density, found.coverage, found.frechet, found.kernel} == {None}
    assert any("from 50" in s for s in found.too_few) and any("from 160" in s for s in found.too_few)
    assert compare(normal(0, 159, 64), normal(1, 500, 64)).frechet is None
    assert compare(normal(0, 160, 64), normal(1, 500, 64)).frechet is not None


def test_both_kinds_are_compared_at_the_same_count():
    assert compare(normal(0, 120), normal(1, 5_000)).num_compared == 120
    assert compare(normal(0, 5_000), normal(1, 60)).num_compared == 60
