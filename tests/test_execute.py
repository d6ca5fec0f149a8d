"""Executing steps: controls whose answer is known bit for bit."""

import dataclasses

import pytest
from grids_for_tests import small_grid

from synaug_ray.execute import Bench, Machine, run_generator, run_shard, run_trials
from synaug_ray.plan import make_plan
from synaug_ray.store import Store


@pytest.fixture
def bench(digits, tmp_path):
    return Bench(Store(str(tmp_path / "store")), digits, Machine())


def test_held_out_real_images_are_real_images(bench, digits_identity):
    """n real and s held-out ones, mixed in proportion, are the very trial on n + s real ones of that draw."""
    plan = make_plan(small_grid(generators=["real-holdout"], num_real=[20], blocks=[{"num_real": [40]}], draws=1),
                     digits_identity)
    for generator in plan.generators.values():
        run_generator(bench, generator)
    for shard in plan.shards.values():
        run_shard(bench, shard)
    mixed = next(t for t in plan.trials.values() if t.pool and t.subset.num_real == 20)
    real = next(t for t in plan.trials.values() if not t.pool and t.subset.num_real == 40)
    run_trials(bench, [mixed, real])
    results = [bench.store.record("trial", t.key).result for t in (mixed, real)]
    assert results[0]["test_nll"] == results[1]["test_nll"] and results[0]["test_error"] == results[1]["test_error"]


def test_a_generator_goes_on_from_its_checkpoint(bench, small, tmp_path, monkeypatch):
    """Killed after its first checkpoint, it ends with the bytes of one that was never stopped."""
    from synaug_ray import execute

    _, plan = small
    step = next(g for g in plan.generators.values() if g.recipe.family == "edm")
    step = dataclasses.replace(step, recipe=step.recipe.model_copy(update={"nimg": 32 * 130}))
    run_generator(bench, step)
    other = dataclasses.replace(bench, store=Store(str(tmp_path / "other")))
    monkeypatch.setattr(execute, "CHECKPOINT_SECONDS", 0.0)

    class Killed(BaseException):
        pass

    calls = []

    def die(_, share):
        calls.append(share)
        if len(calls) == 2:
            raise Killed

    with pytest.raises(Killed):
        run_generator(dataclasses.replace(other, progress=die), step)
    assert other.store.load_scratch(step, "state.safetensors") is not None
    seen = []
    run_generator(dataclasses.replace(other, progress=lambda _, share: seen.append(share)), step)
    assert seen[0] > 0.9  # it did not start anew
    files = [s.record("generator", step.key).files for s in (bench.store, other.store)]
    assert files[0] == files[1]
    assert other.store.load_scratch(step, "state.safetensors") is None
