"""The covariance of a study's cells against one that is planted."""

import numpy as np
import pytest

from synaug_ray.laws.bootstrap import Components, components
from synaug_ray.laws.covariance import cell_covariance

SIZES, AMOUNTS = 4, 3
BASE = np.repeat(np.arange(SIZES), AMOUNTS)
CELLS = SIZES * (1 + AMOUNTS)


def parts(draws, seed, *, shared):
    """Gains of a size share a part ``shared`` of their variance, errors 0.8 of it with all others."""
    rng = np.random.default_rng(seed)
    images = 40
    real = 0.1 * (np.sqrt(0.8) * rng.standard_normal(draws) + np.sqrt(0.2) * rng.standard_normal((SIZES, draws)))
    common = rng.standard_normal((SIZES, draws))
    own = rng.standard_normal((len(BASE), draws))
    gains = 0.1 * (np.sqrt(shared) * common[BASE] + np.sqrt(1 - shared) * own)
    values = np.concatenate([real, gains])[:, :, None] + 1e-3 * rng.standard_normal((CELLS, draws, images))
    return components(values, np.full(images, 1 / images), np.zeros(images, dtype=int), draws)


def test_relations_are_found():
    found = parts(60, 0, shared=0.7)
    covariance = cell_covariance(found, found.draw_variance, BASE, SIZES)
    assert covariance is not None and (np.linalg.eigvalsh(covariance) > 0).all()
    correlation = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    mixed = correlation[SIZES:, SIZES:]
    same = BASE[:, None] == BASE
    assert mixed[same & ~np.eye(len(BASE), dtype=bool)].mean() == pytest.approx(0.7, abs=0.1)
    assert np.abs(mixed[~same].mean()) < 0.15
    assert correlation[:SIZES, :SIZES][~np.eye(SIZES, dtype=bool)].mean() == pytest.approx(0.8, abs=0.1)


def test_few_draws_give_shrunken_correlations_and_one_draw_none():
    few = [parts(3, seed, shared=0.7) for seed in range(30)]
    means = []
    for found in few:
        covariance = cell_covariance(found, np.full(CELLS, 0.01), BASE, SIZES)
        means.append(covariance[SIZES, SIZES + 1] / covariance[SIZES, SIZES])
    assert 0.15 < np.mean(means) < 0.6  # 0.7 times 2 / (2 + 2)
    assert cell_covariance(few[0], np.full(CELLS, np.nan), BASE, SIZES) is None
    assert isinstance(few[0], Components)


def test_a_diagonal_covariance_gives_the_weights_of_independent_cells():
    from tests.laws.test_selection import planted

    data = planted("F3")
    variances = np.concatenate([data.real_error, data.gain_error]) ** 2
    same = type(data)(**{**vars(data), "covariance": np.diag(variances)})
    k = len(data.sizes)
    assert same.whitener(slice(k)) == pytest.approx(data.whitener(slice(k)))
    assert (same.sigma[k:] >= data.sigma[k:]).all()  # a ratio also holds the noise of its baseline
