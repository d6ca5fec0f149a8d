"""k nearest neighbours against scikit-learn's, and the mixture that weights carry."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from synaug_ray.classifiers.neighbours import Neighbours, choose


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def planted(rng, count, classes=4, noise=1.5):
    centres = np.random.default_rng(7).normal(size=(classes, 12))
    labels = rng.integers(0, classes, count)
    return centres[labels] + noise * rng.normal(size=(count, 12)), labels


def test_of_equal_weights_it_answers_as_scikit_learn_does(rng):
    z, labels = planted(rng, 300)
    test, _ = planted(rng, 700)
    found = choose(z, labels, np.ones(300), 4, *planted(rng, 200))
    assert found.k in (8, 16, 32)  # neither one neighbour nor all
    oracle = KNeighborsClassifier(found.k, metric="cosine").fit(z - z.mean(0), labels)
    votes = found.k * oracle.predict_proba(test - z.mean(0))
    np.testing.assert_allclose(found.log_probabilities(test), np.log((votes + 0.25) / (found.k + 1)), atol=1e-12)


def test_a_weight_counts_as_so_many_rows(rng):
    z, labels = planted(rng, 60)
    twice = np.repeat(z, 2, axis=0)
    weighted = Neighbours(z, labels, np.ones(60), np.zeros(12), 4, 5)
    repeated = Neighbours(twice, np.repeat(labels, 2), np.full(120, 0.5), np.zeros(12), 4, 10)
    test, _ = planted(rng, 50)
    np.testing.assert_allclose(weighted.log_probabilities(test), repeated.log_probabilities(test), atol=1e-12)


def test_few_rows_and_one_of_them(rng):
    z, labels = planted(rng, 3)
    found = choose(z, labels, np.ones(3), 4, *planted(rng, 20))
    assert found.k <= 3 and np.isfinite(found.log_probabilities(z)).all()
