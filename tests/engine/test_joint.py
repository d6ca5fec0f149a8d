"""A trial of protocol joint: the answers of its generator's head to the test images, and nothing that is trained."""

import math

import numpy as np
import pytest
from helpers.grids import small_grid

from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.local import run_local
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.plan.plan import make_plan
from synaug_ray.runs.tables import measurements, predictions
from synaug_ray.store.store import Store

VIT = {"preset": "vit-gan-tiny", "width": 16, "depth": 1, "nimg": 64, "batch": 16}


@pytest.fixture
def joint(digits, digits_identity, tmp_path):
    use_threads(1)
    spec = small_grid(generators=[VIT], num_real=[20], draws=1, blocks=[], protocols=["joint"], quality_draws=0)
    plan = make_plan(spec, digits_identity)
    return spec, plan, WorkerContext(Store(str(tmp_path / "store")), digits, Machine())


def test_its_answers_are_those_of_the_head(joint, digits):
    spec, plan, context = joint
    run_local(plan, context, lambda line: None)
    table = measurements(spec, plan, context.store)
    assert set(table["status"]) == {"done"}
    heads = table[table["protocol"] == "joint"]
    assert dict(zip(heads["joint_arm"], heads["num_synthetic"], strict=True)) == {
        "selected": 64,
        "alone": 0,
        "unselected": 64,
    }
    assert (heads["nimg"] == 64).all() and set(heads["classifier"]) == {"discriminator"}
    assert (table[table["protocol"] != "joint"]["joint_arm"] == "").all()
    told = predictions(plan, context.store).set_index("key")
    for row in heads.to_dict("records"):
        step = plan.trials[row["key"]].pool.generator
        log_p = context.generator(step).log_probabilities(digits.test.images, context.device)
        assert np.array_equal(told.loc[row["key"], "predicted"], log_p.argmax(1))
        assert row["test_error"] == pytest.approx((log_p.argmax(1) != digits.test.labels).mean())
        assert math.isnan(row["fakes_selected"]) == (row["joint_arm"] == "alone")
        assert row["generator_cost_seconds"] > 0
        files = context.store.record("generator", step.key).files
        assert "discriminator.safetensors" in files


def test_it_fails_with_its_generator(joint, monkeypatch):
    _, plan, context = joint
    monkeypatch.setattr("synaug_ray.engine.execute.registry.train", lambda *_, **__: 1 / 0)
    run_local(plan, context, lambda line: None)
    done = context.store.keys("trial")
    assert all((trial.key in done) == (trial.protocol != "joint") for trial in plan.trials.values())
