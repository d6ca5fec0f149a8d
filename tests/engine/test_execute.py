"""Executing steps: controls whose answer is known bit for bit."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.grids import small_grid

from synaug_ray.common.keys import derive_seed
from synaug_ray.config.data_options import DataOptions
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.execute import run_generator, run_shard, run_trials
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.plan.plan import make_plan, packs
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.quality import features
from synaug_ray.quality.filters import selector
from synaug_ray.quality.label_classifiers import of_data_set, storage_key
from synaug_ray.runs.quality_table import for_the_page, qualities
from synaug_ray.runs.tables import measurements
from synaug_ray.store.store import Store


@pytest.fixture
def context(digits, tmp_path):
    use_threads(1)
    return WorkerContext(Store(str(tmp_path / "store")), digits, Machine())


def test_held_out_real_images_are_real_images(context, digits_identity):
    """n real and s held-out ones, mixed in proportion, are the very trial on n + s real ones of that draw."""
    plan = make_plan(
        small_grid(generators=["real-holdout"], num_real=[20], blocks=[{"num_real": [40]}], draws=1), digits_identity
    )
    for generator in plan.generators.values():
        run_generator(context, generator)
    for shard in plan.shards.values():
        run_shard(context, shard)
    mixed = next(t for t in plan.trials.values() if t.pool and t.subset.num_real == 20)
    real = next(t for t in plan.trials.values() if not t.pool and t.subset.num_real == 40)
    run_trials(context, [mixed, real])
    results = [context.store.record("trial", t.key).result for t in (mixed, real)]
    assert results[0]["test_nll"] == results[1]["test_nll"] and results[0]["test_error"] == results[1]["test_error"]


def test_a_teacher_of_the_subset_sees_through_shuffled_labels(context, digits_identity):
    grid = {"generators": ["label-shuffle"], "num_real": [160], "draws": 1, "seeds": 1, "blocks": []}
    plan = make_plan(
        small_grid(**grid, protocols=["mixed", "soft-labels"], real_share=["proportional"]), digits_identity
    )
    for step in (*plan.generators.values(), *plan.shards.values()):
        attempt(context, step)
    error = {}
    for row in plan.rows:
        if row.cell.num_synthetic == 160:
            run_trials(context, [row.trial])
            error[row.cell.protocol] = context.store.record("trial", row.trial.key).result["test_error"]
    assert error["soft-labels"] < error["mixed"] - 0.05


def test_a_look_at_a_pool_finds_its_fault_and_leaves_the_numbers(context, digits_identity, monkeypatch):
    """Duplicates are copies; held-out real images are no fault. A second quality check of the same Subset trains no classifier."""
    spec = small_grid(generators=["duplicate", "real-holdout"], num_real=[160], draws=1, blocks=[], quality_draws=1)
    plan = make_plan(spec, digits_identity)
    for step in (*plan.generators.values(), *plan.shards.values()):
        attempt(context, step)
    for step in plan.qualities.values():
        attempt(context, step)
        monkeypatch.setattr("synaug_ray.quality.assess.real_reference", None)
    assert not context.store.failed("quality")
    table = qualities(plan, context.store).set_index("generator")
    assert table["words"].to_dict() == {"duplicate": "copies", "real-holdout": "ok"}
    assert table.loc["duplicate", "near_copies"] == 1 and table.loc["real-holdout", "near_copies"] < 0.1
    assert (table["num_images"] == 160).all() and table["reference"].all()
    page = for_the_page(table.reset_index())
    assert [row[:3] for row in page["rows"]] == [["duplicate", 160, "copies"], ["real-holdout", 160, "ok"]]
    assert page["warnings"] == []  # both are references


def test_filtered_arms_stand_beside_the_whole_pool_in_every_table(context, digits_identity, monkeypatch):
    """Held-out real images lose a share of each class, and duplicates all: their trial fails and says why."""
    monkeypatch.setattr(features, "NIMG", (3_200, 3_200))
    spec = small_grid(
        generators=["real-holdout", "duplicate"],
        filters=["none", "confident", "no-copies"],
        num_real=[40],
        draws=1,
        blocks=[],
    )
    plan = make_plan(spec, digits_identity)
    for step in (*plan.generators.values(), *plan.shards.values()):
        attempt(context, step)
    for pack in packs(plan.trials.values()):
        attempt(context, pack)
    table = measurements(spec, plan, context.store).set_index("generator")
    assert table["status"].to_dict() == dict.fromkeys(
        (
            "none",
            "real-holdout",
            "real-holdout+confident",
            "real-holdout+no-copies",
            "duplicate",
            "duplicate+confident",
        ),
        "done",
    ) | {"duplicate+no-copies": "failed"}
    assert table.loc["duplicate+confident", "filter"] == "confident" and (table["num_synthetic"].iloc[1:] == 40).all()
    assert table.loc["real-holdout", "test_nll"] != table.loc["real-holdout+confident", "test_nll"]
    (failure,) = context.store.failed("trial").values()
    assert failure.cause == "collapsed" and "keeps 0 of 80 images, and 40 are needed" in failure.message


def test_a_filtered_trial_trains_on_what_the_filter_keeps(context, digits_identity, monkeypatch):
    monkeypatch.setattr(features, "NIMG", (3_200, 3_200))
    spec = small_grid(generators=["real-holdout"], filters=["confident"], num_real=[40], draws=1, blocks=[])
    plan = make_plan(spec, digits_identity)
    for step in (*plan.generators.values(), *plan.shards.values()):
        attempt(context, step)
    trial = next(t for t in plan.trials.values() if t.pool)
    images, raw = context.images(trial), context.pool(trial.pool, trial.num_raw)
    assert len(images) == 80 and trial.num_raw == 50
    chosen = selector(
        trial.filter,
        images.take(np.arange(40)),
        10,
        derive_seed("filter", digits_identity.key, 0, 40),
        torch.device("cpu"),
    )(raw, 40)
    chosen = raw.take(chosen)
    assert np.array_equal(images.images[40:], chosen.images) and np.array_equal(images.labels[40:], chosen.labels)


def test_a_generator_goes_on_from_its_checkpoint(context, small, tmp_path, monkeypatch):
    """Killed after its first checkpoint, it ends with the bytes of one that was never stopped."""
    from synaug_ray.engine import execute
    from synaug_ray.training import loop

    monkeypatch.setattr(loop, "SAVE_EVERY", 8)
    _, plan = small
    step = next(g for g in plan.generators.values() if g.recipe.family == "edm")
    step = dataclasses.replace(step, recipe=step.recipe.model_copy(update={"nimg": 8 * 17, "batch": 8}))
    run_generator(context, step)
    other = dataclasses.replace(context, store=Store(str(tmp_path / "other")))
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
    files = [s.record("generator", step.key).files for s in (context.store, other.store)]
    assert files[0] == files[1]
    assert other.store.load_scratch(step, "state.safetensors") is None


@pytest.mark.parametrize("kept, told", [(b"4", 4), (b"\xff4", None), (b"", None)])
def test_a_record_names_the_most_processes_that_had_part_in_a_generator(context, small, kept, told):
    """One process may go on where four were killed; scratch has no checksum, and damage to it is no failure."""
    _, plan = small
    step = next(g for g in plan.generators.values() if g.recipe.family == "edm")
    step = dataclasses.replace(step, recipe=step.recipe.model_copy(update={"nimg": 64}))
    context.store.save_scratch(step, "processes", kept)
    run_generator(context, step)
    assert context.store.record("generator", step.key).made.get("processes") == told


def test_the_label_classifiers_of_a_data_set_are_trained_once_a_storage(context, digits_identity, monkeypatch):
    """On all training images, for all Subsets, and read by other processes; a damaged copy is made anew."""
    made, seen = [], []
    monkeypatch.setattr(features, "NIMG", (1_920, 1_920))

    def counted(train, *rest):
        seen.append(len(train))
        return of_data_set(train, *rest)

    monkeypatch.setattr("synaug_ray.quality.label_classifiers.GOOD", 0.0)
    monkeypatch.setattr("synaug_ray.quality.label_classifiers.of_data_set", counted)
    for num_real in (20, 40):
        made.append(context.real_reference(Subset(digits_identity, num_real, 0)).label_classifiers)
    assert seen == [len(context.dataset.train)] and made[0] is made[1]
    other = WorkerContext(context.store, context.dataset, context.machine)
    read = other.label_classifiers(digits_identity, lambda share: None)
    assert len(seen) == 1
    val = context.dataset.val
    assert np.array_equal(read.log_probabilities(val), made[0].log_probabilities(val))
    key = storage_key(digits_identity.key)
    context.store.save_shared(key, b"damaged")
    WorkerContext(context.store, context.dataset, context.machine).label_classifiers(
        digits_identity, lambda share: None
    )
    assert len(seen) == 2 and context.store.load_shared(key) != b"damaged"


def test_a_judge_of_other_images_judges_labels_and_is_named(context, digits_identity, monkeypatch):
    """Trained on those images alone, once a storage, beside the data set's own."""
    monkeypatch.setattr(features, "NIMG", (1_920, 1_920))
    monkeypatch.setattr("synaug_ray.quality.label_classifiers.GOOD", 0.0)
    judge = DataIdentity("npz:other.npz", "other", DataOptions())
    data = dataclasses.replace(digits_identity, judge=judge, options=DataOptions(judge="npz:other.npz"))
    theirs = context.dataset.train.take(np.arange(300))
    own = context.label_classifiers(digits_identity, lambda share: None)
    other = dataclasses.replace(context, dataset=dataclasses.replace(context.dataset, judge=theirs))
    plan = make_plan(small_grid(generators=["real-holdout"], num_real=[40], draws=1, blocks=[], quality_draws=1), data)
    for steps in (plan.generators, plan.shards, plan.qualities):
        for step in steps.values():
            attempt(other, step)
    assert len(other.label_classifiers(data, lambda share: None).training) == 300
    assert len(own.training) == len(context.dataset.train) and len(list(context.store.keys("quality"))) == 1
    table = qualities(plan, context.store)
    assert table["judge"].tolist() == ["npz:other.npz"] and table["judge_images"].tolist() == [300]
    [note] = for_the_page(table)["notes"]
    assert "300 real images" in note and "npz:other.npz" in note and "more than the 40 of a subset" in note


