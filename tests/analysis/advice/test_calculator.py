"""Interpolation against the law behind the grid, and the cheapest mix against brute force over whole numbers."""

import dataclasses
import json
import math

import numpy as np
import pytest

from synaug_ray.analysis.advice.calculator import (
    Costs,
    cheapest,
    cost,
    expectation,
    generation_seconds,
)
from synaug_ray.analysis.advice.interpolation import estimate, interpolate, outside
from synaug_ray.laws.results import Estimate
from tests.analysis.test_prediction_grid import law, made

GENERATION = [
    {"num_real": 20, "generator_seconds": 10.0, "seconds_per_image": 0.01},
    {"num_real": 80, "generator_seconds": 30.0, "seconds_per_image": 0.03},
]


@pytest.fixture(scope="module")
def grid():
    """F3 as plain JSON; measured 20 to 160 real images with up to 4x, real-only to 320."""
    return json.loads(json.dumps(dataclasses.asdict(made(law("F3", (0.8, 0.6, 2.0), 1.0, 0.03, 100)))))


def truth(n, amount):
    return 0.15 * (n * (1 + 0.8 * (n / 80) ** -0.6 * (1 - math.exp(-amount / n / 2))) / 80) ** -0.55


def test_grid_points_come_out_as_they_are(grid):
    for i, n in enumerate(grid["num_real"]):
        for j, amount in enumerate(grid["num_synthetic"]):
            for name in ("error", "equivalent", "marginal", "marginal_low"):
                expected = grid[name][i][j]
                found = interpolate(grid, name, n, amount)
                assert (found is None) == (expected is None)
                assert found is None or found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_between_grid_points_the_law_is_close(grid):
    """Measured range; the grid's spacing costs less than a fiftieth of the error."""
    for n in np.geomspace(20, 160, 23):
        for s in np.linspace(0, 4, 17):
            assert interpolate(grid, "error", n, s * n) == pytest.approx(truth(n, s * n), rel=0.02)


def test_interpolation_is_bilinear_by_hand():
    corner = {
        "num_real": [10.0, 40.0],
        "num_synthetic": [0.0, 20.0],
        "error": [[0.4, 0.2], [0.2, 0.1]],
        "equivalent": [[0.0, 8.0], [0.0, 4.0]],
        "marginal": [[1.0, None], [1.0, 2.0]],
    }
    amount = 20 * (math.sqrt(2) - 1)  # v half way to ln 2
    assert interpolate(corner, "error", 20.0, amount) == pytest.approx((0.4 * 0.2 * 0.2 * 0.1) ** 0.25)
    assert interpolate(corner, "equivalent", 20.0, amount) == pytest.approx(3.0)
    assert interpolate(corner, "marginal", 20.0, amount) is None  # one of four corners is unknown
    assert interpolate(corner, "marginal", 40.0, amount) == pytest.approx(math.sqrt(2.0))  # not one of these two
    assert interpolate(corner, "error", 41.0, 0.0) is None and interpolate(corner, "error", 20.0, 21.0) is None


def test_outside_says_how(grid):
    assert outside(grid, 80, 320) == () == outside(grid, 300, 0)
    assert "outside the 20 to 160 measured with synthetic" in outside(grid, 300, 10)[0]
    assert "outside the 20 to 320 measured without" in outside(grid, 19, 0)[0]
    assert "more than the 640 measured" in outside(grid, 160, 700)[0]
    assert "5 synthetic images per real one are more than the 4" in outside(grid, 40, 200)[0]


def test_expectation_of_real_images_alone_knows_no_equivalent_and_no_rate(grid):
    alone = expectation(grid, 80, 0)
    assert alone.error == alone.error_real_only
    assert alone.equivalent.value is None and alone.average.value is None
    assert alone.marginal.value is None and grid["marginal"][0][0] is not None  # not measured, though a law has one
    both = expectation(grid, 80, 160)
    assert both.average.value == pytest.approx(160 / both.equivalent.value)
    assert both.average.low == pytest.approx(160 / both.equivalent.high)
    beyond = expectation(grid, 100_000, 160)
    assert beyond.error.value is None and beyond.outside


