"""How a worker takes up a step: once, not again where it stands, not for ever where workers die of it."""

import subprocess
import sys

import pytest

from synaug_ray.cluster import worker
from synaug_ray.cluster.coordinator import Coordinator
from synaug_ray.cluster.slots import Slots
from synaug_ray.cluster.worker import DEATHS, WorkerConfig, run_if_missing
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine
from synaug_ray.store.store import Store


@pytest.fixture
def work(cluster, small, digits, tmp_path, monkeypatch):
    _, plan = small
    store = Store(str(tmp_path / "store"))
    begun = []
    monkeypatch.setattr(worker, "attempt", lambda context, step: begun.append(step.key))
    worker_config = WorkerConfig(store.url, None, Coordinator.remote(0, []), Slots(1, False), "now")
    return (
        WorkerContext(store, digits, Machine(session="now")),
        worker_config,
        next(iter(plan.generators.values())),
        begun,
    )


def test_what_another_driver_has_made_is_not_made_again(work):
    context, worker_config, step, begun = work
    context.store.commit(step, {}, {}, {})
    assert run_if_missing(context, worker_config, step) is None and begun == []


def test_a_step_that_workers_die_of_is_recorded_in_the_end(work):
    context, worker_config, step, begun = work
    for _ in range(DEATHS):  # a worker that dies in it begins it and does not come back
        run_if_missing(context, worker_config, step)
    assert begun == [step.key] * DEATHS and not context.store.failed("generator")
    run_if_missing(context, worker_config, step)
    failure = context.store.failed("generator")[step.key]
    assert len(begun) == DEATHS and (failure.cause, failure.session) == ("preempted", "now")


HANGS = """
import time
from synaug_ray.cluster import worker

worker.attempt = lambda context, seconds: time.sleep(seconds)
worker.attempt_with_timeout(None, 0.1)
time.sleep(2.5)
print("lives", flush=True)
worker.attempt_with_timeout(None, 30)
print("was not ended")
"""


@pytest.mark.integration  # takes 7 s
def test_a_worker_that_hangs_shows_where_and_ends(monkeypatch):
    """And one that has done its step in time may be idle for as long as it likes."""
    monkeypatch.setenv("SYNAUG_SILENT_SECONDS", "2")
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "lives\n"), done.stderr
    assert "in attempt_with_timeout" in done.stderr
