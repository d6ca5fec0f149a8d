"""Frozen features: computed once, resumed where they stopped, and heads on them whose trials are as any others."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.grids import small_grid
from helpers.tiny_weights import frozen, weights_file
from safetensors.numpy import load as load_arrays

from synaug_ray.classifiers.pretrained import FrozenNetwork
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.engine import features
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.features import fit_heads, run_features
from synaug_ray.engine.machine import Machine
from synaug_ray.plan.features import PARTS, RealPart
from synaug_ray.plan.order import early_answers_first
from synaug_ray.plan.plan import make_plan, packs, pending
from synaug_ray.plan.step import STAGES
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.store.store import Store


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return weights_file(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def context(digits, tmp_path):
    return WorkerContext(Store(str(tmp_path)), digits, Machine())


def grid(weights, **changes):
    values = {
        "classifiers": [frozen(weights)],
        "generators": ["real-holdout"],
        "num_real": [20, 40],
        "draws": 1,
        "seeds": 2,
        "blocks": [],
    }
    return small_grid(**(values | changes))


def run(plan, context):
    for stage in STAGES[:4]:
        for step in pending(plan, context.store).steps(stage).values():
            attempt(context, step)
    for pack in packs(plan.trials.values()):
        attempt(context, pack)
    assert [f.message for stage in STAGES for f in context.store.failed(stage).values()] == []
    return {k: context.store.record("trial", k) for k in plan.trials}


def test_a_plan_has_each_image_of_a_network_once(weights, digits_identity, tmp_path):
    plan = make_plan(grid(weights), digits_identity)
    real = [s for s in plan.features.values() if isinstance(s.source, RealPart)]
    assert len(real) == sum(PARTS.values()) and len(plan.features) == len(real) + len(plan.shards)
    assert {t.seed for t in plan.trials.values()} == {0}  # exact: a second seed would give the same
    moved = str(shutil.copy(weights, tmp_path / "moved.safetensors"))
    again = make_plan(grid(moved), digits_identity)
    assert again.features.keys() == plan.features.keys() and again.trials.keys() == plan.trials.keys()
    mirrored = make_plan(grid(weights, classifiers=[frozen(weights, flip=True)]), digits_identity)
    assert not mirrored.features.keys() & plan.features.keys()
    ordered = early_answers_first(plan)
    assert ordered.features.keys() == plan.features.keys()
    plain = make_plan(small_grid(), digits_identity)
    assert not plain.features and not pending(plain, Store(str(tmp_path))).features


def test_parts_are_all_images_once():
    for split, parts in PARTS.items():
        for count in (0, 1, 7, 1_000):
            rows = [RealPart(None, split, part).rows(count) for part in range(parts)]  # type: ignore[arg-type]
            assert [i for r in rows for i in range(count)[r]] == list(range(count))


def test_held_out_images_are_worth_one_each_exactly(weights, digits_identity, context):
    """20 and 20 held-out ones are the very images of 40: the same head, predictions and probabilities."""
    plan = make_plan(grid(weights), digits_identity)
    records = run(plan, context)
    mixed = next(t for t in plan.trials.values() if t.num_synthetic == 20)
    alone = next(t for t in plan.trials.values() if t.subset.num_real == 40 and t.pool is None)
    one, other = (load_arrays(context.store.read(records[t.key], "predictions.safetensors")) for t in (mixed, alone))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert records[mixed.key].result["test_nll"] == records[alone.key].result["test_nll"]
    fields = {"test_error", "balanced_error", "test_nll", "val_error", "nimg", "seconds", "cpu_seconds"}
    assert records[mixed.key].result.keys() == fields and records[mixed.key].result["nimg"] == 40


def test_a_share_is_the_weight_of_the_loss(weights, digits_identity, context):
    """Duplicates change nothing at any share; a share of synthetic images near 1 is that of them alone."""
    spec = grid(
        weights,
        generators=["duplicate", "label-shuffle"],
        num_real=[40],
        real_share=["proportional", 0.25, 0.0001],
        protocols=["mixed", "synthetic-only"],
    )
    plan = make_plan(spec, digits_identity)
    run(plan, context)
    of = {(t.pool and t.pool.generator.recipe.name, t.protocol, t.real_share): t for t in plan.trials.values()}

    def p(*at):
        (outcome,) = fit_heads(context, [of[at]])
        return outcome.probability

    alone = p(None, "real-only", None)
    for share in (None, 0.25):
        np.testing.assert_allclose(p("duplicate", "mixed", share), alone, atol=2e-3)
    shuffled = p("label-shuffle", "synthetic-only", None)
    assert np.abs(shuffled - alone).max() > 0.1
    np.testing.assert_allclose(p("label-shuffle", "mixed", 0.0001), shuffled, atol=0.02)


def test_the_weight_of_a_head_is_its_share(weights, digits_identity):
    """A head has no batches: whatever the share, a weight is planned as the trial of that share, which is the same."""
    shares = {"real_share": ["proportional", 0.25], "num_real": [40]}
    weighted = make_plan(grid(weights, real_weight=["share", 0.75], **shares), digits_identity)
    shared = make_plan(grid(weights, **(shares | {"real_share": ["proportional", 0.25, 0.75]})), digits_identity)
    assert weighted.trials.keys() == shared.trials.keys()
    assert {(r.cell.real_share, r.cell.real_weight) for r in weighted.rows if r.trial.real_share == 0.75} == {
        (None, 0.75),
        (0.25, 0.75),
    }


def test_a_killed_step_goes_on_from_its_state(weights, digits_identity, context, tmp_path, monkeypatch):
    """With the bits of one that was never stopped, and without computing again what it had."""
    plan = make_plan(grid(weights), digits_identity)
    step = next(s for s in plan.features.values() if isinstance(s.source, RealPart) and s.source.split == "train")
    run_features(context, step)
    record = context.store.record("features", step.key)
    whole = context.store.read(record, "features.safetensors")
    other = WorkerContext(Store(str(tmp_path / "other")), context.dataset, Machine())
    monkeypatch.setattr(features, "SAVE_SECONDS", -1.0)
    batches = []

    class Killed(BaseException):
        pass

    real = FrozenNetwork.features

    def counted(self, images):
        if len(batches) == 1:
            raise Killed
        batches.append(len(images))
        return real(self, images)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(FrozenNetwork, "features", counted)
        run_features(other, step)
    again = []

    def rest(self, images):
        again.append(len(images))
        return real(self, images)

    monkeypatch.setattr(FrozenNetwork, "features", rest)
    run_features(other, step)
    record = other.store.record("features", step.key)
    assert batches == [64] and sum(again) == record.result["nimg"] - 64
    assert other.store.read(record, "features.safetensors") == whole


def test_mirror_images_are_second_views(weights, digits):
    recipe = ClassifierRecipe.model_validate(frozen(weights, flip=True))
    images = digits.train.images[:3]
    views = FrozenNetwork(recipe, torch.device("cpu")).features(images)
    mirrored = FrozenNetwork(recipe, torch.device("cpu")).features(np.ascontiguousarray(images[..., ::-1]))
    np.testing.assert_allclose(views[:, 1], mirrored[:, 0], atol=1e-5)
    assert not np.allclose(views[:, 0], views[:, 1])


def test_a_filter_chooses_among_features(weights, digits_identity, context, monkeypatch):
    from synaug_ray.quality import features as quality_features

    monkeypatch.setattr(quality_features, "NIMG", (3_200, 3_200))
    spec = grid(weights, filters=["confident"], num_real=[40], synthetic_multiples=[1])
    plan = make_plan(spec, digits_identity)
    run(plan, context)
    trial = next(t for t in plan.trials.values() if t.pool)
    x, y, weight = features._rows(context, trial)
    images = context.images(trial)
    assert np.array_equal(y, images.labels) and len(x) == 80 and weight.sum() == pytest.approx(1)
    direct = context.network(trial.classifier).features(images.images).astype(np.float16)
    np.testing.assert_allclose(x.astype(float), direct.astype(float), atol=1e-2)


def with_second_test(weights, identity, name="other"):
    data = replace(identity, test2=DataIdentity(f"npz:{name}.npz", name))
    return make_plan(grid(weights, num_real=[20], generators=["duplicate"]), data)


def test_a_second_test_set_has_features_of_its_own(weights, digits_identity):
    """By two more steps, whose keys are of both sources."""
    plan = with_second_test(weights, digits_identity)
    plain = make_plan(grid(weights, num_real=[20], generators=["duplicate"]), digits_identity)
    more = [step for key, step in plan.features.items() if key not in plain.features]
    assert [(s.source.split, s.source.part) for s in more] == [("test2", 0), ("test2", 1)]
    assert len(plan.features) == len(plain.features) + 2
    assert "part 1 of 2 of the second test images" in more[0].describe({})
    assert plan.features.keys() - with_second_test(weights, digits_identity, "b").features.keys() == {
        s.key for s in more
    }


@pytest.mark.slow
def test_heads_are_measured_on_a_second_test_set(weights, digits_identity, context):
    """The first one's images in another order: the same answers."""
    turned = context.dataset.test.take(np.arange(len(context.dataset.test))[::-1])
    plan = with_second_test(weights, digits_identity)
    for record in run(plan, replace(context, dataset=replace(context.dataset, test2=turned))).values():
        first, second = (
            load_arrays(context.store.read(record, f"predictions{n}.safetensors"))["predicted"] for n in ("", "2")
        )
        assert np.array_equal(first, second[::-1])
        assert record.result["test2_error"] == record.result["test_error"]
