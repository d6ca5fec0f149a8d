"""Pooled variances: what is alike is pooled, what is unlike or dependent is not taken for evidence."""

import numpy as np
import pytest
from scipy import stats

from synaug_ray.laws import moderation
from synaug_ray.laws.bootstrap import components
from synaug_ray.laws.moderation import half_widths, moderate


def parts_of(values, trials=12):
    images = values.shape[2]
    return components(values.astype(np.float32), np.full(images, 1 / images), np.zeros(images, dtype=int), trials)


@pytest.mark.parametrize("draws", [5, 6, 8])
def test_coverage_of_pointwise_intervals_under_draw_effects(draws):
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(120):
        effect = 0.02 * rng.standard_normal((8, draws))
        p = 0.2 + effect
        values = (rng.random((8, draws, 200)) < p[:, :, None]).astype(float)
        parts = parts_of(values)
        half = half_widths(moderate(parts, np.zeros(8), block=np.arange(8)), 0.9)
        inside.append(np.abs(parts.estimates - 0.2) <= half)
    assert 0.86 <= np.mean(inside) <= 0.95


def test_draw_effects_widen_intervals():
    rng = np.random.default_rng(4)

    def width(sd):
        p = np.clip(0.2 + sd * rng.standard_normal((20, 6, 1)), 0.01, 0.99)
        parts = parts_of((rng.random((20, 6, 500)) < p).astype(float))
        return half_widths(moderate(parts, np.zeros(20)), 0.9).mean()

    assert width(0.05) > 2.5 * width(0.0)


def pure(means):
    """Cells [Q, D] whose draws differ by their means alone."""
    return parts_of(np.repeat(np.asarray(means)[:, :, None], 30, axis=2))


def test_a_single_block_has_the_t_interval_of_its_draws():
    """Amounts of one pool move together: three of them know no more of the generator than one."""
    rng = np.random.default_rng(5)
    generator = 0.2 + 0.03 * rng.standard_normal(6)
    parts = pure([generator, generator + 0.01, generator - 0.01])
    errors = moderate(parts, np.zeros(3), block=np.zeros(3, dtype=int))
    np.testing.assert_allclose(errors.freedom, 5)
    expected = stats.t.interval(0.9, 5, loc=0, scale=stats.sem(generator))[1]
    np.testing.assert_allclose(half_widths(errors, 0.9), expected, rtol=1e-3)


@pytest.mark.parametrize("families", [True, False])
def test_a_noisy_generator_keeps_its_own_variance_among_quiet_ones(families):
    """Seven quiet generators and one ten times as noisy, of their family or not: 90% intervals hold in 85 to 95%."""
    rng = np.random.default_rng(6)
    scale = np.repeat([0.003, 0.03], [7, 1])
    family = (scale > 0.01).astype(int) if families else np.zeros(8, dtype=int)
    inside = []
    for _ in range(400):
        parts = pure(0.2 + scale[:, None] * rng.standard_normal((8, 6)))
        half = half_widths(moderate(parts, np.zeros(8), family, np.arange(8)), 0.9)
        inside.append(np.abs(parts.estimates - 0.2) <= half)
    assert 0.85 <= np.mean(inside, axis=0)[7] <= 0.96
    assert np.mean(inside) >= 0.86


def test_from_five_draws_on_no_variance_falls_below_the_cell_s_own():
    rng = np.random.default_rng(7)
    for draws in (3, 5):
        parts = pure(0.2 + 0.02 * rng.standard_normal((10, draws)))
        errors = moderate(parts, np.zeros(10), block=np.arange(10))
        assert bool((errors.draw_variance >= parts.draw_variance * 0.999).all()) == (draws >= 5)


def test_each_cell_has_the_degrees_of_freedom_of_its_own_draws():
    rng = np.random.default_rng(8)
    values = 0.2 + 0.02 * rng.standard_normal((2, 8, 1)) + np.zeros((2, 8, 30))
    values[1, 3:] = np.nan
    values = np.concatenate([values, values[:1]])
    values[2, 1:] = np.nan
    errors = moderate(parts_of(values), np.zeros(3), block=np.zeros(3, dtype=int))
    np.testing.assert_array_equal(errors.freedom[:2], [7, 2])
    assert np.isnan(errors.freedom[2]) and np.isnan(half_widths(errors, 0.9)[2])


def test_few_patients_leave_few_degrees_of_freedom():
    rng = np.random.default_rng(9)
    patients = np.repeat(np.arange(4), 50)
    values = np.tile((rng.random(4) < 0.5).astype(np.float32)[patients], (2, 8, 1))
    parts = components(values, np.full(200, 1 / 200), np.zeros(200, dtype=int), 12, patients)
    assert moderate(parts, np.zeros(2)).freedom == pytest.approx([3, 3], abs=0.1)


@pytest.mark.parametrize("draws", [5, 8])
def test_generators_that_fail_now_and_then_leave_no_cell_with_a_small_variance(draws, monkeypatch):
    """One in seven costs 15 points more: a size where none did would be sure of a gain that is too high."""

    def coverage():
        rng, hits, spared = np.random.default_rng(8), [], []
        for _ in range(100):
            failed = rng.random((6, draws)) < 0.15
            parts = pure(0.2 + 0.01 * rng.standard_normal((6, draws)) + 0.15 * failed)
            errors = moderate(parts, np.log(20 * 2.0 ** np.arange(6)))
            hits.append(np.abs(parts.estimates - 0.2 - 0.15 * 0.15) <= half_widths(errors, 0.9))
            spared.append(hits[-1][~failed.any(axis=1)])
        return np.mean(hits), np.mean(np.concatenate(spared))

    of_all, of_spared = coverage()
    monkeypatch.setattr(moderation, "UNEVEN_LEVEL", 0.0)
    before, spared_before = coverage()
    assert of_all > 0.8 > before and of_spared > spared_before + 0.3


@pytest.mark.parametrize("draws", [3, 5, 8])
def test_variances_that_differ_by_chance_are_not_taken_for_failures(draws):
    rng = np.random.default_rng(9)
    sizes = np.log(20 * 2.0 ** np.arange(6))
    taken = [moderate(pure(0.2 + 0.02 * rng.standard_normal((6, draws))), sizes).least.any() for _ in range(300)]
    assert np.mean(taken) < 0.09
