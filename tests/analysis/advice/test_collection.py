"""How many to collect in each round: against every plan there is, and against worlds in which the plan is carried out."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from helpers.planted_need import draw_needed, planted, truth

from synaug_ray.analysis.advice.collection import MOST_ROUNDS, cheapest_collection
from synaug_ray.analysis.advice.collection_text import collection_sentences
from synaug_ray.analysis.advice.real_needed import chance

WIDE = 0.3  # so uncertain that rounds pay


@pytest.mark.parametrize("penalty", [10.0, 100.0, 1_000.0])
@pytest.mark.parametrize("have", [0, 120, 300])
def test_the_penalty_is_weighed_against_the_images(penalty, have):
    """One round: against the least expected cost of the planted distribution, by trying every number."""
    found = cheapest_collection(planted(), 0.1, 0.5, penalty, have)
    assert found is not None and len(found.rounds) == 1 and found.rounds[0].num_real >= have

    def expected(n):
        return 0.5 * max(n - have, 0) + penalty * (1 - truth(0.1, n))

    best = min(expected(n) for n in [have, *range(max(have, 10), 641)] if n)
    assert not found.rounds[0].num_real or expected(found.rounds[0].num_real) <= best + 0.005 * penalty
    assert cheapest_collection(planted(), 0.1, 0.5, penalty, 700) is None


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize(("penalty", "have"), [(80.0, 0), (200.0, 100), (1_000.0, 100), (30.0, 60)])
def test_no_plan_is_cheaper(rounds, penalty, have):
    """Against an enumeration of all plans over a coarse set of numbers, by the definition of the expected cost."""
    grid, price = planted(WIDE), 0.5
    found = cheapest_collection(grid, 0.1, price, penalty, have, rounds)
    missed = {n: 1 - c.likely for n in range(have, 641) if (c := chance(grid, 0.1, n))} | ({0: 1.0} if not have else {})

    def expected(plan):
        before, left, total = have, 1.0, 0.0
        for n in plan:
            total += price * (n - before) * left
            before, left = n, missed[n]
        return total + penalty * left

    coarse = [n for n in missed if n == have or n % 20 == 0 or n == 640]
    every = min(map(expected, combinations_with_replacement(coarse, rounds)))
    mine = expected([r.num_real for r in found.rounds])
    assert mine == pytest.approx(found.expected_cost) and mine <= every + 1e-9
    assert mine >= every - 0.03 * (penalty + price * 640)  # and no cheaper than numbers between can make it
    assert len(found.rounds) <= rounds and sum(r.more for r in found.rounds) == found.rounds[-1].num_real - have


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_carried_out_in_many_worlds_it_costs_what_was_expected(rounds):
    grid, penalty, have = planted(WIDE), 300.0, 60
    found = cheapest_collection(grid, 0.1, 0.5, penalty, have, rounds)
    needed, spent = draw_needed(np.random.default_rng(1), 0.1, 20_000, WIDE), np.zeros(20_000)
    open_, first = np.ones(20_000, dtype=bool), True
    for step in found.rounds:
        spent += np.where(open_, step.cost, 0.0)
        assert first or step.more > 0
        open_, first = needed > step.num_real, False
    spent += penalty * open_
    assert spent.mean() == pytest.approx(found.expected_cost, rel=0.03)


def test_more_rounds_collect_less_at_first_and_cost_less():
    plans = [cheapest_collection(planted(WIDE), 0.1, 0.5, 1_000.0, 60, rounds) for rounds in (1, 2, 3, 6, MOST_ROUNDS)]
    costs = [plan.expected_cost for plan in plans]
    assert costs == sorted(costs, reverse=True) and costs[1] < 0.9 * costs[0]
    assert plans[1].rounds[0].more < 0.8 * plans[0].rounds[0].more
    with pytest.raises(ValueError, match="rounds are 1 to 20, got 0"):
        cheapest_collection(planted(), 0.1, 0.5, 10.0, 0, 0)


def test_where_all_is_certain_one_round_is_enough_and_a_small_penalty_collects_nothing():
    certain = cheapest_collection(planted(1e-6), 0.1, 0.5, 10_000.0, 60, 3)
    assert abs(certain.rounds[-1].num_real - 144) <= 1
    for have in (0, 60):
        (nothing,) = cheapest_collection(planted(1e-6), 0.1, 0.5, 1.0, have, 3).rounds
        assert (nothing.num_real, nothing.more, nothing.cost) == (have, 0, 0.0)


def told(rounds, penalty=1_000.0, have=60, target=0.1):
    grid = planted(WIDE)
    plan, once = (cheapest_collection(grid, target, 0.5, penalty, have, r) for r in (rounds, 1))
    return plan, " ".join(collection_sentences(grid, plan, once, penalty, rounds))


def test_the_sentences_say_what_is_first_and_what_then():
    plan, text = told(2)
    first, second = plan.rounds
    assert (
        f"2 rounds, first collect {first.more:,} more, for {first.cost:,.0f}" in text
        and "Then add the new images" in text
    )
    assert f"{second.more:,} more, for" in text and "less than in one round" in text
    _, text = told(1)
    assert "first" not in text and "come back" not in text and "collect" in text
    _, text = told(2, have=700)
    assert "you have more than 640 real images" in text
    plan, text = told(2, penalty=1e6, target=0.04)
    assert plan.at_end and "More might cost less: nothing is predicted beyond 640 real images." in text
    _, text = told(3, penalty=0.1, have=0)
    assert "3 rounds: collect no more." in text
    plan, text = told(2, have=200)
    if not plan.rounds[0].more:
        assert "first collect none yet" in text
