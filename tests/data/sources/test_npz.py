"""MedMNIST's layout: what is read, and that no header, object or bomb in an archive is believed."""

import shutil

import numpy as np
import pytest
from helpers.image_files import bag, counts, found, pixels, read, refused

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify


def medmnist(path, change=lambda arrays: None, shape=(28, 28), classes=3, **splits):
    """A file as MedMNIST's are: uint8 [N, 28, 28(, 3)] and uint8 [N, 1]."""
    rng, arrays = np.random.default_rng(0), {}
    for split, count in (splits or {"train": 60, "val": 12, "test": 18}).items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % classes).astype(np.uint8)[:, None]
    change(arrays)
    np.savez_compressed(path, **arrays)
    return arrays


def test_medmnist_layout(tmp_path, cache):
    arrays = medmnist(tmp_path / "blood.npz", shape=(28, 28, 3))
    data = read(f"npz:{tmp_path / 'blood.npz'}", cache)
    assert data.name == "blood" and data.shape == (3, 28, 28) and data.classes == ("0", "1", "2")
    assert (len(data.train), len(data.val), len(data.test)) == (60, 12, 18)
    assert (data.test.images[5].transpose(1, 2, 0) == arrays["test_images"][5]).all()
    assert (data.train.labels == arrays["train_labels"][:, 0]).all() and data.train.labels.dtype == np.int64


def test_classes_are_named_by_the_option_and_numbers_stay_as_they_are(tmp_path, cache):
    medmnist(tmp_path / "x.npz")
    name, named = f"npz:{tmp_path / 'x.npz'}", DataOptions(classes=("cat", "dog", "owl"))
    assert DataOptions().fields() == DataOptions(classes=()).fields() and "classes" not in DataOptions().fields()
    plain, data = read(name, cache), read(name, cache, classes=("cat", "dog", "owl"))
    assert plain.classes == ("0", "1", "2") and data.classes == ("cat", "dog", "owl")
    assert (data.train.labels == plain.train.labels).all() and (data.train.images == plain.train.images).all()
    assert identify(name, named).key != identify(name, DataOptions()).key
    assert read(name, cache, classes=("cat", "dog", "owl")).classes == data.classes  # from the cache
    (said,) = refused(name, cache, classes=("cat", "dog"))
    assert "2 names (cat, dog) for 3 classes, numbered 0 to 2" in said


@pytest.mark.parametrize("wrong", [("a", "a"), ("", "b"), (" a", "b"), ("a\n", "b"), (1, 2), "a"])
def test_names_that_are_none(wrong):
    with pytest.raises(ValueError, match="classes"):
        DataOptions.model_validate({"classes": wrong})


def test_an_array_that_may_name_groups_is_told(tmp_path, cache):
    def change(arrays):
        arrays["train_patient"], arrays["test_patient"] = np.arange(60) // 2, 100 + np.arange(18)
        arrays["train_age"] = np.linspace(0, 1, 60)  # no group: fractions
        arrays["train_all"] = np.arange(7)  # not one for each image

    medmnist(tmp_path / "x.npz", change)
    name = f"npz:{tmp_path / 'x.npz'}"
    (said,) = [note for note in read(name, cache).notes if "array" in note]
    assert said.startswith("array train_patient is not read") and said.endswith("set data.group: patient")
    change_all = lambda arrays: (change(arrays), arrays.update(val_patient=200 + np.arange(12)))  # noqa: E731
    medmnist(tmp_path / "y.npz", change_all)
    data = read(f"npz:{tmp_path / 'y.npz'}", cache, group="patient")
    assert (
        data.groups is not None and len(np.unique(data.groups[0])) == 30 and not any("array" in n for n in data.notes)
    )


def test_grey_npz_and_size_and_mode(tmp_path, cache):
    medmnist(tmp_path / "x.npz")
    name = f"npz:{tmp_path / 'x.npz'}"
    assert read(name, cache).shape == (1, 28, 28)
    assert read(name, cache, size=14, mode="rgb").shape == (3, 14, 14)
    assert identify(name, DataOptions(size=14)).key != identify(name, DataOptions()).key


def test_without_splits_of_its_own(tmp_path, cache):
    medmnist(tmp_path / "x.npz", train=60)
    data = read(f"npz:{tmp_path / 'x.npz'}", cache)
    assert (len(data.train), len(data.val), len(data.test)) == (43, 5, 12)


def drop(*names):
    return lambda arrays: [arrays.pop(n) for n in names]


def put(name, value):
    return lambda arrays: arrays.update({name: value(arrays[name])})


