"""When a run with a budget adds draws, when it stops, and that it goes on from what it decided."""

import json

import numpy as np
import pytest
from helpers.grids import small_grid
from helpers.simulate import Grid, nothing, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.config.budget import Until, budget_seconds
from synaug_ray.laws.simultaneous import next_look
from synaug_ray.runs.rounds import DECISIONS, begin, decide, next_round
from synaug_ray.store.run_folder import RunFolder


def verdict(n=40, outcome="undecided", even=12, gain=(-0.02, 0.04), family="edm"):
    return {
        "num_real": n, "outcome": outcome, "family": family, "generator": "edm", "classifier": "mlp",
        "protocol": "mixed", "real_share": "0.5", "open_set": False,
        "gain": {"value": sum(gain) / 2, "low": gain[0], "high": gain[1]},
        "deciding_range": None if even is None else [even, None], "deciding_draws": None, "margin": 0.01,
    }  # fmt: skip


def after(*verdicts, draws=6, spent=600.0, budget=7200.0, **until):
    return next_round({"draws": draws, "delta": 0.01, "studies": []}, verdicts, {}, spent, budget, Until(**until))


def test_draws_are_added_as_the_verdicts_ask_and_the_budget_allows():
    found = after(verdict(even=9), verdict(80, even=30))
    assert (found.next_draws, found.open, found.expected) == (9, (40, 80), 300.0)
    assert found.sentence("2h") == (
        "10 minutes of 2h are spent on 6 draws; at 40 and 80 real images it is not yet known: draws=9 next, some 5 minutes."
    )
    assert after(verdict(even=7)).next_draws == 8  # not a look for a single draw
    assert after(verdict(even=60), budget=1e9).next_draws == 12  # six draws say little about so many
    assert after(verdict(even=9), draws=2, spent=200.0).next_draws == 6


@pytest.mark.parametrize(
    "verdicts,options,said",
    [
        ([verdict(even=None)], {}, "further draws would not decide it"),
        ([verdict(even=90)], {}, "draws=90, 2 hours more, which the budget does not allow"),
        ([verdict(even=9)], {"budget": 600.0}, "which the budget does not allow"),
        ([verdict(gain=(-0.005, 0.005))], {"decide": False, "half_width": 1}, "what was asked is known"),
    ],
)
def test_it_ends_and_says_why(verdicts, options, said):
    found = after(*verdicts, **options)
    assert found.next_draws is None and said in found.why


def test_intervals_are_narrowed_by_the_square():
    found = after(verdict(gain=(-0.015, 0.015)), decide=False, half_width=1)
    assert found.next_draws == 12 and found.open == (40,)  # 6 * 1.5^2 = 14, and a round at most doubles them


def test_the_same_command_goes_on_with_what_was_decided(tmp_path):
    asked, folder = small_grid(budget="2h", draws=6), RunFolder(str(tmp_path), "run")
    folder.write_json("laws.json", {"draws": 6, "delta": 0.01, "studies": []})
    folder.write_json("verdict.json", {"verdicts": [verdict(even=9)]})
    folder.write_json("status.json", {"cpu_seconds": {"trial": 600.0}})
    assert begin(asked, folder).draws == 6
    decide(asked, folder)
    assert decide(asked, folder).next_draws == 9
    assert len((folder.read(DECISIONS) or b"").splitlines()) == 1  # it was the same decision
    assert begin(asked, folder).draws == 9
    assert begin(small_grid(budget="3h", draws=6), folder).draws == 9  # a larger budget goes on
    assert begin(small_grid(budget="2h", draws=6, delta=2.0), folder).draws == 6  # another question
    assert begin(small_grid(draws=6), folder).draws == 6
    folder.write(DECISIONS, b"\xff{\n[]\n" + (folder.read(DECISIONS) or b""))
    assert begin(asked, folder).draws == 9


def test_written_budgets():
    assert [budget_seconds(t) for t in ("90s", "90min", "90 m", "1.5h", "2d")] == [90, 5400, 5400, 5400, 172_800]
    assert small_grid(budget="1.5 h").budget == "1.5 h" and small_grid().budget is None


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.35])
def test_rounds_decide_and_seldom_falsely(effect):
    """Without an effect, a run that looks after each round says helps or hurts in at most 5% of worlds, at any time."""
    worlds, false, decided, used = 60, 0, 0, []
    law = nothing if effect == 0 else (lambda n, s: effect)
    for seed in range(worlds):
        grid = Grid(power(), {("edm", "0.5"): law}, sizes=(40, 80, 160), multiples=(4,), draws=24, seeds=1, images=400)
        told, predicted = simulate(grid, seed=seed)
        told["family"] = "edm"
        draws, looks, outcomes = 6, (), set()
        while True:
            part = told[told["draw"] < draws].reset_index(drop=True)
            looks = (*looks, next_look(looks, draws))
            found = analyse(part, predicted[predicted["key"].isin(part["key"])], replicates=100, looks=looks)
            verdicts = found.verdict_json()["verdicts"]
            outcomes |= {v["outcome"] for v in verdicts}
            step = next_round(found.laws_json(), verdicts, {}, 10.0 * draws, 240.0, Until())
            if step.next_draws is None:
                break
            draws = step.next_draws
        used.append(draws)
        false += effect == 0 and bool(outcomes & {"helps", "hurts"})
        decided += effect > 0 and "helps" in outcomes
    print(f"effect {effect}: false {false}, helps {decided} of {worlds}, draws {np.mean(used):.1f}", json.dumps(used))
    assert false <= 7 and (effect == 0 or decided > 0.8 * worlds)
