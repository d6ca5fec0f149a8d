"""The searcher that feeds Tune: full packs first, short ones when no more can come, never a block, never a loss."""

import os
import pickle

import pytest
import ray
from helpers.grids import small_grid
from ray.exceptions import OutOfMemoryError
from ray.tune.search import Searcher

from synaug_ray.cluster import trials as classify
from synaug_ray.cluster.coordinator import Coordinator
from synaug_ray.cluster.slots import Slots
from synaug_ray.cluster.trials import ReadyTrialSearcher
from synaug_ray.cluster.worker import WorkerConfig
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine
from synaug_ray.plan.plan import make_plan
from synaug_ray.store.store import Store


@pytest.fixture
def searcher(small, tmp_path):
    _, plan = small
    state = {"more": True, "stopped": False}
    store = Store(str(tmp_path / "store"))
    store.poll = 0.0
    made = ReadyTrialSearcher(plan.trials, {}, store, lambda: state["more"], lambda: state["stopped"])
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
    made.on_trial_complete(trial_id="first0")
    assert all(plan.trials[k].pool is None for keys in first for k in keys)
    for step in (*plan.generators.values(), *plan.shards.values()):
        store.commit(step, {}, {}, {})
    state["more"] = False
    rest, answer = suggest_all(made, "rest")
    assert answer is None  # what is out may come back, if its worker dies
    for number in range(len(rest)):
        made.on_trial_complete(trial_id=f"rest{number}")
    assert made.suggest("end") == Searcher.FINISHED and not made.handed()
    handed = [k for keys in first + rest for k in keys]
    assert sorted(handed) == sorted(plan.trials)  # each once


def test_short_packs_wait_while_more_can_join(searcher, digits_identity):
    made, state, plan, store = searcher
    suggest_all(made, "first")
    made.on_trial_complete(trial_id="first0")
    one = next(t for t in plan.trials.values() if t.pool)
    for step in (one.pool.generator, *one.parents()):
        store.commit(step, {}, {}, {})
    assert suggest_all(made, "wait") == ([], None)
    state["more"] = False  # what is left is blocked for good
    packs, answer = suggest_all(made, "last")
    assert one.key in packs[0] and answer is None


def test_stopping_finishes_at_once(searcher):
    made, state, _, _ = searcher
    state["stopped"] = True
    assert made.suggest("x") == Searcher.FINISHED


def test_a_pack_whose_worker_died_comes_back_one_by_one_and_again_and_only_then_is_recorded(searcher):
    made, state, plan, store = searcher
    state["more"] = False
    keys = made.suggest("pack")["keys"]
    done, poison, *others = keys
    store.commit(plan.trials[done], {}, {}, {})  # it came to stand before the worker died
    made.on_trial_complete(trial_id="pack", error=True)
    assert not store.failed("trial")
    alone, answer = suggest_all(made, "alone")
    assert alone[:3] == [[k] for k in keys[1:]] and answer is None
    for number, (key,) in enumerate(alone):
        made.on_trial_complete(trial_id=f"alone{number}", error=key == poison)
    for number in range(1, classify.LOST):  # handed to workers that were dead already, whom Tune does not look at
        assert not store.failed("trial") and made.suggest(f"again{number}") == {"keys": [poison]}
        made.on_trial_complete(trial_id=f"again{number}", error=True)
    assert {k: f.cause for k, f in store.failed("trial").items()} == {poison: "preempted"}
    assert made.suggest("end") == Searcher.FINISHED


def test_a_step_handed_to_an_idle_worker_that_had_died_is_not_lost(cluster, small, digits, tmp_path, monkeypatch):
    """Tune fails its trial at once, whatever its retries are: once here, of four trials that come one by one."""
    _, plan = small
    store, marks = Store(str(tmp_path / "store")), tmp_path / "marks"
    marks.mkdir()

    class DiesIdle(classify.PackTrial):
        def reset(self, *args, **kwargs):
            if not list(marks.iterdir()):
                (marks / str(os.getpid())).touch()
                os._exit(1)
            return super().reset(*args, **kwargs)

    monkeypatch.setattr(classify, "PackTrial", DiesIdle)
    monkeypatch.setattr(classify, "packs", lambda trials: [(trial,) for trial in trials])
    steps = {k: t for k, t in plan.trials.items() if t.pool is None}
    worker_config = WorkerConfig(store.url, ray.put(digits), Coordinator.remote(0, []), Slots(1, False), "now")
    classify.run(steps, {}, worker_config, str(tmp_path), lambda: False, lambda: False)
    assert len(list(marks.iterdir())) == 1
    assert store.keys("trial") == steps.keys() and len(steps) == 4 and not store.failed("trial")


class Tuners:
    """In the place of Tune: hands out packs as it would, does them, and is broken off by the memory monitor."""

    def __init__(self, store, hungry, slots=2):
        self.store, self.hungry, self.slots, self.rounds = store, hungry, slots, []

    def __call__(self, searcher, at_once, *_):
        self.searcher, self.at_once = searcher, min(at_once, self.slots)
        return self

    def fit(self):
        self.rounds.append([])
        while True:
            packs = [(name, self.searcher.suggest(name)) for name in map(str, range(self.at_once))]
            packs = [(name, pack["keys"]) for name, pack in packs if isinstance(pack, dict)]
            if not packs:
                return
            self.rounds[-1] += [keys for _, keys in packs]
            if any(self.hungry & set(keys) for _, keys in packs):
                try:
                    raise OutOfMemoryError("killed: the node ran low on memory")
                except OutOfMemoryError as error:
                    raise RuntimeError("Caught unexpected exception") from error
            for name, keys in packs:
                for key in keys:
                    self.store.commit(self.steps[key], {}, {}, {})
                self.searcher.on_trial_complete(trial_id=name)


