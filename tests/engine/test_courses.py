"""One training, several generators: each is to the bit what it would be if it were trained alone."""

import dataclasses
import json
import shutil

import pytest
from helpers.grids import small_grid

from synaug_ray.cluster.coordinator import Coordinator
from synaug_ray.engine import courses, execute
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.plan.plan import make_plan
from synaug_ray.runs.cost import RecordedRates, costs
from synaug_ray.store.store import Store

SMALL = {
    "edm": {"preset": "edm-tiny", "channels": [8, 16], "nimg": 160, "warmup_nimg": 80, "batch": 24},
    "ddpm": {"preset": "ddpm-tiny", "channels": [8, 16], "nimg": 160, "warmup_nimg": 80, "batch": 24},
    "gan": {"preset": "gan-tiny", "channels": [8, 16], "nimg": 160, "batch": 24},
    "vit-gan": {"preset": "vit-gan-tiny", "width": 16, "depth": 1, "nimg": 160, "batch": 24},
}


@pytest.fixture
def contexts(digits, tmp_path):
    use_threads(1)

    def make(name, begun=None):
        if begun is not None:
            shutil.copytree(begun.store.url, tmp_path / name)
        return WorkerContext(Store(str(tmp_path / name)), digits, Machine())

    return make


def steps_of(digits_identity, family="edm", **changes):
    recipe = SMALL[family] | {"schedule": "constant", "budgets": [0.25, 1, 2]} | changes
    spec = small_grid(generators=[recipe], num_real=[20], draws=1, blocks=[])
    return spec, make_plan(spec, digits_identity)


@pytest.fixture(scope="module")
def trained(digits, digits_identity, tmp_path_factory):
    """EDM's middle length and its longest, each trained from the start in a storage of its own: read, or copied."""
    use_threads(1)
    _, middle, long = steps_of(digits_identity)[1].generators.values()
    made = []
    for step in (middle, long):
        made.append(WorkerContext(Store(str(tmp_path_factory.mktemp("trained") / "store")), digits, Machine()))
        attempt(made[-1], step)
    return made


def payload(context, step):
    record = context.store.record("generator", step.key)
    files = {name: context.store.read(record, name) for name in record.files}
    return {name: data for name, data in files.items() if not name.endswith(".md")}, record


@pytest.mark.parametrize("family", [f if f == "edm" else pytest.param(f, marks=pytest.mark.integration) for f in SMALL])
def test_each_length_is_what_it_would_be_alone(contexts, digits_identity, family):
    """160 is no multiple of 24: trainings end after whole batches."""
    _, plan = steps_of(digits_identity, family)
    together = contexts("together")
    for step in plan.generators.values():
        attempt(together, step)
    before = {"nimg": 0, "cpu_seconds": 0.0}
    for step, seen in zip(plan.generators.values(), (48, 168, 336), strict=True):
        alone = contexts(f"alone-{seen}")
        attempt(alone, step)
        (files, record), (expected, own) = payload(together, step), payload(alone, step)
        assert files == expected
        assert record.result["nimg"] == own.result["nimg"] == seen
        assert record.made.get("continued", {"nimg": 0})["nimg"] == before["nimg"] and "continued" not in own.made
        assert courses.spent_before(record.made)["cpu_seconds"] == pytest.approx(before["cpu_seconds"])
        assert record.result["cpu_seconds"] > before["cpu_seconds"]  # of the whole way, not of the last part
        before = record.result


def test_a_longer_budget_goes_on_where_an_earlier_run_ended(contexts, digits_identity, trained):
    """More budget on a finished storage costs the difference; a shorter one is trained from its start."""
    _, plan = steps_of(digits_identity)
    short, _, long = plan.generators.values()
    context, alone = contexts("one", begun=trained[0]), contexts("two")
    attempt(context, long)
    attempt(context, short)
    assert context.store.record("generator", long.key).made["continued"]["nimg"] == 168
    assert "continued" not in context.store.record("generator", short.key).made
    attempt(alone, short)
    assert payload(context, short)[0] == payload(alone, short)[0]
    head = json.loads(context.store.load_shared(long.course).partition(b"\n")[0])
    assert head["nimg"] == 336  # the shorter one did not replace what the longest left


