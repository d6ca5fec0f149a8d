"""A run without Ray: the order of work, and the time left. Two drivers at one plan: nothing is spoilt, and where one of
them works from the other end little is done twice."""

import itertools
import threading
import time
from collections import Counter

import pytest

from synaug_ray.config.load import validate_grid
from synaug_ray.config.yaml_source import Lines
from synaug_ray.engine import local
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine
from synaug_ray.plan.order import early_answers_first, packs_in_order
from synaug_ray.plan.plan import make_plan, reversed_plan
from synaug_ray.plan.step import Step
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.store.run_folder import RunFolder, running
from synaug_ray.store.store import Store


def test_reversed_plan_is_the_same_plan_from_the_other_end(small):
    _, plan = small
    turned = reversed_plan(plan)
    assert turned == plan and list(turned.trials) == list(plan.trials)[::-1] != list(plan.trials)


@pytest.mark.parametrize("turn,most", [(lambda plan: plan, 1.0), (reversed_plan, 0.5)])
def test_two_drivers_at_once_end_with_one_record_a_step(small, digits, tmp_path, monkeypatch, turn, most):
    _, plan = small
    store, made = Store(str(tmp_path / "store")), []

    def attempt(context, work):
        time.sleep(0.02)
        for step in [work] if isinstance(work, Step) else work:
            made.append(step.key)
            context.store.commit(step, {}, {}, {})

    monkeypatch.setattr(local, "attempt", attempt)
    drivers = [
        threading.Thread(target=local.run_local, args=(p, WorkerContext(store, digits, Machine()), lambda _: None))
        for p in (plan, turn(plan))
    ]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    for stage in ("generator", "shard", "trial"):
        assert store.keys(stage) == plan.steps(stage).keys()
    twice = len(made) - len(set(made))
    print(f"{twice} of {len(set(made))} steps were made twice")
    assert twice <= most * len(set(made))


def test_who_is_at_work_on_a_storage_is_read_from_its_runs(tmp_path):
    assert running(str(tmp_path), "k") == [] == running(str(tmp_path / "none"), "k")
    for name, state in (("a", "running"), ("b", "done"), ("c", "running")):
        RunFolder(str(tmp_path), name).write_json("status.json", {"run": name, "state": state})
    RunFolder(str(tmp_path), "d").write("status.json", b"{")
    RunFolder(str(tmp_path), "e").write_json("status.json", {"state": "running", "data": "other images"})
    RunFolder(str(tmp_path), "f").write_json("status.json", {"state": "running", "data": "k"})
    assert running(str(tmp_path), "k") == ["a", "c", "f"]


@pytest.fixture
def done_in_order(monkeypatch):
    """The steps in the order in which they were attempted, each a list for a pack; nothing is trained."""
    order = []

    def attempt(context, work):
        steps = [work] if isinstance(work, Step) else list(work)
        order.append(steps)
        for step in steps:
            assert all(context.store.has(p) for p in step.parents())
            context.store.commit(step, {}, {}, {})

    monkeypatch.setattr(local, "attempt", attempt)
    return order


def grid_of(**changes):
    values = {
        "dataset": "digits",
        "num_real": [20, 40],
        "synthetic_multiples": [0, 1, 2],
        "generators": ["edm-tiny"],
        "classifiers": [{"preset": "mlp", "name": "mlp-4", "pack": 4}],
        "draws": 3,
        "seeds": 1,
        "quality_draws": 1,
        "training_check": {"draws": 0},
    }
    return early_answers_first(
        make_plan(validate_grid(values | changes, Lines("g.yaml")), DataIdentity("digits", "fp"))
    )


def run(plan, digits, tmp_path, said=None, **more):
    store = Store(str(tmp_path / "store"))
    local.run_local(plan, WorkerContext(store, digits, Machine()), ([] if said is None else said).append, **more)
    return store


