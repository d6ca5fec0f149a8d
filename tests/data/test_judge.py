"""``data.judge``: images of another source that judge labels; it changes no image, and never sees a test image."""

import dataclasses

import numpy as np
import pytest
from helpers.grids import small_grid
from helpers.image_files import image_folder

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify, identify_judge
from synaug_ray.data.images import Dataset, ImageSet
from synaug_ray.data.judge import judge_images
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.runs.status import read_run_status


def images(count, classes, seed, size=8):
    rng = np.random.default_rng(seed)
    return ImageSet(rng.integers(0, 256, (count, 1, size, size), dtype=np.uint8), np.arange(count) % classes)


def ours(classes=("cat", "dog"), size=8, test=None):
    k = len(classes)
    return Dataset("ours", images(60, k, 1, size), images(20, k, 2, size), test or images(40, k, 3, size), classes)


def npz(path, train, classes, val=None, test=None):
    """A source of other images; ``classes`` are named by ``data.classes`` only if they are given."""
    parts = {"train": train, "val": val or images(20, classes, 5), "test": test or images(20, classes, 6)}
    np.savez(
        path,
        **{f"{k}_images": part.images[:, 0] for k, part in parts.items()},
        **{f"{k}_labels": part.labels.astype(np.uint8)[:, None] for k, part in parts.items()},
    )
    return f"npz:{path}"


def with_judge(judge, **options):
    options = DataOptions(judge=judge, **options)
    return DataIdentity("digits", "fp", options, identify_judge(options))


def test_it_changes_the_keys_of_quality_checks_alone(tmp_path):
    """And ``full``, the default, none at all."""
    other = with_judge(npz(tmp_path / "x.npz", images(60, 2, 0), 2))
    plain, full, judged = (
        make_plan(small_grid(quality_draws=1), data)
        for data in (DataIdentity("digits", "fp"), DataIdentity("digits", "fp", DataOptions(judge="full")), other)
    )
    assert full == plain
    assert all(plain.steps(s).keys() == judged.steps(s).keys() for s in ("generator", "shard", "trial"))
    assert plain.qualities and not plain.qualities.keys() & judged.qualities.keys()
    elsewhere = with_judge(npz(tmp_path / "y.npz", images(60, 2, 9), 2))
    assert not make_plan(small_grid(quality_draws=1), elsewhere).qualities.keys() & judged.qualities.keys()


def test_images_of_train_and_val_are_taken_but_never_one_that_is_tested(tmp_path):
    """Neither a copy of a test image, nor a mirrored or brighter one."""
    theirs, val, test = images(300, 2, 0, 16), images(40, 2, 7, 16), images(60, 2, 3, 16)
    copies = np.concatenate([test.images[:5], test.images[5:10, :, :, ::-1], test.images[10:15] // 2 + 100])
    theirs = ImageSet(np.concatenate([theirs.images, copies]), np.concatenate([theirs.labels, test.labels[:15]]))
    data = with_judge(npz(tmp_path / "x.npz", theirs, 2, val, images(20, 2, 8, 16)))
    found, note = judge_images(ours(size=16, test=test), data, tmp_path / "cache")
    assert "0 = cat, 1 = dog" in note and len(found) == 340 and np.array_equal(found.images[:300], theirs.images[:300])
    assert np.array_equal(found.images[300:], val.images)
    again, _ = judge_images(ours(size=16, test=test), data, tmp_path / "cache")
    assert np.array_equal(found.images, again.images)
    for file in (tmp_path / "cache" / "judges").iterdir():
        file.write_bytes(b"damaged")
    assert len(judge_images(ours(size=16, test=test), data, tmp_path / "cache")[0]) == 340


def test_classes_are_matched_by_name_and_others_left_out(tmp_path):
    image_folder(tmp_path / "set", {"ant": 30, "dog": 40, "cat": 50})
    data = with_judge(f"folder:{tmp_path}/set")
    found, _ = judge_images(ours(("cat", "dog")), data, tmp_path / "cache")
    kept = 0.8 * np.array([50, 40])  # a fifth of its images is its test split
    assert np.bincount(found.labels) == pytest.approx(kept, abs=2)


def test_without_names_they_are_matched_by_number(tmp_path):
    data = with_judge(npz(tmp_path / "x.npz", images(90, 3, 0), 3))
    found, note = judge_images(ours(("a", "b", "c")), data, tmp_path / "cache")
    assert np.bincount(found.labels).tolist() == [37, 37, 36]
    assert "0 = a, 1 = b, 2 = c" in note  # which may be wrong, and only the user knows


@pytest.mark.parametrize("kind", ["form", "classes by name", "classes by number", "only tested"])
def test_what_cannot_judge_is_refused(tmp_path, kind):
    if kind == "form":
        data, dataset = with_judge(npz(tmp_path / "x.npz", images(90, 2, 0), 2)), ours(size=16)
    elif kind == "classes by name":
        image_folder(tmp_path / "set", {"ant": 30, "dog": 40})
        data, dataset = with_judge(f"folder:{tmp_path}/set"), ours()
    elif kind == "classes by number":
        data, dataset = with_judge(npz(tmp_path / "x.npz", images(90, 3, 0), 3)), ours()
    else:
        one, test = images(90, 1, 0), images(80, 2, 3)
        both = ImageSet(
            np.concatenate([one.images, test.images[1::2]]), np.concatenate([one.labels, test.labels[1::2]])
        )
        data = with_judge(npz(tmp_path / "x.npz", both, 2, val=images(20, 1, 5)))
        dataset = ours(test=test)
    with pytest.raises(DataProblem) as refused:
        judge_images(dataset, data, tmp_path / "cache")
    [message] = refused.value.messages
    assert message.place == "data.judge" and message.code == ("judge-form" if kind == "form" else "judge-classes")
    wanted = {"form": "16 x 16", "classes by name": "cat", "classes by number": "3 classes", "only tested": "dog"}
    assert wanted[kind] in message.text


def test_options_that_do_not_apply_to_it_are_not_asked_of_it(tmp_path):
    image_folder(tmp_path / "set", {"cat": 10, "dog": 10})
    options = DataOptions(judge="digits", size=16, mode="gray", ground="black", group="(a)", split_seed=3)
    assert identify_judge(options) == DataIdentity(
        "digits", identify("digits", DataOptions()).fingerprint, DataOptions(size=16, mode="gray")
    )
    folder = identify_judge(options.model_copy(update={"judge": f"folder:{tmp_path}/set"}))
    assert folder is not None and folder.options == DataOptions(size=16, mode="gray", ground="black")


def test_status_of_a_run_with_another_judge_finds_its_quality_checks(tmp_path):
    from synaug_ray.config.spec import write_grid
    from synaug_ray.runs.outputs import status
    from synaug_ray.runs.run import Run, RunState, Session
    from synaug_ray.store.run_folder import RunFolder
    from synaug_ray.store.store import Store

    judge = npz(tmp_path / "x.npz", images(60, 10, 0), 10)
    spec = small_grid(quality_draws=1, data={"judge": judge})
    digits = identify("digits", spec.data)
    plan = make_plan(spec, dataclasses.replace(digits, judge=identify_judge(spec.data)))
    run = Run("g", spec, plan, Store(f"{tmp_path}/store"), RunFolder(str(tmp_path), "g"), Session("s", "c", 0.0))
    run.folder.write("grid.yaml", write_grid(spec).encode())
    run.folder.write_json("status.json", status(run, RunState.RUNNING))
    assert plan.qualities and read_run_status(f"{tmp_path}/g").plan.qualities == plan.qualities
