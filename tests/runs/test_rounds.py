"""When a run with a budget adds draws, when it stops, and that it goes on from what it decided."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from helpers.grids import small_grid
from helpers.simulate import nothing
from helpers.simulated_rounds import simulated_rounds

from synaug_ray.config.budget import Until, budget_seconds
from synaug_ray.config.fewer_draws import FewerDraws
from synaug_ray.runs.rounds import begin, decide, next_round
from synaug_ray.runs.size_costs import PoolCost, SizeCost, size_costs
from synaug_ray.store.run_folder import DECISIONS, RunFolder


def cost(draws, real, mixed, pools, name="edm"):
    return SizeCost(real, draws, {name: PoolCost(draws, mixed, pools)} if draws else {})


def verdict(n=40, outcome="undecided", even=12, gain=(-0.02, 0.04), family="edm", generator="edm"):
    return {
        "num_real": n, "outcome": outcome, "family": family, "generator": generator, "classifier": "mlp",
        "protocol": "mixed", "real_share": "0.5", "open_set": False,
        "gain": {"value": sum(g or 0.0 for g in gain) / 2, "low": gain[0], "high": gain[1]},
        "deciding_range": None if even is None else [even, None], "deciding_draws": None, "margin": 0.01,
    }  # fmt: skip


def after(*verdicts, draws=6, spent=600.0, budget=7200.0, costs=None, laws=None, share=0.0, **until):
    laws = {"draws": draws, "seeds": 2, "delta": 0.01, "studies": []} | (laws or {})
    if costs is None:  # all of it where it is undecided
        sizes = {v["num_real"] for v in verdicts}
        costs = {n: cost(draws, 0.0, 0.0, spent / draws / len(sizes)) for n in sizes}
    return next_round(laws, verdicts, {}, spent, budget, Until(**until), costs, share)


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


def test_only_open_sizes_get_synthetic_images_and_all_get_real_only_trials():
    costs = {
        40: cost(6, 1.0, 0.0, 20.0),
        80: cost(6, 2.0, 0.0, 40.0),
        160: cost(6, 4.0, 0.0, 80.0),
        320: cost(0, 8.0, 0.0, 0.0),
    }
    wide, known = (-0.012, 0.012), verdict(160, gain=(0.05, 0.06))
    options = {"spent": 882.0, "costs": costs, "decide": False, "half_width": 1}
    found = after(verdict(gain=wide), verdict(80, gain=wide), known, **options)
    assert found.open == (40, 80) and found.held == {160: 6} and not found.held_generators
    assert (found.next_draws, found.expected) == (9, 3 * (15 + 60))
    assert found.why.endswith("draws=9 next there, some 4 minutes.")
    # a size that was held and is open again, since a further look asks for more, catches up
    options["costs"] = costs | {40: cost(4, 1.0, 0.0, 20.0)}
    assert after(verdict(gain=wide), known, **options).expected == 3 * 15 + 5 * 20
    assert after(verdict(gain=wide), known, budget=1_026.0, **options).next_draws is None
    assert after(verdict(even=9), costs={}).next_draws is None  # nothing is bought at an unknown price


PRICED = {40: SizeCost(1.0, 6, {name: PoolCost(6, 2.0, 20.0, frozenset({name})) for name in ("edm", "gan", "jitter")})}
HURTS = verdict(outcome="hurts", gain=(-0.1, -0.05), generator="gan")
NARROW = verdict(even=8, gain=(-0.1, 0.005), generator="gan")  # undecided between "no effect" and "hurts"


@pytest.mark.parametrize("useless", [HURTS, NARROW])
def test_only_generators_that_may_help_get_further_draws_and_are_paid_for(useless):
    found = after(verdict(even=12), useless, costs=PRICED)
    assert (found.held, found.held_generators) == ({}, {40: {"gan": 6}})
    assert (found.next_draws, found.expected) == (12, 6 * (1 + 2 * (2 + 20)))  # a rival goes on too
    assert found.why.endswith("draws=12 next, without gan, some 4 minutes.")
    assert after(verdict(even=9), verdict(even=9, generator="gan"), costs=PRICED).held_generators == {}
    assert after(verdict(even=9), useless, costs=PRICED, half_width=1).held_generators == {}  # each gain is asked about
    assert found.half_widths == {40: 0.03}


def test_what_cannot_help_buys_no_draws():
    for useless in (HURTS, NARROW):
        assert "further draws would not decide it" in after(useless, costs=PRICED).why
        found = after(verdict(even=None), useless, costs=PRICED)  # what would decide gan is not asked
        assert found.next_draws is None and "further draws would not decide it" in found.why
    few = after(NARROW, draws=3, costs={40: cost(3, 1.0, 2.0, 20.0, "gan")})
    assert (few.next_draws, few.held_generators) == (6, {})  # three draws do not tell what cannot help
    other = after(verdict(80, even=9), NARROW, costs=PRICED | {80: cost(6, 1.0, 2.0, 20.0)})
    assert (other.held, other.held_generators) == ({40: 6}, {})


def test_names_of_one_generator_and_those_beside_a_hybrid_go_on_together():
    shared = {40: SizeCost(1.0, 6, {name: PoolCost(6, 2.0, 10.0, frozenset({"a"})) for name in ("edm", "gan")})}
    assert after(verdict(even=9), HURTS, costs=shared).held_generators == {}
    hybrid = verdict(even=9, generator="both", family="hybrid")
    assert after(verdict(even=9), HURTS, hybrid, costs=PRICED).held_generators == {}


def test_seeds_are_added_where_they_are_cheaper_than_draws():
    """Half of the noise is the seeds'. A draw takes 100 s; with four seeds its noise is 3/4, and 18 draws decide of 24."""
    costs = {40: cost(6, 5.0, 5.0, 90.0)}
    found = after(verdict(even=24), costs=costs, share=0.5)
    options = {s: 24 * (1 - 0.5 * (1 - 2 / s)) for s in range(2, 9)}
    price = {s: 90 * (math.ceil(d) - 6) + 10 * (math.ceil(d) * s / 2 - 6) for s, d in options.items()}
    assert found.next_seeds == min(price, key=lambda s: price[s]) > 2
    assert found.next_draws == 12 and f"draws=12 and seeds={found.next_seeds} next" in found.why
    assert found.expected == 6 * 90 + 10 * (12 * found.next_seeds / 2 - 6)
    dear = {40: cost(6, 50.0, 50.0, 0.0)}
    assert after(verdict(even=24), costs=dear, share=0.5).next_seeds == 2
    assert after(verdict(even=24), costs=costs).next_seeds == 2  # it is not known what they would bring
    assert after(verdict(even=4), draws=3, costs={40: cost(3, 5.0, 5.0, 90.0)}, share=0.5).next_seeds == 2
    assert "and seeds=" in after(verdict(even=500), costs=costs, share=0.5).why  # an even chance, at the least price