@pytest.mark.parametrize("hungry", [0, 1, 3])
def test_steps_that_run_out_of_memory_are_found_one_by_one_and_the_rest_is_done(small, tmp_path, monkeypatch, hungry):
    _, plan = small
    store = Store(str(tmp_path / "store"))
    for step in (*plan.generators.values(), *plan.shards.values()):
        store.commit(step, {}, {}, {})
    bad = set(list(plan.trials)[1 : 1 + hungry])
    tuners = Tuners(store, bad)
    tuners.steps = plan.trials
    monkeypatch.setattr(classify, "_tuner", tuners)
    worker_config = WorkerConfig(store.url, None, None, Slots(2, False), "now")
    classify.run(plan.trials, {}, worker_config, "", lambda: False, lambda: False)
    assert store.keys("trial") == plan.trials.keys() - bad
    assert {k: f.cause for k, f in store.failed("trial").items()} == dict.fromkeys(bad, "out of memory")
    assert all(
        len(keys) == 1 for keys in sum(tuners.rounds[1 : 1 + len(bad)], [])
    )  # those that may be the cause are tried alone
    assert len(tuners.rounds) <= 2 * len(bad) + 2


def test_where_tune_breaks_off_for_a_reason_of_its_own_it_is_not_begun_for_ever(small, tmp_path, monkeypatch):
    _, plan = small
    rounds = []

    class Broken:
        def fit(self):
            rounds.append(1)
            raise RuntimeError("no reason")

    monkeypatch.setattr(classify, "_tuner", lambda *_: Broken())
    worker_config = WorkerConfig(str(tmp_path / "store"), None, None, Slots(2, False), "now")
    with pytest.raises(RuntimeError, match="no reason"):
        classify.run(plan.trials, {}, worker_config, "", lambda: False, lambda: False)
    assert len(rounds) == classify.RESTARTS + 1


def test_a_look_at_a_pool_comes_after_the_packs_that_are_ready(digits_identity, tmp_path):
    plan = make_plan(small_grid(quality_draws=1, blocks=[]), digits_identity)
    store, more = Store(str(tmp_path / "store")), [True]
    store.poll = 0.0
    made = ReadyTrialSearcher(plan.trials, plan.qualities, store, lambda: more[0], lambda: False)
    for step in (*plan.generators.values(), *plan.shards.values()):
        store.commit(step, {}, {}, {})
    packs, answer = suggest_all(made)
    kinds = ["look" if keys[0] in plan.qualities else "pack" for keys in packs]
    assert answer is None and kinds == ["pack"] * (len(plan.trials) // 4) + ["look"] * len(plan.qualities) != []
    assert all(len(keys) == 1 for keys, kind in zip(packs, kinds, strict=True) if kind == "look")
    more[0] = False
    for number in range(len(packs)):
        made.on_trial_complete(trial_id=str(number), error=number == len(packs) - 1)
    for number in range(1, classify.LOST):
        assert made.suggest(f"again{number}") == {"keys": packs[-1]}
        made.on_trial_complete(trial_id=f"again{number}", error=True)
    assert made.suggest("end") == Searcher.FINISHED
    assert set(store.failed("quality")) == set(packs[-1])


def test_a_head_comes_when_its_generator_stands(tmp_path, digits_identity):
    vit = {"preset": "vit-gan-tiny", "nimg": 64}
    spec = small_grid(generators=[vit], num_real=[20], draws=1, blocks=[], protocols=["joint"], quality_draws=0)
    plan = make_plan(spec, digits_identity)
    store = Store(str(tmp_path / "store"))
    store.poll = 0.0
    heads = {k: t for k, t in plan.trials.items() if t.protocol == "joint"}
    made = ReadyTrialSearcher(heads, {}, store, lambda: True, lambda: False)
    assert suggest_all(made) == ([], None)
    first = next(iter(heads.values()))
    store.commit(first.pool.generator, {}, {}, {})
    assert suggest_all(made) == ([[first.key]], None)


def test_tune_can_pickle_it(searcher):
    pickle.dumps(searcher[0])


def test_a_pack_that_another_driver_has_made_meanwhile_is_done(small, digits, tmp_path, monkeypatch):
    _, plan = small
    context = WorkerContext(Store(str(tmp_path / "store")), digits, Machine())
    monkeypatch.setattr(classify, "context_here", lambda *_: context)
    monkeypatch.setattr(classify, "own_name", str)  # asked of Ray, it would start a cluster that is never ended
    monkeypatch.setattr(
        classify, "attempt_with_timeout", lambda context, work: done.append([step.key for step in work])
    )
    pack, done = object.__new__(classify.PackTrial), []
    first, second, *_ = [k for k, trial in plan.trials.items() if trial.pool is None]
    context.store.commit(plan.trials[first], {}, {}, {})
    pack.setup({"keys": [first, second]}, WorkerConfig("", None, None, Slots(1, False), "now"), plan.trials)
    assert pack.step()["done"] and done == [[second]]
    context.store.commit(plan.trials[second], {}, {}, {})
    assert pack.step()["done"] and done == [[second]]
