"""Intervals: exact where a t interval is, wider where draws differ, and no noise counted twice."""

import numpy as np
import pytest
from scipy import stats

from synaug_ray.laws.bootstrap import (
    StandardErrors,
    components,
    half_widths,
    interval,
    moderate,
    replicate,
    simultaneous_quantile,
)


def parts_of(values, trials=12):
    images = values.shape[2]
    return components(values.astype(np.float32), np.full(images, 1 / images), np.zeros(images, dtype=int), trials)


def test_replicates_of_pure_draw_effects_have_the_t_interval_of_the_draws():
    means = np.array([0.10, 0.14, 0.11, 0.19, 0.12, 0.16])
    # Every image carries its draw's mean: no test-image noise at all.
    parts = parts_of(np.repeat(means[None, :, None], 50, axis=2))
    samples = replicate(parts, 40_000, np.random.default_rng(0))[:, 0]
    low, high = interval(samples, 0.9)
    expected = stats.t.interval(0.9, 5, loc=means.mean(), scale=stats.sem(means))
    assert low == pytest.approx(expected[0], abs=1.5e-3)
    assert high == pytest.approx(expected[1], abs=1.5e-3)


def test_image_by_draw_noise_is_counted_once():
    rng = np.random.default_rng(1)
    images, draws, p = 400, 6, 0.2
    values = (rng.random((300, draws, images)) < p).astype(float)  # 300 independent cells of pure binomial noise
    parts = parts_of(values)
    truth = p * (1 - p) / (draws * images)
    assert parts.draw_variance.mean() == pytest.approx(truth, rel=0.15)
    assert np.diag(parts.interaction).mean() == pytest.approx(truth, rel=0.05)
    # What is left for the images alone is the positive part of an estimate of zero.
    assert parts.image_variance.mean() < 0.1 * truth


def test_shared_hard_images_widen_errors_but_not_what_is_paired_away():
    rng = np.random.default_rng(2)
    hard = rng.random(300) < 0.3
    values = np.stack([np.tile(hard, (6, 1)).astype(float), np.zeros((6, 300))])
    parts = parts_of(values)
    assert parts.image_variance[0] == pytest.approx(0.3 * 0.7 / 300, rel=0.2)
    assert parts.image_variance[1] == 0.0
    assert parts.draw_variance[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("draws", [5, 6, 8])
def test_coverage_of_pointwise_intervals_under_draw_effects(draws):
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(120):
        effect = 0.02 * rng.standard_normal((8, draws))
        p = 0.2 + effect
        values = (rng.random((8, draws, 200)) < p[:, :, None]).astype(float)
        parts = parts_of(values)
        half = half_widths(moderate(parts, np.zeros(8)), 0.9)
        inside.append(np.abs(parts.estimates - 0.2) <= half)
    assert 0.86 <= np.mean(inside) <= 0.95


def test_draw_effects_widen_intervals():
    rng = np.random.default_rng(4)

    def width(sd):
        p = np.clip(0.2 + sd * rng.standard_normal((20, 6, 1)), 0.01, 0.99)
        parts = parts_of((rng.random((20, 6, 500)) < p).astype(float))
        return half_widths(moderate(parts, np.zeros(20)), 0.9).mean()

    assert width(0.05) > 2.5 * width(0.0)


def test_simultaneous_quantile_is_t_for_one_mean_and_sidak_for_many_independent_ones():
    rng = np.random.default_rng(5)
    values = (rng.random((40, 6, 500)) < 0.2).astype(float)
    many, one = parts_of(values), parts_of(values[:1])
    errors = StandardErrors(np.diag(many.interaction), many.image_variance, 1e6, np.diag(many.interaction))
    quantile = simultaneous_quantile(many, errors, np.zeros(40), 0.9, 20_000, np.random.default_rng(6))
    sidak = stats.norm.ppf(0.5 + 0.9 ** (1 / 40) / 2)
    assert quantile == pytest.approx(sidak, rel=0.05)
    single = StandardErrors(np.diag(one.interaction), one.image_variance, 5.0, np.diag(one.interaction))
    assert simultaneous_quantile(one, single, np.zeros(1), 0.9, 40_000, np.random.default_rng(7)) == pytest.approx(
        stats.t.ppf(0.95, 5), rel=0.03
    )


def test_a_missing_draw_is_left_out_of_its_own_cell_only():
    rng = np.random.default_rng(8)
    values = (rng.random((2, 6, 100)) < 0.3).astype(np.float32)
    full = parts_of(values)
    values[1, 2] = np.nan
    parts = parts_of(values)
    assert parts.draws.tolist() == [6, 5]
    assert parts.estimates[0] == full.estimates[0]
    assert parts.estimates[1] == pytest.approx(np.nanmean(values[1]), abs=1e-6)
    assert np.isfinite(replicate(parts, 10, rng)).all()


def test_interval_with_infinite_replicates_is_open():
    samples = np.concatenate([np.linspace(1, 2, 90), np.full(10, np.inf)])
    low, high = interval(samples, 0.9)
    assert low == pytest.approx(1.05, abs=0.02)
    assert high is None