@pytest.mark.parametrize("damage", [b"", b"{", b"{}\nx", b'{"nimg": 1, "other": 2}\n', "cut", "turned"])
def test_what_is_damaged_is_trained_again(contexts, digits_identity, trained, damage):
    _, plan = steps_of(digits_identity)
    _, middle, long = plan.generators.values()
    context, alone = contexts("one", begun=trained[0]), trained[1]
    kept = context.store.load_shared(middle.course)
    if damage == "cut":
        damage = kept[:-9]
    elif damage == "turned":
        damage = kept[:-1] + bytes([kept[-1] ^ 1])
    context.store.save_shared(middle.course, damage)
    attempt(context, long)
    assert not context.store.failed("generator")
    assert payload(context, long)[0] == payload(alone, long)[0]
    assert "continued" not in context.store.record("generator", long.key).made
    head = json.loads(context.store.load_shared(long.course).partition(b"\n")[0])
    assert head["nimg"] == 336


def test_a_kill_after_going_on_keeps_what_was_spent_before(contexts, digits_identity, trained, monkeypatch):
    monkeypatch.setattr(execute, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("synaug_ray.training.loop.SAVE_EVERY", 2)
    _, plan = steps_of(digits_identity)
    _, middle, long = plan.generators.values()
    context, alone = contexts("one", begun=trained[0]), trained[1]
    spent = context.store.record("generator", middle.key).result["cpu_seconds"]

    class Killed(BaseException):
        pass

    def kill(step, share):
        if share > 0.8:
            raise Killed

    with pytest.raises(Killed):
        attempt(dataclasses.replace(context, progress=kill), long)
    attempt(context, long)
    assert payload(context, long)[0] == payload(alone, long)[0]
    made = context.store.record("generator", long.key).made
    assert made["continued"]["nimg"] == 168 and made["continued"]["cpu_seconds"] == pytest.approx(spent)


def test_a_plan_counts_one_training(contexts, digits_identity):
    """The longest alone costs as much as all three together; trained apart they cost 3.25 / 2 of it."""
    for changes, length in (({}, 320), ({"budgets": [2]}, 320), ({"schedule": "falling"}, 40 + 160 + 320)):
        _, plan = steps_of(digits_identity, **changes)
        _, timed = steps_of(digits_identity, budgets=[1], **{k: v for k, v in changes.items() if k == "schedule"})
        context = contexts(f"{len(plan.generators)}{changes.get('schedule')}")
        (one,) = timed.generators.values()
        context.store.commit(one, {"nimg": 100, "seconds": 1.0, "cpu_seconds": 1.0}, {}, {})
        plan.generators.setdefault(one.key, one)  # a record gives the rate of every length
        missing = dataclasses.replace(
            plan,
            generators={k: g for k, g in plan.generators.items() if changes.get("budgets") is None or k != one.key},
        )
        expected = length if changes.get("budgets") is None else length - 160
        assert costs(RecordedRates(plan, context.store), missing, None)["generator"].seconds == pytest.approx(
            expected / 100
        )


def test_one_trainer_at_a_time_has_a_training(digits_identity):
    """Another one would begin it from the start; so does the longer one wait for the shorter, also with idle trainers."""
    spec = small_grid(
        generators=[SMALL["edm"] | {"schedule": "constant", "budgets": [0.25, 1]}], num_real=[20], draws=2, blocks=[]
    )
    steps = list(make_plan(spec, digits_identity).generators.values())
    ledger = Coordinator.__ray_metadata__.modified_class(100, steps[::-1])
    first, second = ledger.take(0, True), ledger.take(1, True)
    assert first.course != second.course and first.images_seen == second.images_seen == 40
    assert ledger.take(2, True) is None
    assert ledger.take(1, False).course == second.course
    assert ledger.take(0, True) == first  # its worker died
    assert ledger.take(0, False).course == first.course and ledger.take(0, False) is None
