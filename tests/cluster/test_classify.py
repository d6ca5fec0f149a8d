"""The searcher that feeds Tune: full packs first, short ones when no more can come, never a block, never a loss."""

import pickle

import pytest
from grids_for_tests import small_grid
from ray.tune.search import Searcher

from synaug_ray.cluster.classify import ReadyPacks
from synaug_ray.plan import make_plan
from synaug_ray.store import Store


@pytest.fixture
def searcher(small, tmp_path):
    _, plan = small
    state = {"more": True, "stopped": False}
    store = Store(str(tmp_path / "store"))
    store.poll = 0.0
    made = ReadyPacks(plan.trials, store, lambda: state["more"], lambda: state["stopped"])
    return made, state, plan, store


def suggest_all(searcher, name=""):
    packs = []
    while isinstance(pack := searcher.suggest(f"{name}{len(packs)}"), dict):
        packs.append(pack["keys"])
    return packs, pack


def test_real_only_trials_come_at_once_and_the_rest_when_their_shards_stand(searcher):
    made, state, plan, store = searcher
    first, answer = suggest_all(made, "first")
    assert answer is None  # more is to come: Tune is to ask again
    assert [len(keys) for keys in first] == [4]
    assert all(plan.trials[k].pool is None for keys in first for k in keys)
    for step in (*plan.generators.values(), *plan.shards.values()):
        store.commit(step, {}, {}, {})
    state["more"] = False
    rest, answer = suggest_all(made, "rest")
    assert answer == Searcher.FINISHED
    handed = [k for keys in first + rest for k in keys]
    assert sorted(handed) == sorted(plan.trials)  # each once


def test_short_packs_wait_while_more_can_join(searcher, digits_identity):
    made, state, plan, store = searcher
    suggest_all(made, "first")
    one = next(t for t in plan.trials.values() if t.pool)
    for step in (one.pool.generator, *one.parents()):
        store.commit(step, {}, {}, {})
    assert suggest_all(made, "wait") == ([], None)
    state["more"] = False  # what is left is blocked for good
    packs, answer = suggest_all(made, "last")
    assert one.key in packs[0] and answer == Searcher.FINISHED


def test_stopping_finishes_at_once(searcher):
    made, state, _, _ = searcher
    state["stopped"] = True
    assert made.suggest("x") == Searcher.FINISHED


def test_a_worker_that_died_for_good_is_recorded(searcher):
    made, _, plan, store = searcher
    keys = made.suggest("x")["keys"]
    made.on_trial_complete(trial_id="x", error=True)
    assert set(store.failed("trial")) == set(keys)
    assert {f.cause for f in store.failed("trial").values()} == {"preempted"}


def test_a_look_at_a_pool_comes_after_the_packs_that_are_ready(digits_identity, tmp_path):
    plan = make_plan(small_grid(quality_draws=1, blocks=[]), digits_identity)
    store, more = Store(str(tmp_path / "store")), [True]
    store.poll = 0.0
    made = ReadyPacks(plan.trials | plan.qualities, store, lambda: more[0], lambda: False)
    for step in (*plan.generators.values(), *plan.shards.values()):
        store.commit(step, {}, {}, {})
    packs, answer = suggest_all(made)
    kinds = ["look" if keys[0] in plan.qualities else "pack" for keys in packs]
    assert answer is None and kinds == ["pack"] * (len(plan.trials) // 4) + ["look"] * len(plan.qualities) != []
    assert all(len(keys) == 1 for keys, kind in zip(packs, kinds, strict=True) if kind == "look")
    more[0] = False
    assert suggest_all(made, "end")[1] == Searcher.FINISHED
    made.on_trial_complete(trial_id=str(len(packs) - 1), error=True)
    assert set(store.failed("quality")) == set(packs[-1])


def test_tune_can_pickle_it(searcher):
    pickle.dumps(searcher[0])
