"""Critical values: exact for one mean, Sidak for independent ones, and the level held over looks."""

import numpy as np
import pytest
from scipy import stats

from synaug_ray.laws.bootstrap import Components, components
from synaug_ray.laws.moderation import StandardErrors
from synaug_ray.laws.simultaneous import Look, critical_p, next_look, quantiles


def means(cells, draws, images=400):
    """Independent cells of pure binomial noise and their errors, as if the noise were known exactly."""
    rng = np.random.default_rng(5)
    values = (rng.random((cells, draws, images)) < 0.2).astype(np.float32)
    parts = components(values, np.full(images, 1 / images), np.zeros(images, dtype=int), draws)
    known = np.diag(parts.interaction)
    return parts, StandardErrors(known, parts.image_variance, np.full(cells, 1e6), known, 0 * known)


def p_of(parts, errors, looks, block=None, alpha=0.1, paths=40_000):
    block = np.zeros(len(parts.estimates), dtype=int) if block is None else block
    return critical_p(parts, errors, block, alpha, looks, paths, np.random.default_rng(6))


def test_one_mean_at_one_look_has_the_level_itself():
    parts, errors = means(1, 6)
    assert p_of(parts, errors, [Look(6, 1.0)]) == pytest.approx(0.1, rel=0.03)
    few = StandardErrors(
        errors.draw_variance, errors.image_variance, np.full(1, 5.0), errors.draw_variance, errors.least
    )
    assert quantiles(few, p_of(parts, few, [Look(6, 1.0)])) == pytest.approx(stats.t.ppf(0.95, 5), rel=0.03)


def test_many_independent_means_have_sidak_s_level():
    parts, errors = means(40, 6)
    assert quantiles(errors, p_of(parts, errors, [Look(6, 1.0)]))[0] == pytest.approx(
        stats.norm.ppf(0.5 + 0.9 ** (1 / 40) / 2), rel=0.05
    )


def test_generators_are_independent_whatever_few_draws_say_of_them():
    """Two draws span one direction, in which all generators look alike: 12 of them are still 12 chances of a false effect."""
    direction = np.array([[0.05, -0.05]])
    zero = np.zeros((12, 12))
    parts = Components(
        estimates=np.zeros(12),
        draws=np.full(12, 2),
        draw_deviations=np.repeat(direction, 12, axis=0),
        image_covariance=zero,
        interaction=zero,
        clusters=100,
    )
    errors = StandardErrors(parts.draw_variance, np.zeros(12), np.full(12, 1e6), parts.draw_variance, np.zeros(12))
    assert p_of(parts, errors, [Look(2, 1.0)]) == pytest.approx(0.1, rel=0.05)
    apart = p_of(parts, errors, [Look(2, 1.0)], np.arange(12))
    assert apart == pytest.approx(1 - 0.9 ** (1 / 12), rel=0.1)


def test_spending_never_reaches_the_whole():
    looks = []
    for draws in (5, 6, 8, 12):
        looks.append(next_look(looks, draws))
    assert [look.share for look in looks] == pytest.approx([0.6, 1 - 0.4 * 5 / 6, 0.75, 1 - 0.4 * 5 / 12])
    assert next_look(looks, 12).share > looks[-1].share


@pytest.mark.parametrize("steps", [(6, 12), (4, 5, 6, 7, 8, 12, 24)])
def test_the_level_holds_over_looks_at_growing_data(steps):
    """Brownian paths that no code of ours made, one cell: the share that ever crosses is the last look's share of alpha."""
    parts, errors = means(1, 6)
    looks, boundaries = [], []
    for draws in steps:
        looks.append(next_look(looks, draws))
        boundaries.append(stats.norm.isf(p_of(parts, errors, looks) / 2))
    rng = np.random.default_rng(8)
    sums = np.cumsum(rng.standard_normal((100_000, steps[-1])), axis=1)
    crossed = np.zeros(100_000, dtype=bool)
    for draws, boundary in zip(steps, boundaries, strict=True):
        crossed |= np.abs(sums[:, draws - 1]) / np.sqrt(draws) > boundary
    assert crossed.mean() == pytest.approx(0.1 * looks[-1].share, rel=0.08)
    alone = 0.1 * (looks[1].share - looks[0].share)
    assert boundaries[1] < stats.norm.isf(alone / 2)  # cheaper than the look's own share


def test_the_level_holds_where_a_later_look_has_more_seeds():
    """Half of a draw's noise is due to seeds here, so the looks have less in common than their draws alone say."""
    parts, errors = means(1, 6)
    looks = [next_look([], 6, 1)]
    looks.append(next_look(looks, 8, 8))
    rng = np.random.default_rng(3)
    draws, seeds = rng.standard_normal((100_000, 8)), rng.standard_normal((100_000, 8, 8))
    crossed = np.zeros(100_000, dtype=bool)
    for look in looks:
        gains = draws[:, : look.draws].mean(1) + seeds[:, : look.draws, : look.seeds].mean((1, 2))
        boundary = stats.norm.isf(p_of(parts, errors, looks[: looks.index(look) + 1]) / 2)
        crossed |= np.abs(gains) > boundary * np.sqrt((1 + 1 / look.seeds) / look.draws)
    assert 0.08 * looks[-1].share < crossed.mean() < 0.1 * looks[-1].share


def test_a_look_with_no_new_draws_costs_nothing_and_gains_nothing():
    """The same data cannot cross a boundary that they have not crossed, so the old boundary stays about as it was."""
    parts, errors = means(1, 6)
    first = p_of(parts, errors, [Look(6, 0.6)])
    assert p_of(parts, errors, [Look(6, 0.6), Look(6, 0.7)]) == pytest.approx(first * 0.7 / 0.6, rel=0.08)
