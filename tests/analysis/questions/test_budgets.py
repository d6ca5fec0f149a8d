"""What longer training does to a gain: each word against a planted truth, and how often its intervals hold."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.questions.budget_text import budget_clause
from synaug_ray.analysis.questions.budgets import budget_curves, copies_of, partners, word_of
from synaug_ray.analysis.questions.generator_results import Training
from synaug_ray.analysis.results import Outcome
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import single_look

LENGTHS = {"edm-x0.25": 4_000, "edm": 16_000, "edm-x4": 64_000}
SIZES = (40, 160)


def planted(*worth, draws=6, noise=0.02, seed=0, images=1_000, **columns):
    """Tables of one recipe whose images are worth ``worth`` real ones per real image, at each length of training."""
    laws = {(name, "0.5"): (lambda n, s, w=w: w * (1 - np.exp(-s))) for name, w in zip(LENGTHS, worth, strict=True)}
    effects = {"draw_effect": 0.05, "size_effect": 0.02, "generator_effect": noise, "seed_effect": 0.01}
    grid = Grid(power(), laws, sizes=SIZES, multiples=(1, 4), draws=draws, images=images, **effects)
    trials, predictions = simulate(grid, seed)
    nimg = trials["generator"].map(LENGTHS).fillna(0).astype(int)
    trained = np.where(nimg > 0, trials["num_real"], 0)
    made = {"recipe_key": "r", "filter": "none", "trained_on": trained, "generator_nimg": nimg, "family": "edm"}
    costs = {"generator_cost_seconds": nimg / 1_000, "image_cost_seconds": 0.01}
    return grid, trials.assign(**made | costs | columns), predictions


def checks(*shares, names=LENGTHS, images=1_000):
    rows = [
        {"generator": name, "num_real": n, "draw": d, "near_copies": s, "base_rate": 0.01, "num_images": images}
        for name, s in zip(names, shares, strict=True)
        for n in SIZES
        for d in range(2)
    ]
    return pd.DataFrame(rows)


def change(grid, n, s, short="edm", long="edm-x4"):
    return grid.gain(long, "0.5", n, s) - grid.gain(short, "0.5", n, s)


WORDS = {  # what the images are worth at each length, near-copies: words at 0.25, 1 and 4 times
    "settled": ((0.0, 0.5, 0.5), None, {}, ("still rising", "settled", "settled")),
    "settled with copies that were there": (
        (0.0, 0.5, 0.5),
        (0.3, 0.3, 0.3),
        {},
        ("still rising", "settled", "settled"),
    ),
    "rising": ((0.0, 0.3, 1.0), None, {}, ("still rising", "still rising", "still rising")),
    "rising while it copies": ((0.0, 0.3, 1.0), (0.0, 0.1, 0.4), {}, ("still rising", "still rising", "still rising")),
    "copying": ((0.0, 0.5, 0.5), (0.01, 0.02, 0.3), {}, ("still rising", "copying", "copying")),
    "copying to its harm": ((0.0, 0.6, 0.2), (0.01, 0.02, 0.3), {}, ("still rising", "copying", "copying")),
    "falling": ((0.0, 0.6, 0.1), (0.01, 0.01, 0.01), {}, ("still rising", "falling", "falling")),
    "too noisy": ((0.3, 0.3, 0.3), None, {"noise": 0.3, "draws": 3}, ("not known",) * 3),
    "one draw": ((0.0, 0.3, 1.0), None, {"draws": 1}, ("not known",) * 3),
}


@pytest.mark.parametrize("name", WORDS)
def test_planted_truths_have_their_word(name):
    worth, copies, settings, words = WORDS[name]
    _, trials, predictions = planted(*worth, **{"images": 6_000, "noise": 0.005} | settings)
    found = analyse(trials, predictions, replicates=100, quality=None if copies is None else checks(*copies))
    curve = next(c for c in found.budgets if c.num_real == 40)  # at 160 effects are smaller than the margin
    assert curve.generators == tuple(LENGTHS) and curve.lengths == tuple(LENGTHS.values())
    assert tuple(curve.words) == words
    assert f"edm-x4 is {words[-1]}" in curve.sentence
    of = {v.generator: v for v in found.verdicts if v.num_real == 40}
    assert tuple(of[g].training for g in LENGTHS) == words
    for verdict in of.values():
        told = "this generator at this budget" in verdict.sentence
        assert told == (verdict.training.open and verdict.outcome in (Outcome.HURTS, Outcome.NO_EFFECT))
    json.dumps(found.laws_json())


def test_intervals_hold_what_was_planted():
    """Own intervals of the change with four times the training, and of the slope: 90% of 160, within their noise."""
    held = {"changes": [], "doubling": [], "joint": []}
    for seed in range(20):
        grid, trials, predictions = planted(0.1, 0.4, 0.6, seed=seed, images=300, noise=0.05)
        cells = pair_cells(trials, predictions)
        curves = budget_curves(
            cells,
            {("mlp", n): 0.01 for n in SIZES},
            {},
            confidence=0.9,
            replicates=1,
            rng=np.random.default_rng(seed),
            looks=single_look(len(cells.draws)),
        )
        all_at_once = True
        for curve in curves:
            for cell in curve.cells:
                truth = change(grid, curve.num_real, cell.synthetic_multiple)
                first = change(grid, curve.num_real, cell.synthetic_multiple, "edm-x0.25", "edm")
                held["changes"] += [cell.changes[0].low <= first <= cell.changes[0].high]
                held["changes"] += [cell.changes[1].low <= truth <= cell.changes[1].high]
                held["doubling"].append(cell.doubling.low <= (first + truth) / 4 <= cell.doubling.high)
                for joint, one in zip(cell.changes_simultaneous, (first, truth, truth), strict=True):
                    all_at_once &= joint.low <= one <= joint.high
        held["joint"].append(all_at_once)
    assert 0.83 <= np.mean(held["changes"]) <= 0.98  # cells of one draw move together: 80 independent ones at most
    assert 0.83 <= np.mean(held["doubling"]) <= 0.99
    assert np.mean(held["joint"]) >= 0.8


def test_values_are_contrasts_of_the_gains_and_pair_within_draws():
    """Draw effects common to both lengths leave the interval of the change as it was."""
    _, trials, predictions = planted(0.1, 0.4, 0.6)
    found = analyse(trials, predictions, replicates=50)
    for curve in found.budgets:
        for cell in curve.cells:
            gains = np.array([g.value for g in cell.gains])
            assert [c.value for c in cell.changes] == pytest.approx(
                [gains[1] - gains[0]] + 2 * [gains[2] - gains[1]], abs=1e-6
            )
            assert cell.doubling.value == pytest.approx((gains[2] - gains[0]) / 4, abs=1e-6)
            apart = sum((g.high - g.low) ** 2 for g in cell.gains[1:]) ** 0.5
            assert cell.changes[1].high - cell.changes[1].low < 1.2 * apart
    assert found.budgets[0].next_seconds == pytest.approx(4 * 64.0)


def test_the_rest_of_an_analysis_is_as_it_was_without_lengths():
    _, trials, predictions = planted(0.1, 0.4, 0.6)
    told = analyse(trials, predictions, replicates=50)
    before = analyse(trials.drop(columns=["generator_nimg", "recipe_key"]), predictions, replicates=50)
    assert before.budgets == () and {v.training for v in before.verdicts} == {None}
    assert [v.gain for v in told.verdicts] == [v.gain for v in before.verdicts]
    assert told.studies == before.studies and told.looks == before.looks


def test_a_learnt_generator_of_one_length_is_told_at_its_budget_and_controls_are_not():
    _, trials, predictions = planted(0.0, 0.0, 0.0, noise=0.0, images=6_000)
    kept = trials[trials["generator"].isin(["none", "edm"])]
    alone = analyse(kept, predictions, replicates=50)
    assert alone.budgets == () and {v.training for v in alone.verdicts} == {Training.UNKNOWN}
    quiet = [v for v in alone.verdicts if v.outcome is Outcome.NO_EFFECT]
    assert quiet and all("the effect of longer training was not measured (budgets)" in v.sentence for v in quiet)
    assert "edm has no effect" in alone.headline and "for this generator at this budget" in alone.headline
    jitter = kept.assign(family="jitter", generator_nimg=0)
    control = analyse(jitter, predictions, replicates=50)
    assert {v.training for v in control.verdicts} == {None} and "budget" not in control.headline


@pytest.mark.parametrize("column,value", [("recipe_key", "s"), ("filter", "confident"), ("trained_on", 800)])
def test_only_generators_that_differ_in_nothing_else_are_lengths_of_one(column, value):
    _, trials, predictions = planted(0.0, 0.3, 1.0)
    other = trials.assign(**{column: np.where(trials["generator"] == "edm-x4", value, trials[column])})
    found = analyse(other, predictions, replicates=20)
    assert {c.generators for c in found.budgets} == {("edm-x0.25", "edm")}


def test_half_of_a_running_grid_has_the_lengths_that_are_there():
    _, trials, predictions = planted(0.0, 0.3, 1.0)
    longest = trials["generator"] == "edm-x4"
    done = trials[~(longest & (trials["num_synthetic"] > 40))]  # one amount at 40 has all three, the others two
    found = analyse(done, predictions, replicates=20)
    assert {(c.num_real, len(c.lengths), len(c.cells)) for c in found.budgets} == {(40, 3, 1), (160, 2, 2)}


@pytest.mark.parametrize(
    "lengths,pairs",
    [
        ((4, 16, 64), [(0, 1), (1, 2), (1, 2)]),
        ((4, 8, 16, 32), [(0, 2), (1, 3), (1, 3), (1, 3)]),
        ((10, 20), [(0, 1), (0, 1)]),
        ((1, 3, 1_000), [(0, 2), (1, 2), (1, 2)]),
        ((16_000, 60_000), [(0, 1), (0, 1)]),
    ],
)
def test_which_lengths_are_compared(lengths, pairs):
    assert [partners(lengths, i) for i in range(len(lengths))] == pairs


def test_other_ratios_are_scaled_to_four_times():
    _, trials, predictions = planted(0.0, 0.3, 0.6)
    names = {4_000: 16_000, 16_000: 32_000, 64_000: 64_000}
    halved = trials.assign(generator_nimg=trials["generator_nimg"].map(names).fillna(0).astype(int))
    by_fours, by_twos = (analyse(t, predictions, replicates=20).budgets[0].cells[0] for t in (trials, halved))
    gains = [g.value for g in by_fours.gains]
    assert [c.value for c in by_twos.changes] == pytest.approx(
        [gains[2] - gains[0], gains[2] - gains[0], gains[2] - gains[0]], abs=1e-6
    )  # the first length's change is measured whole; that of the others too, up to the longest from a quarter of it
    assert by_twos.doubling.value == pytest.approx((gains[2] - gains[0]) / 2, abs=1e-6)


def estimate(low, high):
    return Estimate((low + high) / 2, low, high)


@pytest.mark.parametrize(
    "own,joint,copies,word",
    [
        ([(-0.002, 0.008)], [(-0.01, 0.02)], False, Training.SETTLED),
        ([(-0.002, 0.008), (0.0, 0.012)], 2 * [(-0.02, 0.02)], False, Training.UNKNOWN),  # each amount must pass
        ([(0.002, 0.008)], [(0.001, 0.009)], False, Training.SETTLED),  # rises, by less than the margin
        ([(0.002, 0.02)], [(0.001, 0.03)], False, Training.RISING),
        ([(0.002, 0.02)], [(-0.001, 0.03)], False, Training.UNKNOWN),
        ([(0.002, 0.02)], [(0.001, 0.03)], True, Training.RISING),
        ([(-0.03, 0.008)], [(-0.05, 0.01)], True, Training.COPYING),
        ([(-0.03, 0.012)], [(-0.05, 0.03)], True, Training.UNKNOWN),
        ([(-0.03, -0.01)], [(-0.05, -0.001)], False, Training.FALLING),
    ],
)
def test_words_from_intervals(own, joint, copies, word):
    assert word_of([estimate(*e) for e in own], [estimate(*e) for e in joint], 0.01, copies) is word
    assert word_of([Estimate(0.0)], [Estimate(0.0)], 0.01, copies) is Training.UNKNOWN


def test_copies_are_pooled_over_draws_and_need_a_judgement():
    pooled = copies_of(checks(0.1, 0.2, None))
    assert pooled["edm", 40] == (pytest.approx(0.2), pytest.approx(0.01), 2_000)
    assert ("edm-x4", 40) not in pooled and copies_of(None) == {}


def test_only_answers_without_a_gain_hang_on_the_budget():
    for outcome in Outcome:
        for word in (*Training, None):
            told = bool(budget_clause(word, outcome, None))
            assert told == (outcome in (Outcome.HURTS, Outcome.NO_EFFECT) and word is not None and word.open)


def test_the_headline_names_the_budget_of_each_generator_by_itself():
    _, trials, predictions = planted(0.0, 0.5, 0.5, noise=0.0, images=6_000)
    found = analyse(trials, predictions, replicates=50)
    by_hand = {v.generator: v for v in found.verdicts if v.num_real == 40}
    assert by_hand["edm"].training is Training.SETTLED
    short = dataclasses.replace(by_hand["edm-x0.25"], outcome=Outcome.NO_EFFECT)
    from synaug_ray.analysis.verdict_text import headline

    told = headline((short, by_hand["edm"]), {})
    assert told.count("for this generator at this budget") == 1
    assert told.index("edm-x0.25 has no effect") < told.index("for this generator at this budget")


def test_copies_are_told_also_where_too_few_draws_leave_the_word_open():
    _, trials, predictions = planted(0.3, 0.3, 0.3, noise=0.3, draws=3)
    found = analyse(trials, predictions, replicates=20, quality=checks(0.0, 0.1, 0.86))
    assert all("The share of near-copies of real images went from 0% to 86%." in c.sentence for c in found.budgets)
