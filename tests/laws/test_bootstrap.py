"""Intervals: exact where a t interval is, wider where draws differ, and no noise counted twice."""

import numpy as np
import pytest
from scipy import stats

from synaug_ray.laws.bootstrap import components, interval, replicate, root


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


def test_each_cell_has_the_t_interval_of_its_own_draws_and_stays_joint():
    """Three of eight draws are there in the first cell, all in the second, five in the third."""
    means = np.array([0.10, 0.14, 0.11, 0.19, 0.12, 0.16, 0.13, 0.15])
    values = np.stack([means, means, means[::-1]])
    values[0, 3:], values[2, 5:] = np.nan, np.nan
    samples = replicate(parts_of(np.repeat(values[:, :, None], 50, axis=2)), 60_000, np.random.default_rng(3))
    for cell, of_cell in enumerate(values):
        own = of_cell[~np.isnan(of_cell)]
        error = stats.sem(own)
        expected = stats.t.interval(0.9, len(own) - 1, loc=own.mean(), scale=error)
        assert interval(samples[:, cell], 0.9) == pytest.approx(expected, abs=0.08 * error)
    # what the draws that both have say is still shared: the correlation of the deviations
    parts = parts_of(np.repeat(values[:, :, None], 50, axis=2))
    first, second = parts.draw_deviations[:2]
    shared = first @ second / np.sqrt((first @ first) * (second @ second))
    z = samples[:, :2] - parts.estimates[:2]
    assert stats.spearmanr(*z.T).statistic == pytest.approx(6 / np.pi * np.arcsin(shared / 2), abs=0.05)


def test_cells_of_as_many_draws_have_one_scale():
    """As before: where every draw is there, replicates are bit for bit those of one t scale for all."""
    values = (np.random.default_rng(8).random((3, 6, 100)) < 0.3).astype(np.float32)
    parts, rng = parts_of(values), np.random.default_rng(5)
    student = np.sqrt(5 / rng.chisquare(5.0, 20))
    draw = student[:, None] * (rng.standard_normal((20, 6)) @ parts.draw_deviations.T)
    image = rng.standard_normal((20, 3)) @ root(parts.image_covariance - parts.interaction).T
    assert np.array_equal(replicate(parts, 20, np.random.default_rng(5)), parts.estimates + draw + image)


def test_interval_with_infinite_replicates_is_open():
    samples = np.concatenate([np.linspace(1, 2, 90), np.full(10, np.inf)])
    low, high = interval(samples, 0.9)
    assert low == pytest.approx(1.05, abs=0.02)
    assert high is None


def test_images_of_one_patient_count_once():
    """Ten copies of each of 30 images: the variance is that of 30 images, and with every image its own, a tenth."""
    rng = np.random.default_rng(9)
    wrong = (rng.random(30) < 0.3).astype(np.float32)
    patients = np.repeat(np.arange(30), 10)
    values = np.tile(wrong[patients], (1, 6, 1))
    weights, strata = np.full(300, 1 / 300), np.zeros(300, dtype=int)
    grouped = components(values, weights, strata, 12, patients)
    alone = components(values[:, :, ::10], np.full(30, 1 / 30), strata[:30], 12)
    assert grouped.image_covariance[0, 0] == pytest.approx(alone.image_covariance[0, 0], rel=1e-5)
    assert parts_of(values).image_variance[0] == pytest.approx(alone.image_variance[0] / 10, rel=0.05)
    assert (grouped.clusters, alone.clusters) == (30, 30)


def test_groups_of_one_image_change_nothing_whatever_their_order():
    rng = np.random.default_rng(10)
    values = (rng.random((3, 6, 80)) < 0.3).astype(np.float32)
    weights, strata = np.full(80, 1 / 80), np.zeros(80, dtype=int)
    plain, single = (components(values, weights, strata, 12, g) for g in (None, rng.permutation(80)))
    np.testing.assert_allclose(plain.image_covariance, single.image_covariance, rtol=1e-5)
    np.testing.assert_allclose(plain.interaction, single.interaction, rtol=1e-5)
