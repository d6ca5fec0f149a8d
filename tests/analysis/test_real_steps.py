"""What more real images bring from one measured size to the next: planted, paired by draw, and what is advised by it."""

import dataclasses

import numpy as np
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.advice.more_real import Known, more_real
from synaug_ray.analysis.analyse import analyse

GRID = Grid(power(), {("edm", "0.5"): lambda n, s: 0.0}, sizes=(40, 80, 160), multiples=(1,), draws=6, images=1_000)


def found_in(seed=0, replicates=20, **changes):
    return analyse(*simulate(dataclasses.replace(GRID, **changes), seed), replicates=replicates)


def test_planted_steps_are_inside_their_intervals():
    held = []
    for seed in range(12):
        steps = found_in(seed).real_steps
        assert [(s.classifier, s.low, s.high) for s in steps] == [("mlp", 40, 80), ("mlp", 80, 160)]
        held += [s.gain.low <= GRID.curve(s.low) - GRID.curve(s.high) <= s.gain.high for s in steps]
    assert 0.75 <= np.mean(held) <= 1  # 90% intervals


def test_they_are_sharper_than_two_errors_and_their_value_is_the_same():
    laws = found_in().laws_json()
    old = {k: v for k, v in laws.items() if k != "real_steps"}
    for n in (40, 80, 160, 60, 150):
        paired, unpaired = more_real(laws, "mlp", n), more_real(old, "mlp", n)
        assert (paired.low, paired.high, paired.beyond) == (unpaired.low, unpaired.high, unpaired.beyond)
        assert paired.gain.value == pytest.approx(unpaired.gain.value, abs=1e-6)
        assert paired.gain.high - paired.gain.low < 0.8 * (unpaired.gain.high - unpaired.gain.low)


@pytest.mark.parametrize(
    ("num_real", "low", "high", "beyond"),
    [(0, 40, 80, True), (50, 40, 80, True), (75, 80, 160, True), (159, 80, 160, True), (160, 80, 160, False)],
)
def test_the_step_that_begins_nearest_is_taken(num_real, low, high, beyond):
    found = more_real(found_in().laws_json(), "mlp", num_real)
    assert (found.low, found.high, found.beyond, found.known) == (low, high, beyond, Known.HELPS)


def test_a_curve_that_does_not_fall_is_not_said_to():
    said = [more_real(found_in(seed, curve=lambda n: 0.2).laws_json(), "mlp", 80).known for seed in range(12)]
    assert np.mean([known is Known.HELPS for known in said]) <= 0.2  # 5% of 90% intervals lie above 0


def test_one_draw_has_no_interval():
    found = found_in(draws=1)
    assert all(step.gain.low is None for step in found.real_steps)
    assert more_real(found.laws_json(), "mlp", 40).known is Known.TOO_FEW