@pytest.mark.parametrize(
    "change",
    [
        put("train_images", np.asfortranarray),
        put("train_images", lambda a: a[..., None]),
        put("train_labels", lambda a: a[:, 0]),
        put("train_labels", lambda a: a.astype(">i8")),
        put("train_labels", lambda a: a.astype(np.uint64)),
        lambda arrays: arrays.update(note=np.array("free text")),
        lambda arrays: arrays.update(class_names=np.array(["a", "b"], dtype=object)),
    ],
)
def test_what_makes_no_difference(tmp_path, cache, change):
    medmnist(tmp_path / "x.npz")
    medmnist(tmp_path / "y.npz", change)
    x, y = (read(f"npz:{tmp_path / name}", cache) for name in ("x.npz", "y.npz"))
    assert bag(x.train) == bag(y.train) and (x.train.labels == y.train.labels).all() and x.shape == y.shape


def test_yes_and_no_are_two_classes(tmp_path, cache):
    medmnist(tmp_path / "x.npz", lambda arrays: [arrays.update({n: arrays[n] > 0}) for n in arrays if "labels" in n])
    medmnist(
        tmp_path / "y.npz",
        lambda arrays: [arrays.update({n: (arrays[n] > 0).astype(int)}) for n in arrays if "labels" in n],
    )
    flags, numbers = (read(f"npz:{tmp_path / name}", cache) for name in ("x.npz", "y.npz"))
    assert (flags.train.labels == numbers.train.labels).all() and flags.classes == numbers.classes == ("0", "1")


def test_groups_lie_beside_the_images(tmp_path, cache):
    """Patients of four images each, ``train_patient``."""
    medmnist(
        tmp_path / "x.npz",
        lambda arrays: arrays.update(
            train_labels=np.repeat(np.arange(30) % 3, 4), train_patient=np.repeat(np.arange(30), 4)
        ),
        train=120,
    )
    data = read(f"npz:{tmp_path / 'x.npz'}", cache, group="patient")
    assert data.groups is not None and not set(data.groups[0]) & (set(data.groups[1]) | set(data.groups[2]))
    assert [len(np.unique(g)) * 4 for g in data.groups] == [len(data.train), len(data.val), len(data.test)]
    assert found(f"npz:{tmp_path / 'x.npz'}", cache, group="site") == [("missing-array", "train_site")]


@pytest.mark.parametrize(
    "change,code,value",
    [
        (drop("train_labels"), "no-train-split", ""),
        (drop("val_labels"), "missing-array", "val_labels"),
        (put("train_labels", lambda a: a * 2), "label-gap", "0, 1, 2, 4"),
        (put("train_labels", lambda a: a.astype(np.int64) - 1), "label-out-of-range", "-1"),
        (put("train_labels", lambda a: a.astype(float)), "label-not-an-integer", "float64 [60, 1]"),
        (put("train_labels", lambda a: np.where(a == 1, np.nan, a)), "label-not-an-integer", "nan"),
        (put("train_labels", lambda a: a.astype(str)), "label-type", "<U3 [60, 1]"),
        (put("train_labels", lambda a: a.astype(np.uint64) + 2**63), "label-out-of-range", "9223372036854775810"),
        (put("train_labels", lambda a: np.repeat(a, 14, axis=1)), "multi-label", "uint8 [60, 14]"),
        (put("train_images", lambda a: np.repeat(a[:, None], 28, axis=1)), "data-kind", "uint8 [60, 28, 28, 28]"),
        (put("train_images", lambda a: np.repeat(a[:, None], 3, axis=1)), "image-channels", "uint8 [60, 3, 28, 28]"),
        (put("train_images", lambda a: np.repeat(a[..., None], 4, axis=3)), "image-channels", "uint8 [60, 28, 28, 4]"),
        (put("train_images", lambda a: a.astype(np.float32) / 255), "image-type", "float32 [60, 28, 28]"),
        (put("train_images", lambda a: a.astype(np.uint16)), "image-type", "uint16 [60, 28, 28]"),
        (put("train_images", lambda a: a.astype(bool)), "image-type", "bool [60, 28, 28]"),
        (put("train_images", lambda a: a[:, :, 0]), "image-shape", "uint8 [60, 28]"),
        (put("train_images", lambda a: a[:, :0]), "image-shape", "uint8 [60, 0, 28]"),
        (put("train_images", lambda a: a[:, :1].astype(np.float32)), "signals", "float32 [60, 1, 28]"),
        (put("train_images", lambda a: a[:, :, :1]), "signals", "uint8 [60, 28, 1]"),
        (put("train_images", lambda a: a[:50]), "unequal-lengths", ""),
        (put("test_images", lambda a: a[:, :20, :20]), "mixed-sizes", "train 28 x 28, val 28 x 28, test 20 x 20"),
        (put("train_images", lambda a: a.astype(object)), "data-damaged", ""),
        (
            lambda arrays: arrays.update(test_images=arrays["test_images"][:0], test_labels=arrays["test_labels"][:0]),
            "unequal-lengths",
            "",
        ),
        (
            lambda arrays: arrays.update({k: a[:, :20] for k, a in arrays.items() if k.endswith("images")}),
            "not-square",
            "28 x 20",
        ),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, cache, change, code, value):
    medmnist(tmp_path / "x.npz", change)
    assert found(f"npz:{tmp_path / 'x.npz'}", cache) == [(code, value)]


def test_everything_wrong_at_once(tmp_path, cache):
    def change(arrays):
        arrays["train_images"] = arrays["train_images"].astype(float)
        arrays["val_labels"] = np.repeat(arrays["val_labels"], 2, axis=1)
        arrays.pop("test_labels")

    medmnist(tmp_path / "x.npz", change)
    assert len(refused(f"npz:{tmp_path / 'x.npz'}", cache)) == 3


def test_one_class(tmp_path, cache):
    medmnist(tmp_path / "x.npz", classes=1)
    assert found(f"npz:{tmp_path / 'x.npz'}", cache) == [("too-few-classes", "0")]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataProblem, match="no such file; name one .npz file .* dataset=npz:/path/to/"):
        identify(f"npz:{tmp_path / 'x.npz'}", DataOptions())