def test_a_first_answer_comes_long_before_the_end(digits, tmp_path, done_in_order):
    """The first draw's trials follow its own generators; all generators came first, and hours passed without a trial."""
    plan = grid_of()
    store = run(plan, digits, tmp_path)
    assert all(store.keys(stage) == plan.steps(stage).keys() for stage in ("generator", "shard", "quality", "trial"))
    stages = [(steps[0].stage, getattr(steps[0], "subset", None) and steps[0].subset.draw) for steps in done_in_order]
    first_pool = next(i for i, steps in enumerate(done_in_order) if steps[0].stage == "trial" and steps[0].pool)
    assert [s for s in stages[:first_pool] if s[0] == "generator"] == [("generator", 0)]
    assert done_in_order[0][0].stage == "trial" and done_in_order[0][0].pool is None
    generators = [s[1] for s in stages if s[0] == "generator"]
    assert generators == sorted(generators)
    check = next(i for i, steps in enumerate(done_in_order) if steps[0].stage == "quality")
    assert stages.index(("generator", 1)) > check > first_pool


def test_views_are_due_after_the_first_trials_with_synthetic_images_and_after_each_draw(
    digits, tmp_path, done_in_order
):
    at = []
    run(grid_of(), digits, tmp_path, after=lambda milestone: at.append((milestone, len(done_in_order))))
    reached = [count for milestone, count in at if milestone]
    first_pool = next(i for i, steps in enumerate(done_in_order) if steps[0].stage == "trial" and steps[0].pool)
    assert reached[0] == first_pool + 1 and len(reached) == 1 + 3
    assert [count for milestone, count in at if not milestone] == [*range(1, len(done_in_order) + 1)]


def test_packs_are_filled_up_but_in_the_first_draw(digits, tmp_path, done_in_order):
    """A pack costs the same with fewer trials; real-only ones of later draws fill it."""
    run(grid_of(), digits, tmp_path)
    sizes = [len(steps) for steps in done_in_order if steps[0].stage == "trial"]
    assert sum(sizes) == 18 and len(sizes) <= 6  # 5 at the least


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"draws": 1, "training_check": {"draws": 1}},
        {"draws": 1, "seeds": 2, "num_real": [20]},
        {"draws": 2, "seeds": 3, "training_check": {"draws": 2}, "generators": ["edm-tiny", "jitter"]},
        {"draws": 5, "synthetic_multiples": [0], "seeds": 2},
        {"draws": 6, "generators": ["jitter"], "classifiers": ["mlp", "mlp-smoke"]},
        {"protocols": ["mixed", "bridged", {"preset": "bridged", "name": "b", "reset_head": False}]},
    ],
)
def test_a_plan_knows_how_many_packs_there_will_be(digits, tmp_path, done_in_order, changes):
    plan = grid_of(**changes)
    run(plan, digits, tmp_path)
    of_recipe = lambda step: step.pack_key  # noqa: E731
    packs = Counter(of_recipe(steps[0]) for steps in done_in_order if steps[0].stage == "trial")
    assert all(len({s.pack_key for s in steps}) == 1 for steps in done_in_order if steps[0].stage == "trial")
    trials = sorted(plan.trials.values(), key=of_recipe)
    assert packs == {key: packs_in_order(list(of)) for key, of in itertools.groupby(trials, of_recipe)}


def test_what_depends_on_a_failure_is_left_and_counted(digits, tmp_path, monkeypatch):
    tried, said = [], []

    def attempt(context, work):
        steps = [work] if isinstance(work, Step) else list(work)
        tried.extend(s.key for s in steps)
        for step in steps:
            if step.stage != "generator" or step.subset.num_real != 20:
                context.store.commit(step, {}, {}, {})

    monkeypatch.setattr(local, "attempt", attempt)
    store = run(grid_of(), digits, tmp_path, said)
    assert len(tried) == len(set(tried)) and len(store.keys("trial")) == 18 - 3 * 2
    assert said[-1] == "6 trials were not run: a step they need failed"


def test_lines_of_a_log_tell_the_time_left(digits, tmp_path, monkeypatch, done_in_order):
    monkeypatch.setattr(local, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(local, "LINE_SECONDS", 0.0)
    said = []
    run(grid_of(draws=1), digits, tmp_path, said, expected=lambda step: 3600.0)
    assert said[0].split("  ")[-1].startswith("0 of 12 steps, 0% of the work, about ") and said[0].endswith("h left")
    assert "12 of 12 steps, 100% of the work" in said[-1]
