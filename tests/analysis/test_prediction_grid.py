"""The prediction grid against the laws it is made of, and its axes."""

import dataclasses
import json

import numpy as np
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.advice.calculator import expectation
from synaug_ray.analysis.advice.interpolation import estimate
from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.exchange import WeightedLaw
from synaug_ray.analysis.prediction_grid import amount_grid, predict_on_grid, size_grid
from synaug_ray.laws.curves import CURVES
from synaug_ray.laws.equivalence import BY_NAME

CURVE = next(curve for curve in CURVES if curve.name == "power law")
MEASURED = [20.0, 40.0, 80.0, 160.0, 320.0]
CELLS = [(n, n * s) for n in (20, 40, 80, 160) for s in (1, 4)]


def law(name, natural, weight=1.0, spread=0.0, replicates=0):
    """b = 0.15, c = 0.55 at n0 = 80, then the law; replicates scatter all parameters."""
    parameters = (*CURVE.parameters, *BY_NAME[name].parameters)
    values = zip(parameters, (0.15, 0.55, *natural), strict=True)
    theta = np.array([[float(p.inward(np.asarray(v))) for p, v in values]])
    thetas = theta + spread * np.random.default_rng(0).standard_normal((replicates, theta.shape[1]))
    return WeightedLaw(CURVE, BY_NAME[name], weight, theta, thetas if replicates else None)


def made(*laws, estimable=True):
    return predict_on_grid(
        list(laws), real_sizes=MEASURED, cells=CELLS, n0=80.0, chance=0.9, confidence=0.9, estimable=estimable
    )


def test_grid_holds_every_measured_size_and_reaches_twice_as_far():
    sizes = size_grid(MEASURED)
    assert set(MEASURED) <= set(sizes) and (sizes[0], sizes[-1]) == (10.0, 640.0)
    assert 15 <= len(sizes) <= 20 and (np.diff(sizes) > 0).all()
    amounts = amount_grid([20.0, 100.0, 640.0])
    assert amounts[:2] == (0.0, 20.0) and amounts[-1] == 1280.0 and {100.0, 640.0} <= set(amounts)
    assert 12 <= len(amounts) <= 15 and (np.diff(amounts) > 0).all()
    assert size_grid([100.0, 1_281_167.0])[-1] == 2_562_334.0  # not rounded
    uneven = size_grid([20.0, 21.0, 22.0, 2000.0])
    assert {20.0, 21.0, 22.0, 2000.0} <= set(uneven)


def test_values_are_those_of_the_law():
    made_of = made(law("F3", (0.8, 0.6, 2.0)))
    assert made_of.measured_num_real == (20, 160) and made_of.measured_real_only == (20, 320)
    assert (made_of.measured_num_synthetic, made_of.measured_multiple) == (640, 4.0)
    for i, n in enumerate(made_of.num_real):
        for j, amount in enumerate(made_of.num_synthetic):
            r = 0.8 * (n / 80) ** -0.6 * (1 - np.exp(-amount / n / 2))
            slope = 0.4 * (n / 80) ** -0.6 * np.exp(-max(amount, 1) / n / 2)
            assert made_of.error[i][j] == pytest.approx(0.15 * (n * (1 + r) / 80) ** -0.55, rel=1e-5)
            assert made_of.equivalent[i][j] == pytest.approx(n * r, rel=1e-5, abs=1e-9)
            left = n * 0.8 * (n / 80) ** -0.6 - n * r
            assert made_of.marginal[i][j] == (pytest.approx(1 / slope, rel=1e-5) if left >= 1 else None)
    assert made_of.error_low[3][3] is None  # no replicates, no interval


HELPFUL = {
    "F0": (0.3,), "F1": (0.9, 0.8), "F2": (0.5, 0.6, 0.5), "F3": (1.2, 0.6, 2.0), "F4": (1.2, -0.4, 2.0),
    "F5": (0.3, 0.5, 0.6), "F6": (1.0, 0.2, 0.7, 0.05), "F3 signed": (0.4, 0.3, 2.0), "F4 signed": (0.1, 0.3, 0.3),
}  # fmt: skip
HARMFUL = {"F0": (-0.1,), "F3 signed": (-0.7, 0.05, 1.0), "F4 signed": (-0.5, -0.1, 0.5), "F6": (1.5, 0.0, 0.7, 0.25)}