def test_one_byte_changes_the_fingerprint_and_the_folder_does_not(tmp_path):
    medmnist(tmp_path / "x.npz")
    first = identify(f"npz:{tmp_path / 'x.npz'}", DataOptions())
    (tmp_path / "sub").mkdir()
    shutil.copy(tmp_path / "x.npz", tmp_path / "sub" / "x.npz")
    assert identify(f"npz:{tmp_path / 'sub' / 'x.npz'}", DataOptions()).key == first.key
    with open(tmp_path / "x.npz", "ab") as file:
        file.write(b"\0")
    assert identify(f"npz:{tmp_path / 'x.npz'}", DataOptions()).key != first.key


def test_the_real_pneumonia_file(shared_data, cache):
    """Chest X-rays, as published: the counts are those of its README."""
    file = shared_data / "pneumonia-28.npz"
    if not file.is_file():
        pytest.skip(f"{file} is absent")
    data = read(f"npz:{file}", cache)
    assert data.shape == (1, 28, 28) and data.classes == ("0", "1")
    assert counts(data)[0] == [388, 3_494] and counts(data)[2] == [234, 390] and len(data.val) == 524
    assert 100 < data.train.images.mean() < 180  # X-rays, not noise and not blank


# --- images without labels, splits by other names ---------------------------------------------------------------


@pytest.mark.parametrize("hidden", [np.full(6, -1), np.full(6, np.nan)])
def test_a_test_split_without_labels(tmp_path, cache, hidden):
    arrays = {f"{s}_images": np.stack([pixels(100 * k + i) for i in range(n)]) for k, (s, n) in enumerate(SIZES)}
    np.savez(tmp_path / "x.npz", train_labels=np.arange(20) % 2, test_labels=hidden, **arrays)
    (sentence,) = refused(f"npz:{tmp_path / 'x.npz'}", cache)
    assert "set data.leave_out: test" in sentence
    data = read(f"npz:{tmp_path / 'x.npz'}", cache, leave_out="test")
    assert len(data.test) == 4 and "the test split is left out (data.leave_out)" in data.notes
    assert found(f"npz:{tmp_path / 'x.npz'}", cache, leave_out=("test", "val")) == [("no-such-split", "val")]


@pytest.mark.parametrize("name", ["valid", "validation", "testing", "dev", "eval", "TEST"])
def test_arrays_of_a_split_by_another_name_are_not_left_out(tmp_path, cache, name):
    arrays = {f"{s}_images": np.stack([pixels(100 * k + i) for i in range(n)]) for k, (s, n) in enumerate(SIZES[:1])}
    more = {f"{name}_images": arrays["train_images"][:6], f"{name}_labels": np.arange(6) % 2}
    np.savez(tmp_path / "x.npz", train_labels=np.arange(20) % 2, **arrays, **more)
    assert found(f"npz:{tmp_path / 'x.npz'}", cache) == [("split-names", f"{name}_images, {name}_labels")]


SIZES = (("train", 20), ("test", 6))
