"""Heads on frozen features: the optimum, against scipy's, sklearn's and the gradient itself; weights of a mixture."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from synaug_ray.classifiers.head import PENALTIES, Rows, choose, fit


def problem(n=60, d=8, k=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    features = rng.normal(size=(k, d))[labels] + rng.normal(size=(n, d)) * np.linspace(0.1, 3, d) + 5
    return features, labels, rng.uniform(0.2, 1, n)


def loss(features, labels, weight, weights, bias, penalty):
    """In terms of the features themselves: the definition at the head of the module."""
    weight = weight / weight.sum()
    mean = weight @ features
    scale = np.sqrt(weight @ ((features - mean) ** 2).sum(1))
    logits = features @ weights + bias
    nll = weight @ (logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels])
    return nll + penalty / 2 * ((weights * scale) ** 2).sum()


@pytest.mark.parametrize("n,d", [(60, 5), (9, 14), (12, 12)])
@pytest.mark.parametrize("penalty", [1e-1, 1e-3])
def test_the_optimum_is_scipys_and_its_gradient_nothing(n, d, penalty):
    features, labels, weight = problem(n, d)
    rows = Rows.of(features, labels, weight, 3)
    head = rows.head(*fit(rows, penalty), penalty)

    def of(flat):
        return loss(features, labels, weight, flat[: d * 3].reshape(d, 3), flat[d * 3 :], penalty)

    ours = np.concatenate([head.weights.ravel(), head.bias])
    theirs = minimize(of, np.zeros((d + 1) * 3), method="BFGS", options={"gtol": 1e-7})
    assert of(ours) <= theirs.fun + 1e-9
    steps = np.eye(len(ours)) * 1e-5
    gradient = np.array([(of(ours + s) - of(ours - s)) / 2e-5 for s in steps])
    assert np.abs(gradient).max() < 1e-5
    p = np.exp(features @ theirs.x[: d * 3].reshape(d, 3) + theirs.x[d * 3 :])
    np.testing.assert_allclose(np.exp(head.log_probabilities(features)), p / p.sum(1, keepdims=True), atol=1e-3)


def test_it_is_sklearns_logistic_regression():
    features, labels, weight = problem(90, 6)
    rows = Rows.of(features, labels, weight, 3)
    penalty = 1e-2
    head = rows.head(*fit(rows, penalty), penalty)
    scale = np.sqrt(rows.weight @ ((features - rows.mean) ** 2).sum(1))
    peer = LogisticRegression(C=1 / (penalty * len(labels)), tol=1e-8, max_iter=10_000)
    peer.fit((features - rows.mean) / scale, labels, sample_weight=rows.weight * len(labels))
    np.testing.assert_allclose(
        np.exp(head.log_probabilities(features)), peer.predict_proba((features - rows.mean) / scale), atol=1e-4
    )


def test_weights_are_repetitions():
    features, labels, _ = problem(24)
    times = 1 + np.arange(24) % 3
    weighted = Rows.of(features, labels, times.astype(float), 3)
    repeated = Rows.of(np.repeat(features, times, 0), np.repeat(labels, times), np.ones(times.sum()), 3)
    one, other = (rows.head(*fit(rows, 1e-2), 1e-2) for rows in (weighted, repeated))
    np.testing.assert_allclose(one.log_probabilities(features), other.log_probabilities(features), atol=1e-4)


def test_units_of_the_features_do_not_matter():
    features, labels, weight = problem()
    one, other = (
        choose(Rows.of(z, labels, weight, 3), z, labels).log_probabilities(z) for z in (features, 100 * features - 7)
    )
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_penalty_is_the_one_of_the_highest_likelihood_of_validation_images():
    """Labels without relation to the features need a strong one; separable ones a weak one."""
    features, labels, weight = problem(40, 30)
    other, held_out, _ = problem(200, 30)
    noise = np.random.default_rng(1).permutation(labels)
    far = np.eye(3)[np.arange(40) % 3] @ np.random.default_rng(2).normal(size=(3, 30)) * 20
    far += np.random.default_rng(3).normal(size=far.shape) * 0.01
    classes = np.arange(40) % 3
    for rows, seen, truth, low, high in (
        (Rows.of(features, noise, weight, 3), other, held_out, 1e-2, 0.1),
        (Rows.of(far, classes, weight, 3), far, classes, 0.0, 1e-5),
    ):
        heads = [rows.head(*fit(rows, p), p) for p in PENALTIES]
        likelihood = [head.log_probabilities(seen)[np.arange(len(truth)), truth].mean() for head in heads]
        chosen = choose(rows, seen, truth).penalty
        assert low <= chosen <= high
        assert likelihood[PENALTIES.index(chosen)] > max(likelihood) - 1e-4  # nats: separable classes differ by less


def test_one_class_and_one_image_have_an_optimum():
    head = choose(Rows.of(np.ones((1, 4)), np.zeros(1, np.int64), np.ones(1), 3), np.ones((2, 4)), np.array([0, 1]))
    assert np.isfinite(head.log_probabilities(np.ones((2, 4)))).all()