@pytest.mark.parametrize(("name", "natural"), [*HELPFUL.items(), *HARMFUL.items()])
def test_interpolation_is_the_law_at_measured_cells_and_within_1_percent_between_them(name, natural):
    form, curve_at = BY_NAME[name], lambda n: 0.15 * (n / 80) ** -0.55

    def planted(n, amount):
        r = form.r(tuple(np.array(v) for v in natural), n / 80, amount / n)
        return np.minimum(curve_at(n * np.maximum(1 + r, 0.02)), 1.0)

    grid = dataclasses.asdict(made(law(name, natural)))
    for n, amount in CELLS:
        assert estimate(grid, "error", n, amount).value == pytest.approx(planted(n, amount), rel=1e-5)
    rng = np.random.default_rng(0)
    for n in np.exp(rng.uniform(np.log(20), np.log(160), 40)):
        for amount in np.append(0.0, np.exp(rng.uniform(np.log(20), np.log(4 * n), 10))):
            assert estimate(grid, "error", n, amount).value == pytest.approx(planted(n, amount), rel=0.0101)
    assert len(grid["num_real"]) < 40 and len(grid["num_synthetic"]) < 60


def test_interval_holds_the_choice_of_the_law_and_its_replicates():
    narrow = made(law("F3", (0.8, 0.6, 2.0), 1.0, 0.05, 400))
    both = made(law("F3", (0.8, 0.6, 2.0), 0.5, 0.05, 200), law("F0", (-0.05,), 0.5, 0.001, 200))
    i, j = 6, 5
    assert narrow.equivalent_low[i][j] > 0 > both.equivalent_low[i][j]
    assert narrow.error_low[i][j] < narrow.error[i][j] < narrow.error_high[i][j]
    assert both.marginal_high[i][j] is None  # half of the laws say "not reachable"


def test_flat_curve_prices_nothing_but_still_has_errors():
    flat = made(law("F3", (0.8, 0.6, 2.0)), estimable=False)
    assert {v for rows in (flat.equivalent, flat.marginal) for row in rows for v in row} == {None}
    assert None not in {v for row in flat.error for v in row}


@pytest.fixture(scope="module")
def analysis():
    grid = Grid(power(), {("edm", "proportional"): lambda n, s: 0.3 * s**0.5}, sizes=(20, 40, 80, 160), images=300)
    measurements, predictions = simulate(grid, seed=4)
    amounts = measurements["num_synthetic"]
    measurements["generator_cost_seconds"] = np.where(amounts > 0, 15 + measurements["draw"], 0.0)
    measurements["image_cost_seconds"] = np.where(amounts > 0, 0.01, 0.0)
    return analyse(measurements, predictions, replicates=60)


def test_a_study_s_grid_agrees_with_its_exchange_rates(analysis):
    study, plain, given = analysis.studies[0], analysis.laws_json()["studies"][0], 0
    for rate in study.exchange:
        at = expectation(plain["surface"], rate.num_real, rate.num_synthetic)
        for name in ("average", "marginal"):  # what the table withholds, predictions there do not give either
            assert getattr(rate, name).value is not None or getattr(at, name).value is None
        if None in (rate.average.value, rate.marginal.value):
            assert "not estimable: the interval of the rate is open" in rate.note and at.not_estimable
            continue
        given += 1
        i = study.surface.num_real.index(rate.num_real)
        if rate.num_synthetic in study.surface.num_synthetic:
            j = study.surface.num_synthetic.index(rate.num_synthetic)
            worth = study.surface.equivalent[i][j]
            assert rate.average.value == pytest.approx(rate.num_synthetic / worth, rel=1e-4)
            assert rate.marginal.value == pytest.approx(study.surface.marginal[i][j], rel=1e-4)
    assert given > len(study.exchange) // 2


def test_generation_costs_are_the_medians_over_draws(analysis):
    costs = analysis.studies[0].generation
    assert [g.num_real for g in costs] == [20, 40, 80, 160]
    for g in costs:
        assert g.generator_seconds == pytest.approx(15 + 2.5)  # the median of six draws
        assert g.seconds_per_image == pytest.approx(0.01)
    json.dumps(analysis.laws_json(), allow_nan=False)


def test_synthetic_only_has_no_grid_since_no_synthetic_image_is_no_training_set_there():
    grid = Grid(power(), {("edm", "none"): lambda n, s: -0.5}, sizes=(20, 40, 80), draws=3, images=200)
    measurements, predictions = simulate(grid, seed=4)
    measurements.loc[measurements["num_synthetic"] > 0, "protocol"] = "synthetic-only"
    study = analyse(measurements, predictions, replicates=0).studies[0]
    assert study.fits and study.surface is None
