"""Draws to decide: they do so as often as is said, and a chance find is not taken at face value."""

import numpy as np
import pytest
from scipy import stats

from synaug_ray.analysis.deciding import CellNoise, draws_to_decide, next_p, spread_of_gains
from synaug_ray.laws.simultaneous import Look, next_look

START = 6


def test_the_spread_of_true_gains_is_what_noise_does_not_explain():
    rng = np.random.default_rng(0)
    errors = np.full(20_000, 0.02)
    gains = 0.03 * rng.standard_normal(20_000) + errors * rng.standard_normal(20_000)
    assert spread_of_gains(gains, errors) == pytest.approx(0.03**2, rel=0.03)
    assert spread_of_gains([0.001], [0.02]) == 0.0


def test_the_next_look_s_value_is_that_of_brownian_paths():
    looks, p, draws = [Look(6, 0.6)], 0.02, 12
    rng = np.random.default_rng(1)
    first = rng.standard_normal(2_000_000)
    second = (first + rng.standard_normal(2_000_000)) / np.sqrt(2)
    not_before = np.abs(first) < stats.norm.isf(p / 2)
    crosses = not_before & (np.abs(second) > stats.norm.isf(next_p(p, looks, draws) / 2))
    spent = p * (next_look(looks, draws).share - 0.6) / 0.6
    assert crosses.mean() == pytest.approx(spent, rel=0.05)


def world(rng, draws, spread, noise, looks):
    """One cell's gain and its halves at a look, from all draws so far; t intervals by the looks' own values."""
    value, error = draws.mean(), np.sqrt(draws.var(ddof=1) / len(draws))
    freedom, p = len(draws) - 1, 0.03
    if len(looks) > 1:
        p = next_p(p, looks[:1], len(draws))
    joint, own = stats.t.isf(p / 2, freedom), stats.t.isf(0.05, freedom)
    return value, error, joint, own


def test_as_many_draws_as_are_told_decide_in_four_of_five():
    """Worlds with true gains of 2 points' spread: of those undecided at first, about 80% are decided as told."""
    rng = np.random.default_rng(2)
    spread, noise, delta, decided = 0.02**2, 0.03, 0.005, []
    looks = [Look(START, 0.6)]
    while len(decided) < 80:
        truth = rng.normal(0, np.sqrt(spread))
        draws = truth + noise * rng.standard_normal(START)
        value, error, joint, own = world(rng, draws, spread, noise, looks)
        if abs(value) > joint * error or abs(value) + own * error < delta:
            continue
        cell = CellNoise(joint, own, START * error**2, 0.0, START - 1)
        told = draws_to_decide([value], [cell], spread, delta, looks)
        if told.draws is None:
            continue
        more = np.concatenate([draws, truth + noise * rng.standard_normal(told.draws - START)])
        value, error, joint, own = world(rng, more, spread, noise, [*looks, next_look(looks, told.draws)])
        decided.append(abs(value) > joint * error or abs(value) + own * error < delta)
    assert 0.68 <= np.mean(decided) <= 0.93


def test_a_gain_among_nothing_is_not_promised_a_decision():
    """Where all other cells say that gains are noise, draws cannot be expected to show this one."""
    cell = CellNoise(3.0, 2.0, 1e-3, 1e-7, 15.0)
    looks = [Look(START, 0.6)]
    believed = draws_to_decide([0.03], [cell], 0.03**2, None, looks)
    doubted = draws_to_decide([0.03], [cell], 0.0, None, looks)
    assert believed.draws is not None and believed.even is not None and believed.even <= believed.draws
    assert doubted.draws is None


def test_a_margin_can_be_shown_where_a_gain_cannot():
    cell = CellNoise(3.0, 2.0, 1e-4, 1e-8, 15.0)
    found = draws_to_decide([0.001], [cell], 0.0, 0.005, [Look(START, 0.6)])
    assert found.draws is not None and found.draws < 60
