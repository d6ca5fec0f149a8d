"""Timings of this machine: asked once, kept, and scaled where there was no time; the answers are planted."""

import json

import pytest
from helpers.paths import REPOSITORY

from synaug_ray.config.load import load_grid, validate_grid
from synaug_ray.config.yaml_source import Lines
from synaug_ray.plan.footprint import Count
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.step import STAGES
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.runs import timings as module
from synaug_ray.runs.cost import SCALED, TIMED, Figure, RecordedRates, costs, expected_seconds
from synaug_ray.runs.gpu_hours import PEAK, SHARE, describe, gpu_hours
from synaug_ray.runs.timings import GUESSED, timings
from synaug_ray.store.store import Store

SHAPE = (1, 28, 28)


@pytest.fixture
def plan():
    values = {
        "dataset": "mnist",
        "num_real": [100],
        "synthetic_multiples": [0, 1],
        "generators": ["edm-28px", "jitter"],
        "classifiers": ["mlp", "cnn"],
        "draws": 2,
        "seeds": 1,
        "quality_draws": 1,
        "training_check": {"draws": 0},
    }
    return make_plan(validate_grid(values, Lines("g.yaml")), DataIdentity("mnist", "fp"))


@pytest.fixture
def asked(monkeypatch):
    """The kinds that were asked for, each time; and what is answered, to be filled in."""
    monkeypatch.delenv(module.OFF, raising=False)
    calls, answers = [], {}

    def ask(work, shape, limit):
        kinds = [entry["key"] for entry in work]
        calls.append(set(kinds))
        return {key: dict(answers[key]) for key in kinds if key in answers}

    monkeypatch.setattr(module, "_ask", ask)
    return calls, answers


def every(plan):
    return [s for stage in STAGES for s in plan.steps(stage).values()]


def keys(plan):
    return {
        (s.stage, getattr(s, "classifier", s).name if s.stage == "trial" else ""): s.cost_key
        for s in every(plan)
        if s.images_seen
    }


def counted(flops, **more):
    return {"flops": flops, "fixed": 1e6, "each": 1e3, "device": "cpu"} | more


def test_asked_once_and_kept(plan, asked, tmp_path):
    calls, answers = asked
    of = keys(plan)
    for i, key in enumerate(of.values()):
        answers[key] = counted(1e6, seconds=0.001 * (i + 1))
    said = []
    first = timings(every(plan), SHAPE, tmp_path, said.append)
    assert calls == [set(of.values())] and len(said) == 1 and "edm-28px" in said[0] and "jitter" not in said[0]
    assert timings(every(plan), SHAPE, tmp_path, said.append) == first and len(calls) == len(said) == 1
    timings(every(plan), (1, 32, 32), tmp_path, said.append)  # images of another size are other work
    assert len(calls) == 2


def test_every_stage_gets_its_time_within_the_range(plan, asked, tmp_path):
    """The sum against planted seconds for an image."""
    _, answers = asked
    of = keys(plan)
    truth = {key: 0.002 * (i + 1) for i, key in enumerate(of.values())}
    for key, seconds in truth.items():
        answers[key] = counted(1e6, seconds=seconds)
    answers["quality"] = {
        "seconds": 30.0,
        "once": 100.0,
        "device": "cpu",
    }  # for a check, and for the first, not an image
    found = timings(every(plan), SHAPE, tmp_path, print)
    store = Store(str(tmp_path / "store"))
    table = costs(RecordedRates(plan, store), plan, SHAPE, found.figures)
    for stage in ("generator", "shard", "trial"):
        true = sum(truth.get(s.cost_key, 0) * s.images_seen for s in plan.steps(stage).values())
        if (
            stage == "trial"
        ):  # 6 trials of the MLP in packs of 16: the first draw's real-only ones and first pool's, its others, the rest
            mlp = of["trial", "mlp"]
            alone = truth[mlp] * sum(s.images_seen for s in plan.trials.values() if s.cost_key == mlp)
            count = sum(s.cost_key == mlp for s in plan.trials.values())
            true += alone * (48 / count - 1)
        cost = table[stage]
        assert cost.unknown == 0 and cost.seconds == pytest.approx(true)
        assert cost.low == pytest.approx(true / TIMED) and cost.high == pytest.approx(true * TIMED)
    assert table["quality"].seconds == pytest.approx(100 + 30 * len(plan.qualities)) and table["quality"].unknown == 0
    seconds = expected_seconds(RecordedRates(plan, store), SHAPE, found.figures)
    assert sum(seconds(s) for s in every(plan)) == pytest.approx(sum(c.seconds for c in table.values()))