def test_the_arms_of_the_gap_are_the_same_images_but_for_what_each_changes(context, digits_identity, monkeypatch):
    """Nothing re-made is the held-out images; relabelled is the same pool; tables call both controls."""
    edm = {"preset": "edm-tiny", "nimg": 64, "warmup_nimg": 64, "channels": [8, 16], "name": "edm"}
    asis = edm | {"name": "as-is", "guide": {"strength": 0, "of": "held-out"}}
    dealt = {"preset": "label-shuffle", "share": 0.5, "name": "dealt"}
    noisy = {"preset": "jitter", "of": "held-out", "name": "noisy"}
    arms = {"generators": ["real-holdout", edm, asis, dealt, noisy], "filters": ["none", "relabelled"]}
    spec = small_grid(**arms, num_real=[920], num_synthetic=[79], synthetic_multiples=[0], draws=1, blocks=[])
    plan = make_plan(spec, digits_identity)
    for step in (*plan.generators.values(), *plan.shards.values()):
        attempt(context, step)
    assert not context.store.failed("generator") and not context.store.failed("shard")
    monkeypatch.setattr(features, "NIMG", (3_200, 3_200))
    rows = {row.cell.arm: context.images(row.trial) for row in plan.rows if row.trial.pool}
    pools = {arm: images.take(np.arange(920, len(images))) for arm, images in rows.items()}
    real = pools["real-holdout"]
    assert len(real) == 79  # of 80 that are held out: the last shard is shorter
    assert np.array_equal(pools["as-is"].images, real.images) and np.array_equal(pools["as-is"].labels, real.labels)
    for name in ("real-holdout", "edm", "as-is", "dealt", "noisy"):
        assert np.array_equal(pools[f"{name}+relabelled"].images, pools[name].images)
    right = [(pools[name].labels == real.labels).mean() for name in ("dealt", "dealt+relabelled")]
    assert right[0] < 0.7 and right[1] > 0.8 and np.array_equal(pools["dealt"].images, real.images)
    table = measurements(spec, plan, context.store).drop_duplicates("generator").set_index("generator")
    assert table["family"].drop("none").to_dict() == {
        **{name: "relabelled" for name in table.index if name.endswith("+relabelled")},
        "real-holdout": "real-holdout",
        "edm": "edm",
        "as-is": "remade",
        "dealt": "label-shuffle",
        "noisy": "remade",
    }
    assert table.loc["as-is", "traced"] == 1 and table["traced"].notna().sum() == 4  # two arms, with and without filter
    assert 0.9 < table.loc["noisy", "traced"] <= 1
    maker = table["maker"]
    assert maker["edm"] == maker["as-is"] != maker["noisy"] and maker["none"] == ""


def test_relabelled_trials_have_keys_of_their_own_and_those_of_their_judge(digits_identity):
    def keys(data, **changes):
        plan = make_plan(small_grid(generators=["duplicate"], num_real=[20], draws=1, blocks=[], **changes), data)
        return {row.cell.arm: row.trial.key for row in plan.rows}

    both, judge = keys(digits_identity, filters=["none", "relabelled"]), DataIdentity("folder:/x", "other")
    assert keys(digits_identity) == {name: both[name] for name in ("none", "duplicate")}
    judged = keys(dataclasses.replace(digits_identity, judge=judge), filters=["none", "relabelled", "confident"])
    before = keys(digits_identity, filters=["none", "relabelled", "confident"])
    assert [arm for arm in judged if judged[arm] != before[arm]] == ["duplicate+relabelled"]