def test_the_widest_interval_of_each_size_is_told():
    found = after(verdict(gain=(-0.01, 0.03)), verdict(gain=(-0.03, 0.03)), verdict(80, gain=(None, 0.03), even=9))
    assert found.half_widths == {40: 0.03, 80: None}
    assert after(verdict(gain=(0.0, 0.01)), verdict(family="duplicate", gain=(-1, 1))).half_widths == {40: 0.005}


def test_only_sizes_that_are_asked_about_get_further_draws():
    found = after(verdict(even=9), verdict(80, even=30), num_real=(80,))
    assert (found.open, found.held, found.next_draws) == ((80,), {40: 6}, 12)
    wide = [verdict(n, gain=(-0.015, 0.015)) for n in (40, 80)]
    assert after(*wide, num_real=(40,), decide=False, half_width=1).open == (40,)
    assert "what was asked is known" in after(verdict(even=9), num_real=(80,)).why


def test_a_classifier_that_stays_behind_another_one_buys_no_draws():
    verdicts = [verdict(even=30), verdict(even=9) | {"classifier": "weak"}]
    assert after(*verdicts).next_draws == 9

    def behind(low):
        place = {k: verdicts[1].get(k) for k in ("classifier", "generator", "protocol", "real_share", "num_real")}
        return {"behind": [place | {"best": verdicts[0]["classifier"], "difference": {"value": 0.3, "low": low}}]}

    assert after(*verdicts, laws=behind(0.2)).next_draws == 12  # towards 30: what weak would tell is not asked
    assert after(*verdicts, laws=behind(-0.01)).next_draws == 9