def test_what_there_was_no_time_for_is_scaled_by_its_operations(plan, asked, tmp_path):
    calls, answers = asked
    of = keys(plan)
    answers[of["trial", "mlp"]] = counted(1e6, seconds=0.001)
    answers[of["trial", "cnn"]] = counted(4e6)
    answers[of["generator", ""]] = counted(9e6)
    found = timings(every(plan), SHAPE, tmp_path, print)
    assert found.figures[of["trial", "cnn"]] == Figure(pytest.approx(0.004), SCALED)
    assert found.figures[of["generator", ""]] == Figure(pytest.approx(0.009), SCALED)
    assert found.figures[of["shard", ""]] == Figure(pytest.approx(0.009 / 3 * 8 * 2), GUESSED)  # 8 steps with guidance
    assert found.figures.keys() == set(of.values())
    timings(every(plan), SHAPE, tmp_path, print)
    assert of["trial", "mlp"] not in calls[1] and of["trial", "cnn"] in calls[1]  # asked again, where it has none


def test_networks_that_there_was_no_time_to_count_have_no_cost(plan, asked, tmp_path):
    """A busy machine gave a minute's generator 36 s and its pool 15 hours."""
    _, answers = asked
    of = keys(plan)
    answers[of["trial", "mlp"]] = counted(1e6, seconds=0.001)
    found = timings(every(plan), SHAPE, tmp_path, print)
    assert not {of["generator", ""], of["shard", ""]} & found.figures.keys() and "quality" in found.figures


def test_a_process_that_says_nothing_leaves_what_there_was(plan, asked, tmp_path):
    found = timings(every(plan), SHAPE, tmp_path, print)
    assert not found.figures and not found.counts and found.unit == "core"


def test_a_cache_that_cannot_be_written_is_done_without(plan, asked, tmp_path):
    (tmp_path / "timings").write_text("a file")
    _, answers = asked
    answers[keys(plan)["trial", "mlp"]] = counted(1e6, seconds=0.001)
    assert timings(every(plan), SHAPE, tmp_path, print).figures


def test_a_damaged_file_of_the_cache_is_asked_for_again(plan, asked, tmp_path):
    calls, answers = asked
    answers |= {key: counted(1e6, seconds=0.001) for key in keys(plan).values()}
    timings(every(plan), SHAPE, tmp_path, print)
    for path in (tmp_path / "timings").iterdir():
        path.write_text(json.dumps([1]) if path.name < "8" else "{")
    timings(every(plan), SHAPE, tmp_path, print)
    assert calls[0] == calls[1]


def test_not_asked_where_that_is_turned_off(plan, asked, tmp_path, monkeypatch):
    monkeypatch.setenv(module.OFF, "1")
    timings(every(plan), SHAPE, tmp_path, lambda said: pytest.fail(said))
    assert not asked[0]


def test_half_a_line_of_a_process_that_was_stopped(plan, monkeypatch, tmp_path):
    """What it said in time counts, and it ends at the limit."""
    script = tmp_path / "child.py"
    script.write_text(
        'import sys, time; sys.stdin.read(); print(\'{"key": "a", "seconds": 2.0}\\n{"key": "b", "sec\', flush=True); '
        "time.sleep(60)"
    )
    popen = module.subprocess.Popen
    monkeypatch.setattr(module.subprocess, "Popen", lambda command, **more: popen([command[0], str(script)], **more))
    assert module._ask([{"key": "a"}, {"key": "b"}], SHAPE, 0.4) == {"a": {"seconds": 2.0}}


def test_a_process_that_waits_for_a_core_is_waited_for(plan, monkeypatch, tmp_path):
    """A machine with thirty processes on two cores left a plan without any figure."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys, time; sys.stdin.read()\n"
        "for _ in range(8):\n"
        "    end = time.process_time() + 0.02\n"
        "    while time.process_time() < end: pass\n"
        "    time.sleep(0.3)\n"
        'print(\'{"key": "a", "seconds": 2.0}\', flush=True)'
    )
    popen = module.subprocess.Popen
    monkeypatch.setattr(module.subprocess, "Popen", lambda command, **more: popen([command[0], str(script)], **more))
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    assert module._ask([{"key": "a"}], SHAPE, 1.0) == {"a": {"seconds": 2.0}}


def test_gpu_hours_by_operations_and_peak():
    plan = make_plan(load_grid(REPOSITORY / "grids" / "cifar100.yaml", []), DataIdentity("cifar100", "fp"))
    counts = {s.cost_key: Count(1e9, 0, 0) for s in every(plan)}
    images = sum(s.images_seen for s in every(plan) if s.stage != "quality")
    assert gpu_hours(plan, counts) == pytest.approx(images * 1e9 / (SHARE * PEAK["bf16"]) / 3600)
    assert gpu_hours(plan, {}) is None
    assert (
        describe(1234.0) == "about 1,200 GPU-hours on an H100-class GPU (620 to 2,500), at an assumed 20% of its peak"
    )