def test_beyond_a_fall_nothing_is_predicted(grid):
    n, most = grid["num_real"][len(grid["num_real"]) // 2], grid["measured_multiple"]
    n, beyond = round(n), round(1.5 * most * n)
    assert expectation(grid, n, beyond).error.value is not None
    falling = grid | {"falls": "the error rises"}
    at = expectation(falling, n, beyond)
    assert at.error == at.equivalent == at.average == at.marginal == Estimate(None)
    assert at.outside == (*outside(grid, n, beyond), "the error rises")
    assert at.error_real_only == expectation(grid, n, beyond).error_real_only
    inside = round(0.9 * most * n)
    assert expectation(falling, n, inside) == expectation(grid, n, inside)


def test_harm_has_an_open_average():
    grid = dataclasses.asdict(made(law("F0", (-0.05,), 1.0, 0.01, 100)))
    harm = expectation(grid, 80, 160)
    assert harm.equivalent.value == pytest.approx(-8.0, rel=0.03)
    assert (harm.average.value, harm.marginal.value) == (None, None)


def test_generation_costs_are_linear_in_the_logarithm_and_constant_beyond():
    assert generation_seconds(GENERATION, 40, 100) == pytest.approx(20 + 100 * 0.02)
    assert generation_seconds(GENERATION, 500, 100) == pytest.approx(30 + 3)
    assert generation_seconds(GENERATION, 40, 0) == 0.0 == generation_seconds([], 40, 100)
    old = [{"num_real": 20, "generator_seconds": None, "seconds_per_image": 0.5}]
    assert generation_seconds(old, 40, 10) == 5.0
    assert cost(GENERATION, Costs(2.0, 0.1, 3600.0, have=30), 40, 100) == pytest.approx(20 + 10 + 22)


def brute(grid, generation, target, costs):
    """Every whole number of real images, every synthetic amount up to 640."""
    best = None
    for n in range(20, 321):
        for amount in range(0, 641 if n <= 160 else 1, 2):
            if n < costs.have or amount > 4 * n:
                continue
            error = interpolate(grid, "error", n, amount)
            if error is not None and error <= target * (1 + 1e-9):
                price = cost(generation, costs, n, amount)
                best = price if best is None or price < best else best
                break  # more synthetic images only cost more
    return best


@pytest.mark.parametrize(
    ("target", "costs"),
    [
        (0.10, Costs(1.0, 0.02)),
        (0.10, Costs(1.0, 0.5)),
        (0.12, Costs(1.0, 0.05, 3600.0, have=40)),
        (0.08, Costs(1.0, 0.001)),
        (0.09, Costs(0.0, 0.0)),
        (0.25, Costs(1.0, 0.1)),
    ],
)
def test_cheapest_mix_is_the_cheapest(grid, target, costs):
    found = cheapest(grid, GENERATION, target, costs).mix
    best = brute(grid, GENERATION, target, costs)
    assert found is not None and best is not None
    assert found.error.value <= target * (1 + 1e-6)
    assert found.cost <= best * 1.01 + 0.5 * (costs.real > 0)  # the search steps over amounts, brute force does not
    assert found.cost >= best * 0.99 - 0.5
    assert found.cost == pytest.approx(cost(GENERATION, costs, found.num_real, found.num_synthetic))
    assert outside(grid, found.num_real, found.num_synthetic) == ()


def test_a_target_that_real_images_reach_alone_says_so(grid):
    answer = cheapest(grid, [], 0.10, Costs(1.0, 50.0))
    assert answer.mix == answer.collect_only and answer.mix.num_synthetic == 0
    exact = 80 * (0.10 / 0.15) ** (-1 / 0.55)
    assert answer.mix.num_real == pytest.approx(exact, abs=1.5)
    free = cheapest(grid, [], 0.10, Costs(1.0, 0.0))
    assert free.mix.num_real < free.collect_only.num_real


def test_no_mix_says_the_lowest_error_inside_the_measured_range(grid):
    answer = cheapest(grid, GENERATION, 0.01, Costs(1.0, 0.1))
    assert answer.mix is None and answer.collect_only is None
    assert answer.reached.error == estimate(grid, "error", answer.reached.num_real, answer.reached.num_synthetic)
    errors = [
        interpolate(grid, "error", n, a)
        for n in range(20, 321, 5)
        for a in ([0] if n > 160 else range(0, 4 * n + 1, 20))
    ]
    assert answer.reached.error.value <= min(errors) * 1.001
    owned = cheapest(grid, GENERATION, 0.01, Costs(1.0, 0.1, have=10_000))
    assert owned == type(owned)(None, None, None)


def test_images_owned_cost_nothing_and_are_all_used(grid):
    answer = cheapest(grid, [], 0.12, Costs(1.0, 0.01, have=100)).mix
    assert answer.num_real >= 100
    assert answer.cost == pytest.approx(answer.num_real - 100 + 0.01 * answer.num_synthetic)