def test_the_costs_of_sizes_are_what_was_spent():
    """Two sizes with two draws and one; the amounts of a draw share its pool."""
    rows = [
        ("done", 40, 0, "none", 0, 1.0, 0.0), ("done", 40, 0, "none", 1, 1.0, 0.0),
        ("done", 40, 40, "edm", 0, 2.0, 10.0), ("done", 40, 160, "edm", 0, 2.0, 16.0),
        ("done", 40, 40, "edm", 1, 2.0, 10.0), ("done", 40, 160, "edm", 1, 2.0, 16.0),
        ("done", 80, 0, "none", 0, 3.0, 0.0), ("done", 80, 0, "none", 1, 3.0, 0.0),
        ("done", 80, 80, "edm", 0, 4.0, 20.0), ("failed", 80, 80, "edm", 1, 4.0, 20.0),
    ]  # fmt: skip
    names = ["status", "num_real", "num_synthetic", "generator", "draw", "cost_seconds", "pool_cost_seconds"]
    table = pd.DataFrame(rows, columns=names).assign(generator_key="a")
    found = size_costs(table, 144.0)  # twice the 72 seconds of the rows
    keys = frozenset({"a"})
    assert found == {
        40: SizeCost(2.0, 2, {"edm": PoolCost(2, 8.0, 32.0, keys)}),
        80: SizeCost(6.0, 2, {"edm": PoolCost(1, 8.0, 40.0, keys)}),
    }
    assert sum(c.spent for c in found.values()) == 144.0
    failed = table[(table["draw"] > 0) | (table["num_synthetic"] == 0)]  # of draw 0; draw 1 is not to be lost for it
    assert size_costs(failed, 1.0)[40].draws == 2
    twice = pd.concat([table, table[table["num_synthetic"] > 0].assign(generator="edm+hard")])
    told = size_costs(twice, 1.0)[40].generators
    assert told["edm"] == told["edm+hard"]
    assert told["edm"].pools / told["edm"].mixed == pytest.approx(32 / 8 / 2)  # they share it


def test_intervals_are_narrowed_by_the_square():
    found = after(verdict(gain=(-0.015, 0.015)), decide=False, half_width=1)
    assert found.next_draws == 12 and found.open == (40,)  # 6 * 1.5^2 = 14, and a round at most doubles them


def test_an_interval_with_an_open_end_takes_a_further_draw():
    assert after(verdict(gain=(None, 0.02)), decide=False, half_width=1).next_draws == 8


def test_the_same_command_goes_on_with_what_was_decided(tmp_path):
    asked, folder = small_grid(budget="2h", draws=6), RunFolder(str(tmp_path), "run")
    folder.write_json("laws.json", {"draws": 6, "delta": 0.01, "studies": []})
    folder.write_json("verdict.json", {"verdicts": [verdict(even=9, generator="edm-tiny")]})
    folder.write_json("status.json", {"cpu_seconds": {"trial": 600.0}})
    row = {
        "status": "done",
        "draw": 0,
        "generator": "edm-tiny",
        "generator_key": "a",
        "cost_seconds": 1.0,
        "pool_cost_seconds": 1.0,
    }
    rows = [row | {"num_real": n, "num_synthetic": s} for n in (20, 40) for s in (0, n)]
    folder.write_parquet("measurements.parquet", pd.DataFrame(rows))
    assert begin(asked, folder).draws == 6
    decide(asked, asked, folder)
    assert decide(asked, asked, folder).next_draws == 9
    assert len((folder.read(DECISIONS) or b"").splitlines()) == 1  # it was the same decision
    assert (begin(asked, folder).draws, begin(asked, folder).seeds) == (9, asked.seeds)
    assert begin(asked, folder).fewer_draws == (FewerDraws(num_real=20, draws=1),)
    again = decide(asked, begin(asked, folder), folder)  # nothing came of it
    assert again.next_draws is None and "their generators fail" in again.why
    folder.write(DECISIONS, (folder.read(DECISIONS) or b"").splitlines()[0])
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
@pytest.mark.parametrize("trials", [1.0, 0.15])  # with cheap ones, seeds are added between looks
def test_rounds_decide_and_seldom_falsely(effect, trials):
    """Without an effect, a run that looks after each round says helps or hurts in at most 5% of worlds, at any time."""
    worlds, false, decided, used = 60, 0, 0, []
    law = nothing if effect == 0 else (lambda n, s: effect)
    for seed in range(worlds):
        ended = simulated_rounds(law, seed, trials=trials)
        used.append(ended.spent)
        false += effect == 0 and bool(ended.ever & {"helps", "hurts"})
        decided += effect > 0 and "helps" in ended.ever
    print(f"effect {effect}: false {false}, helps {decided} of {worlds}, draws {np.mean(used):.1f}", json.dumps(used))
    assert false <= 7 and (effect == 0 or decided > 0.8 * worlds)
