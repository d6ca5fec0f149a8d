"""``data.test2``: images of another source on which every trial is measured too, and never a training image."""

import dataclasses

import numpy as np
import pytest
from helpers.grids import small_grid
from helpers.image_files import image_folder
from PIL import Image

from synaug_ray.common.errors import DataProblem, UsageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.yaml_source import Lines
from synaug_ray.data.identify import identify_test2
from synaug_ray.data.images import Dataset, ImageSet
from synaug_ray.data.second_test import with_second_test
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine
from synaug_ray.plan.plan import make_plan, packs
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.runs.request import identified
from synaug_ray.runs.status import read_run_status
from synaug_ray.runs.tables import MEASURED2, measurements, predictions
from synaug_ray.store.store import Store


def images(count, classes, seed, size=8):
    rng = np.random.default_rng(seed)
    return ImageSet(rng.integers(0, 256, (count, 1, size, size), dtype=np.uint8), np.arange(count) % classes)


def ours(classes=("cat", "dog"), size=8, train=None):
    k = len(classes)
    return Dataset("ours", train or images(90, k, 1, size), images(20, k, 2, size), images(40, k, 3, size), classes)


def npz(path, **parts):
    np.savez(
        path,
        **{f"{k}_images": part.images[:, 0] for k, part in parts.items()},
        **{f"{k}_labels": part.labels.astype(np.uint8)[:, None] for k, part in parts.items()},
    )
    return f"npz:{path}"


def with_test2(test2, dataset="digits", **options):
    options = DataOptions(test2=test2, **options)
    return DataIdentity(dataset, "fp", options, test2=identify_test2(dataset, options))


def test_it_changes_the_keys_of_trials_alone(tmp_path):
    """Those of generators, their images and their quality stay, and so does what a trial without it was."""
    other = with_test2(npz(tmp_path / "x.npz", train=images(60, 2, 0), test=images(60, 2, 5)))
    plain, tested = (make_plan(small_grid(quality_draws=1), d) for d in (DataIdentity("digits", "fp"), other))
    assert all(plain.steps(s).keys() == tested.steps(s).keys() for s in ("generator", "shard", "quality"))
    assert plain.trials and not plain.trials.keys() & tested.trials.keys()
    assert [t.common_seed for t in plain.trials.values()] == [t.common_seed for t in tested.trials.values()]
    elsewhere = with_test2(npz(tmp_path / "y.npz", train=images(60, 2, 0), test=images(60, 2, 6)))
    assert not make_plan(small_grid(), elsewhere).trials.keys() & tested.trials.keys()


@pytest.mark.parametrize("split", [True, False])
def test_its_test_images_count_or_all_where_there_is_no_such_split(tmp_path, split):
    parts = {"train": images(90, 2, 0)} | ({"test": images(50, 2, 5)} if split else {})
    data = with_test2(npz(tmp_path / "x.npz", **parts))
    found = with_second_test(ours(), data, tmp_path / "cache")
    assert found.test2 is not None and len(found.test2) == (50 if split else 90)
    [note] = found.notes
    assert ("the test images of npz:" if split else "all images of npz:") in note and str(len(found.test2)) in note
    assert found.train is ours().train or np.array_equal(found.train.images, ours().train.images)


