"""Two drivers at one plan: nothing is spoilt, and where one of them works from the other end little is done twice."""

import threading
import time

import pytest

from synaug_ray.engine import local
from synaug_ray.engine.context import Machine, WorkerContext
from synaug_ray.plan.plan import reversed_plan
from synaug_ray.plan.steps import Step
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
