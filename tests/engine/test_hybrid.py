"""Hybrid pools: their images are those of their parts, bit for bit, whoever made these and whenever."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.grids import small_grid
from helpers.tiny_weights import frozen, weights_file

from synaug_ray.analysis.generators import kinds
from synaug_ray.analysis.seen_before import seen_before
from synaug_ray.common.errors import UsageProblem
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.execute import run_trials
from synaug_ray.engine.features import _of_pool
from synaug_ray.engine.machine import Machine
from synaug_ray.plan.plan import make_plan, pending
from synaug_ray.quality.memorization import distance_ratio
from synaug_ray.quality.nearest import pixels
from synaug_ray.runs.exporting import choose
from synaug_ray.runs.pool_images import parts_of, pool_images
from synaug_ray.runs.quality_table import qualities
from synaug_ray.runs.tables import measurements
from synaug_ray.store.store import Store

PARTS = ["real-holdout", "duplicate"]


def hybrid(name="both", **parts):
    parts = {part.replace("_", "-"): share for part, share in parts.items()}
    return {"family": "hybrid", "name": name, "parts": parts}


BOTH, ALL = hybrid(real_holdout=0.5, duplicate=0.5), hybrid("all", real_holdout=1, duplicate=0)


@pytest.fixture
def context(digits, tmp_path):
    return WorkerContext(Store(str(tmp_path / "store")), digits, Machine())


def grid(*generators, **changes):
    values = {"generators": [*PARTS, *generators], "num_real": [40], "synthetic_multiples": [0, 1, 2.5], "draws": 1}
    return small_grid(**(values | {"blocks": []} | changes))


def made(context, identity, *generators, **changes):
    spec = grid(*generators, **changes)
    plan = make_plan(spec, identity)
    for step in (*plan.generators.values(), *plan.shards.values(), *plan.features.values()):
        attempt(context, step)
    of = {(row.cell.arm, row.cell.num_synthetic): row.trial for row in plan.rows}
    return spec, plan, of


def test_images_come_in_turn_and_at_share_1_are_those_of_the_part(context, digits_identity):
    _, _, of = made(context, digits_identity, BOTH, ALL)
    real, again, both, whole = (
        context.pool(of[arm, 100].pool, 100) for arm in ("real-holdout", "duplicate", "both", "all")
    )
    assert np.array_equal(whole.images, real.images) and np.array_equal(whole.labels, real.labels)
    for part, start in ((real, 0), (again, 1)):
        assert np.array_equal(both.images[start::2], part.images[:50])
        assert np.array_equal(both.labels[start::2], part.labels[:50])
    assert np.array_equal(context.pool(of["both", 40].pool, 40).images, both.images[:40])  # a prefix
    assert len(context.pool(of["both", 40].pool, 1)) == 1  # of which one part has none
    counts = [np.bincount(part.labels[:50], minlength=10) for part in (real, again)]
    assert np.array_equal(np.bincount(both.labels, minlength=10), sum(counts)) and min(map(np.min, counts)) >= 4
    run_trials(context, [of["real-holdout", 40], of["all", 40]])
    first, second = (context.store.record("trial", of[arm, 40].key).result for arm in ("real-holdout", "all"))
    assert first["test_nll"] == second["test_nll"]


def test_another_process_after_a_kill_finds_the_same_images(context, digits_identity):
    _, plan, of = made(context, digits_identity, BOTH)
    images = context.pool(of["both", 100].pool, 100).images
    other = WorkerContext(context.store, context.dataset, Machine())
    assert np.array_equal(other.pool(of["both", 100].pool, 100).images, images)
    left = pending(plan, context.store)
    assert not left.shards and not left.generators and left.trials


def test_a_check_of_a_hybrid_looks_at_its_images(context, digits_identity, monkeypatch):
    """With those of its largest part's Subset beside them; half of these here are copies."""
    _, plan, of = made(context, digits_identity, BOTH, num_real=[80], quality_draws=1)
    step = next(q for q in plan.qualities.values() if plan.names[q.pool.key] == "both")
    assert {s.key for s in step.parents()} == {s.key for s in of["both", 200].shards}
    seen = {}

    def looked(real, pool, **_):
        seen.update(subset=real, pool=pool)
        known = dict.fromkeys(("memorization", "membership", "fidelity", "domain", "overlap"))
        told = known | {"num_pool": len(pool), "flags": [], "labels": None, "pretrained": {}}
        return SimpleNamespace(words=(), as_json=lambda: told)

    monkeypatch.setattr("synaug_ray.quality.assess.assess", looked)
    monkeypatch.setattr(WorkerContext, "real_reference", lambda self, subset, tick: subset)
    attempt(context, step)
    (check,) = qualities(plan, context.store).to_dict("records")
    assert (check["generator"], check["family"], check["reference"]) == ("both", "hybrid-control", True)
    own, pool = context.dataset.train.take(context.draws.index(seen["subset"])), seen["pool"]
    copied = distance_ratio(pixels(pool), pixels(own), context.device)[1] == 0
    assert len(pool) == 200 and not copied[::2].any() and copied[1::2].all() and check["num_real"] == 80