def test_no_image_that_is_trained_on_is_tested(tmp_path):
    """Neither a copy of a training image, nor a mirrored or brighter one."""
    train, theirs = images(120, 2, 1, 16), images(100, 2, 5, 16)
    copies = np.concatenate([train.images[:5], train.images[5:10, :, :, ::-1], train.images[10:15] // 2 + 100])
    both = ImageSet(np.concatenate([theirs.images, copies]), np.concatenate([theirs.labels, train.labels[:15]]))
    data = with_test2(npz(tmp_path / "x.npz", train=images(60, 2, 0, 16), test=both))
    for _ in range(2):  # found, and read from the cache
        found = with_second_test(ours(size=16, train=train), data, tmp_path / "cache")
        assert found.test2 is not None and np.array_equal(found.test2.images, theirs.images)
        assert "15 that are also training images here" in found.notes[0]


def test_classes_are_matched_by_name_and_groups_kept(tmp_path):
    image_folder(tmp_path / "set", {"ant": 30, "dog": 40, "cat": 50})
    data = with_test2(f"folder:{tmp_path}/set", f"folder:{tmp_path}/ours", group=r"(\d)\.png")
    found = with_second_test(ours(("cat", "dog")), data, tmp_path / "cache")
    assert found.test2 is not None and np.bincount(found.test2.labels).tolist() == [50, 40]
    assert found.test2_groups is not None and len(found.test2_groups) == 90
    assert "30 of classes that ours lacks are left out" in found.notes[0]


def coloured(names):
    """Images that are as bright as the number that names their class says."""
    return {name: [np.full((8, 8), 20 * int(name) + 10 + i, np.uint8) for i in range(6)] for name in names}


@pytest.mark.parametrize("theirs", ["npz", "folder"])
def test_classes_that_both_sets_only_number_are_matched_by_their_numbers(tmp_path, theirs):
    """As text "10" comes before "2": by place, ten of twelve classes would be tested on others' images."""
    numbers = [str(k) for k in range(12)]
    told = {name: k for k, name in enumerate(sorted(numbers))}  # as a folder's classes are ordered
    per = np.repeat(np.arange(12), 6)
    bright = (20 * per + 10).astype(np.uint8)[:, None, None, None] + np.zeros((72, 1, 8, 8), np.uint8)
    train = ImageSet(bright, np.array([told[str(k)] for k in per]))
    dataset = Dataset("ours", train, train, train, tuple(sorted(numbers)))
    if theirs == "npz":
        other = npz(tmp_path / "x.npz", train=ImageSet(bright + 1, per))
    else:
        for name, made in coloured(["00", *numbers[1:]]).items():  # "00" is 0
            (tmp_path / "set" / name).mkdir(parents=True)
            for i, image in enumerate(made):
                Image.fromarray(image).save(tmp_path / "set" / name / f"{i}.png")
        other = f"folder:{tmp_path}/set"
    found = with_second_test(dataset, with_test2(other, f"folder:{tmp_path}/ours"), tmp_path / "cache")
    assert found.test2 is not None and len(found.test2) > 30
    for image, label in zip(found.test2.images, found.test2.labels, strict=True):
        assert int(dataset.classes[label]) == (int(image.mean()) - 10) // 20
    assert "in their order" not in found.notes[0]


def test_numbers_that_the_other_set_lacks_are_refused(tmp_path):
    data = with_test2(npz(tmp_path / "x.npz", train=images(60, 2, 0)))
    with pytest.raises(DataProblem, match="has no class 2, but 0, 1"):
        with_second_test(ours(("1", "2")), data, tmp_path / "cache")


def test_numbers_are_matched_with_names_in_their_order_and_a_note_says_how(tmp_path):
    data = with_test2(npz(tmp_path / "x.npz", train=images(60, 2, 0)))
    found = with_second_test(ours(("cat", "dog")), data, tmp_path / "cache")
    assert "(0 = cat, 1 = dog)" in found.notes[0]


@pytest.mark.parametrize("kind", ["form and classes", "all trained on"])
def test_what_cannot_be_tested_is_refused_with_all_its_faults(tmp_path, kind):
    if kind == "all trained on":
        train = images(90, 2, 1)
        data, dataset = with_test2(npz(tmp_path / "x.npz", train=images(60, 2, 0), test=train)), ours(train=train)
        codes = ["test2-classes"]
    else:
        image_folder(tmp_path / "set", {"ant": 30, "dog": 40})
        data, dataset, codes = with_test2(f"folder:{tmp_path}/set"), ours(size=16), ["test2-form", "test2-classes"]
    with pytest.raises(DataProblem) as refused:
        with_second_test(dataset, data, tmp_path / "cache")
    assert [m.code for m in refused.value.messages] == codes
    assert {m.place for m in refused.value.messages} == {"data.test2"}


def test_the_data_set_itself_is_no_other_one(tmp_path):
    (tmp_path / "b").mkdir()
    one, same = (npz(tmp_path / name, train=images(60, 2, 0)) for name in ("a.npz", "b/a.npz"))
    with pytest.raises(UsageProblem) as refused:
        identified(small_grid(dataset=one, data={"test2": same}), Lines("g.yaml"))
    assert refused.value.messages[0].code == "test2-is-the-data-set"


def test_trials_are_measured_on_both_and_the_first_is_as_without_the_other(digits, digits_identity, tmp_path):
    """The second test set has the first's images in another order: the same errors."""
    turned = digits.test.take(np.arange(len(digits.test))[::-1])
    data = dataclasses.replace(
        digits_identity, test2=DataIdentity("npz:other.npz", "other"), options=DataOptions(test2="npz:other.npz")
    )
    mlp = {"preset": "mlp", "nimg": 320, "pack": 2, "name": "mlp"}
    spec = small_grid(num_real=[40], draws=1, blocks=[], classifiers=[mlp], data={"test2": "npz:other.npz"})
    made = {}
    for name, identity, dataset in (
        ("without", digits_identity, digits),
        ("with", data, dataclasses.replace(digits, test2=turned)),
    ):
        plan, store = make_plan(spec, identity), Store(str(tmp_path))
        context = WorkerContext(store, dataset, Machine())
        for step in (*plan.generators.values(), *plan.shards.values(), *packs(plan.trials.values())):
            attempt(context, step)
        made[name] = measurements(spec, plan, store), predictions(plan, store)
    before, after = made["without"][0], made["with"][0]
    assert set(after.columns) - set(before.columns) == set(MEASURED2)
    assert (after["status"] == "done").all() and before["test_nll"].tolist() == after["test_nll"].tolist()
    assert after["test2_error"].tolist() == after["test_error"].tolist()
    assert after["balanced_test2_error"].tolist() == pytest.approx(after["balanced_error"].tolist())
    plan = make_plan(spec, data)
    first, second = (
        predictions(plan, Store(str(tmp_path))),
        predictions(plan, Store(str(tmp_path)), "predictions2.safetensors"),
    )
    assert first["key"].tolist() == second["key"].tolist()
    for one, other in zip(first.to_dict("records"), second.to_dict("records"), strict=True):
        assert np.array_equal(one["predicted"], other["predicted"][::-1])


def test_status_of_a_run_with_it_finds_its_trials(tmp_path):
    from synaug_ray.config.spec import write_grid
    from synaug_ray.runs.outputs import status
    from synaug_ray.runs.run import Run, RunState, Session
    from synaug_ray.store.run_folder import RunFolder

    spec = small_grid(data={"test2": npz(tmp_path / "x.npz", train=images(60, 10, 0), test=images(60, 10, 5))})
    plan = make_plan(spec, identified(spec, Lines("g.yaml")))
    run = Run("g", spec, plan, Store(f"{tmp_path}/store"), RunFolder(str(tmp_path), "g"), Session("s", "c", 0.0))
    run.folder.write("grid.yaml", write_grid(spec).encode())
    run.folder.write_json("status.json", status(run, RunState.RUNNING))
    assert read_run_status(f"{tmp_path}/g").plan.trials == plan.trials
