"""The batched fit against scipy, against the published Chinchilla points, and where it must give up."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.paths import REPOSITORY
from scipy.optimize import least_squares

from synaug_ray.laws.fitting import HUBER, Parameter, fit, refit
from synaug_ray.laws.results import FitStatus

X = np.geomspace(10, 1000, 12)
POWER = (
    Parameter("b", "", 1e-3, 10, (0.1, 1.0), log=True),
    Parameter("c", "", 0.01, 3, (0.2, 1.0), log=True),
    Parameter("floor", "", 1e-4, 1, (0.01, 0.1), log=True),
)


def model(theta):
    b, c, floor = np.exp(theta).T[:, :, None]
    return np.log(floor + b * (X / 100) ** -c)


def planted(outlier=0.0):
    truth = np.log([0.2, 0.6, 0.03])
    target = model(truth[None])[0] + 0.02 * np.random.default_rng(1).standard_normal(len(X))
    target[4] += outlier
    return truth, target


def test_same_optimum_as_scipy_with_an_outlier():
    truth, target = planted(outlier=0.5)
    sigma = np.full(len(X), 0.02)
    ours = fit(model, target, sigma, POWER)
    scipys = least_squares(
        lambda theta: (model(theta[None])[0] - target) / sigma, truth, loss="huber", f_scale=HUBER, xtol=1e-12
    )
    # scipy's huber is rho(z^2) with cost 0.5 f_scale^2 rho: the same objective.
    assert ours.cost == pytest.approx(scipys.cost, rel=1e-4)
    np.testing.assert_allclose(ours.theta, scipys.x, atol=5e-3)
    assert ours.status is FitStatus.CONVERGED
    assert ours.share_of_starts > 0.5  # the rest ends on the plateau of a vanishing floor


def test_refits_of_a_batch_equal_single_fits():
    _, target = planted()
    sigma = np.full(len(X), 0.02)
    first = fit(model, target, sigma, POWER)
    targets = target + 0.02 * np.random.default_rng(2).standard_normal((5, len(X)))
    batch, costs = refit(model, first, targets, sigma, POWER)
    for theta, cost, own in zip(batch, costs, targets, strict=True):
        alone = fit(model, own, sigma, POWER)
        np.testing.assert_allclose(theta, alone.theta, atol=2e-3)
        assert cost == pytest.approx(alone.cost, rel=1e-4)


def test_a_floor_that_is_not_there_ends_at_its_bound():
    target = np.log(0.2 * (X / 100) ** -0.6)
    assert fit(model, target, np.full(len(X), 0.02), POWER).status is FitStatus.AT_BOUND


def test_two_parameters_for_one_product_are_not_identifiable():
    both = (POWER[0], Parameter("b2", "", 1e-3, 10, (0.3, 1.0), log=True))
    fitted = fit(lambda theta: theta.sum(axis=1, keepdims=True) + np.zeros(5), np.zeros(5), np.ones(5), both)
    assert fitted.status is FitStatus.NOT_IDENTIFIABLE


@pytest.mark.parametrize("sigma", [np.zeros(12), np.full(12, np.nan), np.ones(3)])
def test_bad_standard_errors_are_refused(sigma):
    with pytest.raises(ValueError, match="sigma"):
        fit(model, np.zeros(12), sigma, POWER)


POINTS = Path(os.environ.get("SYNAUG_TEST_DATA", REPOSITORY / ".." / "shared" / "data")) / "chinchilla-points.csv"


@pytest.mark.skipif(not POINTS.exists(), reason=f"published points not at {POINTS} (set SYNAUG_TEST_DATA)")
def test_published_chinchilla_points_give_the_published_refit():
    """arXiv 2404.10102: L = E + A/N^a + B/D^b, Huber 1e-3 on log residuals, five worst points dropped."""
    table = pd.read_csv(POINTS).sort_values("loss").iloc[:-5]
    size = table["Model Size"].to_numpy()
    data = table["Training FLOP"].to_numpy() / (6 * size)
    target = np.log(table["loss"].to_numpy())
    scale = tuple(np.exp([0.0, 5, 10, 15, 20, 25]))
    exponent = (0.001, 0.5, 1.0, 1.5, 2.0)
    parameters = (
        Parameter("A", "nats", 1e-2, 1e12, scale, log=True),
        Parameter("B", "nats", 1e-2, 1e12, scale, log=True),
        Parameter("E", "nats", 0.05, 20, tuple(np.exp([-1, -0.5, 0, 0.5, 1])), log=True),
        Parameter("a", "dimensionless", 1e-3, 3, exponent),
        Parameter("b", "dimensionless", 1e-3, 3, exponent),
    )

    def surface(theta, rows=slice(None)):
        a0, b0, e, a, b = theta.T[:, :, None]
        return np.logaddexp(np.logaddexp(a0 - a * np.log(size[rows]), b0 - b * np.log(data[rows])), e)

    # Residuals are standardised, so a Huber delta of 1e-3 in log loss is 1e-3 / sigma.
    sigma = 0.01
    fitted = fit(surface, target, np.full(len(target), sigma), parameters, delta=1e-3 / sigma, iterations=300)
    estimate = [float(p.outward(t)) for p, t in zip(parameters, fitted.theta, strict=True)]
    published = [(482.0, 124.5), (2085.4, 1293.3), (1.817, 0.026), (0.348, 0.015), (0.366, 0.021)]
    for value, (centre, error) in zip(estimate, published, strict=True):
        assert abs(value - centre) < error
    assert abs(estimate[3] - 0.348) < 0.002  # much closer than its standard error: the same optimum

    rng = np.random.default_rng(0)
    thetas = []
    for _ in range(150):
        rows = rng.integers(0, len(target), len(target))
        again = fit(
            partial(surface, rows=rows),
            target[rows],
            np.full(len(target), sigma),
            parameters,
            delta=1e-3 / sigma,
            starts=fitted.theta[None],
            iterations=200,
        )
        thetas.append(again.theta)
    spread = np.std(thetas, axis=0)
    # 150 replicates know a standard error to 6%; the published ones come from 4,000.
    for ours, error in zip(spread[2:], [0.026 / 1.817, 0.015, 0.021], strict=True):
        assert 0.6 * error < ours < 1.5 * error
    # 95% intervals of the same source. Ends of 150 replicates are off by a quarter of a standard error or so.
    low, high = np.quantile(thetas, (0.025, 0.975), axis=0)
    for i, ends, error in ((3, (0.317, 0.373), 0.015), (4, (0.331, 0.415), 0.021)):
        np.testing.assert_allclose((low[i], high[i]), ends, atol=0.75 * error)
    np.testing.assert_allclose(np.exp([low[1], high[1]]) / (1042, 5810), 1, atol=0.6)