def test_tables_say_what_it_is_has_seen_and_costs(context, digits_identity):
    """Its parts' generators once, and each image what its own part's images cost."""
    edm = {"preset": "edm-tiny", "name": "edm"}
    opened = {"preset": "edm-tiny", "name": "open", "trained_on": 160, "nimg": 8_000}
    parts = hybrid("mixed", edm=0.75, open=0.25)
    spec = grid(edm, opened, parts, BOTH, synthetic_multiples=[0, 1])
    plan, store = make_plan(spec, digits_identity), context.store
    seconds = {"edm": 2.0, "open": 6.0}
    for step in plan.generators.values():
        store.commit(step, {"cpu_seconds": 10 * seconds.get(step.recipe.name, 0), "seconds": 0, "nimg": 1}, {}, {})
    for step in plan.shards.values():
        cost = seconds.get(step.generator.recipe.name, 0) * 32
        store.commit(step, {"cpu_seconds": cost, "seconds": 0, "nimg": 32}, {}, {})
    errors = dict.fromkeys(
        ("test_error", "balanced_error", "test_nll", "val_error", "seconds", "cpu_seconds", "nimg"), 0.0
    )
    for trial in plan.trials.values():
        store.commit(trial, errors, {}, {})
    table = measurements(spec, plan, store)
    assert (table["status"] == "done").all()
    at = table.set_index("generator").to_dict("index")
    assert (at["mixed"]["family"], at["both"]["family"]) == ("hybrid", "hybrid-control")
    assert (at["mixed"]["trained_on"], at["both"]["trained_on"], at["mixed"]["generator_nimg"]) == (160, 40, 24_000)
    assert at["mixed"]["generator_cost_seconds"] == 20 + 60
    assert at["mixed"]["image_cost_seconds"] == pytest.approx(0.75 * 2 + 0.25 * 6)
    assert at["edm"]["image_cost_seconds"] == 2
    assert kinds(table)["mixed"].open_in(40) and not kinds(table)["edm"].open_in(40)  # open-set by one part


def test_a_part_that_has_seen_other_images_is_named(tmp_path, digits_identity):
    model = tmp_path / "pipeline"
    model.mkdir()
    (model / "model_index.json").write_text("{}")
    given = {"family": "pretrained", "name": "hub", "pipeline": str(model)}
    spec = grid(
        {"preset": "edm-tiny", "name": "edm"},
        given,
        hybrid("mixed", edm=0.5, hub=0.5),
        hybrid("own", edm=0.5, jitter=0.5),
    )
    table = measurements(spec, make_plan(spec, digits_identity), Store(str(tmp_path / "store")))
    assert kinds(table)["mixed"].family == "hybrid-open" and kinds(table)["own"].family == "hybrid"
    seen = seen_before(table)
    assert list(seen.generators) == ["mixed"]
    assert "The part hub of mixed has seen other images" in seen.notes()[0]


def test_what_is_exported_is_the_pool_and_says_where_each_image_comes_from(context, digits_identity):
    _, plan, of = made(context, digits_identity, BOTH, hybrid("mixed", mixup=0.75, jitter=0.25), num_real=[20])
    run = SimpleNamespace(store=context.store, plan=plan, folder=None)
    pool = of["mixed", 50].pool
    images, labels = pool_images(run, pool, 50)
    assert np.array_equal(images, context.pool(pool, 50).images)
    assert np.array_equal(labels, context.pool(pool, 50).labels)
    told = [(part["generator"], part["images"], part["trained_on"]) for part in parts_of(pool, 50)]
    assert told == [("mixup", 38, 20), ("jitter", 12, 20)]
    with pytest.raises(UsageProblem, match="both holds real images"):
        choose(run, "both", 20, 0)


def test_heads_on_frozen_features_see_the_same_images(context, digits_identity, tmp_path):
    weights = weights_file(tmp_path)
    _, plan, of = made(context, digits_identity, BOTH, classifiers=[frozen(weights)], num_real=[20])
    found = {arm: _of_pool(context, of[arm, 50]) for arm in (*PARTS, "both")}
    for i, part in enumerate(PARTS):
        for ours, own in zip(found["both"], found[part], strict=True):
            assert np.array_equal(ours[i::2], own[:25])
    shards = {step.source.key for step in of["both", 50].features if hasattr(step.source, "sampler")}
    assert shards == {s.key for s in of["both", 50].shards} and len(plan.shards) == 2 * 2
