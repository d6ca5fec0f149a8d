"""Planted truths on two test sets: does a gain carry over?"""

from dataclasses import replace

import numpy as np
import pytest
from helpers.simulate import Grid, nothing, power, simulate

from synaug_ray.analysis.analyse import analyse

QUIET = {"draw_effect": 0.02, "size_effect": 0.01, "generator_effect": 0.01, "seed_effect": 0.01}


def law(r):
    return {("edm", "proportional"): lambda n, s: r}


GRID = Grid(power(), law(0.0), sizes=(20, 40), multiples=(4,), draws=5, images=1_500, **QUIET)


def measured(first, second, seed=0, **options):
    """The analysis of trials whose synthetic images are worth ``first`` n real ones here, and ``second`` n there."""
    here, told = simulate(replace(GRID, laws=law(first)), seed=seed)
    there, told2 = simulate(replace(GRID, laws=law(second), images=1_000), seed=seed + 1_000)
    here["test2_error"], here["balanced_test2_error"] = there["test_error"], there["balanced_error"]
    return analyse(here, told, second=("other", told2), replicates=200, **options)


@pytest.mark.parametrize(
    ("first", "second", "carries", "outcome"),
    [
        (1.5, 1.5, "carries over", "helps"),
        (1.5, 0.4, "carries over in part", "helps"),
        (1.5, -0.4, "does not carry over", "hurts"),
        pytest.param(-0.4, -0.4, "carries over", "hurts", marks=pytest.mark.slow),
        pytest.param(0.0, 1.5, "", "helps", marks=pytest.mark.slow),
    ],
)
def test_what_is_planted_on_each_set_is_found_there(first, second, carries, outcome):
    analysis = measured(first, second)
    told = analysis.second_test
    assert told is not None and (told.name, told.images) == ("other", 1_000)
    for v in told.verdicts:
        grids = [replace(GRID, laws=law(r)) for r in (first, second)]
        one, other = (g.gain("edm", "proportional", v.num_real, v.multiple) for g in grids)
        assert (v.carries, v.outcome) == (carries, outcome), v.sentence
        assert v.gain.low < other < v.gain.high and v.difference.low < other - one < v.difference.high
        assert v.difference.value == pytest.approx(v.gain.value - v.first_gain.value, abs=1e-6)
        assert v.sentence.startswith("On other, at ") and (f" {carries}" in v.sentence or not carries)
    assert len(told.verdicts) == 2 and told.headline.startswith("On other: ")
    assert [r.error.low < power()(r.num_real) < r.error.high for r in told.real] == [True, True]


def test_a_small_gain_that_is_none_there_does_not_carry_over():
    told = measured(1.5, 0.0, delta=0.05).second_test
    assert told is not None and {v.carries for v in told.verdicts} == {"does not carry over"}
    assert {v.outcome for v in told.verdicts} == {"no effect"}
    assert told.headline == "On other: of 2 gains on the first test set, 2 do not carry over."


def test_the_first_test_set_is_judged_as_without_the_second():
    here, told = simulate(replace(GRID, laws=law(1.5)), seed=0)
    alone, both = analyse(here, told, replicates=200), measured(1.5, 0.0)
    assert replace(both, second_test=None) == alone and "second_test" not in alone.verdict_json()
    assert both.verdict_json()["second_test"]["verdicts"] and both.laws_json() == alone.laws_json()


def test_groups_of_the_second_set_and_missing_answers_are_told():
    here, told = simulate(replace(GRID, laws=law(1.5)), seed=0)
    here["test2_error"], here["balanced_test2_error"] = here["test_error"], here["balanced_error"]
    grouped = told.assign(group=[np.arange(GRID.images) // 10] * len(told))
    found = analyse(here, told, second=("other", grouped.iloc[2:]), replicates=100).second_test
    assert found is not None and found.groups == 150
    assert any(w.startswith("On other: 2 done trials have no predictions") for w in found.warnings)
    assert analyse(here, told, second=("other", told.iloc[:0]), replicates=0).second_test is None


def test_nothing_anywhere_is_claimed_for_neither():
    grid = replace(GRID, laws={("edm", "proportional"): nothing})
    here, told = simulate(grid, seed=4)
    there, told2 = simulate(grid, seed=5)
    here["test2_error"], here["balanced_test2_error"] = there["test_error"], there["balanced_error"]
    found = analyse(here, told, second=("other", told2), replicates=200).second_test
    assert found is not None and {str(v.carries) for v in found.verdicts} == {""}
    assert found.headline == "On other: no gain or loss is shown on either test set."
