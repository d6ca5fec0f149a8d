"""The audit: each fault planted in a sound set is named, a sound set has none."""

import json

import numpy as np
import pytest

from synaug_ray.analysis import trials as analysis
from synaug_ray.data.audit.audit import audit, table
from synaug_ray.data.audit.duplicate_rows import label_row
from synaug_ray.data.audit.rows import BALANCED
from synaug_ray.data.duplicates import find
from synaug_ray.data.duplicates.planted import changed
from synaug_ray.data.images import Dataset, Found, ImageSet, joined
from tests.data.duplicates.test_alignment import natural

CLASSES = ("cat", "dog", "owl")


def part(count, seed, labels=None):
    given = np.arange(count) % 3 if labels is None else np.asarray(labels)
    return ImageSet(natural(count, 16, 1, seed), given.astype(np.int64))


def sound(**changes):
    return Dataset(
        **{"name": "set", "train": part(240, 0), "val": part(60, 1), "test": part(150, 2), "classes": CLASSES} | changes
    )


def rows(dataset):
    return {row.what: row for row in audit(dataset).rows}


@pytest.fixture(scope="module", autouse=True)
def few_samples():
    """A tenth of the time: these tests are of what is said, not of how well copies are found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(find, "PLANTED", 10)
        patch.setattr(find, "ACROSS", 60)
        yield


@pytest.fixture(scope="module")
def plain():
    return audit(sound())


def test_a_sound_set(plain):
    assert plain.warnings[1:] == () and plain.warnings[0].what == "smallest gain shown"  # 150 images are few
    found = {row.what: row for row in plain.rows}
    assert found["images"].value == "train 240, val 60, test 150" and found["images"].means == "16 x 16 pixels, grey."
    assert found["test images in train"].level == "ok" and found["duplicates in train"].value == "0 exact, 0 near"
    assert (
        found["labels of duplicates"].level == "ok" and found["groups"].value == found["groups"].level == "not checked"
    )
    assert plain.numbers["distinct_train"] == 240 and plain.numbers["judged"] == "test_error"
    assert plain.numbers["class_counts"]["train"] == [80, 80, 80]


def test_it_is_kept_as_json(plain):
    kept = json.loads(json.dumps(plain.to_json(), allow_nan=False))
    assert set(kept) == {"dataset", "rows", "numbers", "seconds", "method"}
    assert kept["rows"][0] == {
        "what": "images",
        "value": "train 240, val 60, test 150",
        "means": "16 x 16 pixels, grey.",
        "level": "ok",
    }
    assert kept["numbers"]["duplicates"]["test in train"]["searched"] == 150
    assert kept["seconds"]["total"] >= max(kept["seconds"].values()) > 0


def test_it_is_printed_in_a_hundred_columns(plain):
    lines = table(plain).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("audit    set, ") and any(line.startswith("WARNING  smallest gain") for line in lines)


def test_test_images_in_train():
    dataset = sound()
    dataset.test.images[:4] = dataset.train.images[:4]
    dataset.test.images[4:10] = changed(dataset.train.images[4:10], "mirrored", np.random.default_rng(0))
    found = audit(dataset)
    row = next(row for row in found.rows if row.what == "test images in train")
    assert row.level == "warning" and row.value == "4 exact, 6 near"
    assert "10 of 150 test images (6.7%)" in row.means and "data.duplicates: drop-test" in row.means
    numbers = found.numbers["duplicates"]["test in train"]
    assert numbers["images"] == list(range(10)) and sorted(e[0] for e in numbers["examples"]) == list(range(4, 10))


def test_duplicates_inside_train_make_it_smaller_than_it_looks():
    dataset = sound()
    dataset.train.images[120:] = dataset.train.images[:120]
    row = rows(dataset)["duplicates in train"]
    assert (
        row.level == "warning" and "Only 120 of 240 training images are different" in row.means and "50.0%" in row.means
    )


def test_duplicates_inside_test():
    dataset = sound()
    dataset.test.images[149] = dataset.test.images[0]
    row = rows(dataset)["duplicates in test"]
    assert row.level == "note" and row.value == "1 exact, 0 near"


def test_labels_that_contradict_each_other():
    dataset = sound()
    dataset.train.images[100] = dataset.train.images[0]  # 100 is a dog, 0 a cat
    dataset.train.images[3] = dataset.train.images[6]  # both cats
    found = audit(dataset)
    row = next(row for row in found.rows if row.what == "labels of duplicates")
    assert row.level == "warning" and row.value == "1 exact, 0 near differ"
    assert "train[100] (dog) = train[0] (cat)" in row.means
    assert found.numbers["conflicting_labels"]["inside train"] == [[100, 0]]


def test_duplicates_and_contradictions_are_listed_by_file():
    names = tuple(joined([f"{split}/é {i}.png" for i in range(n)]) for split, n in (("a", 240), ("b", 60), ("c", 150)))
    dataset = sound(names=names)
    dataset.train.images[100] = dataset.train.images[0]  # 100 is a dog, 0 a cat
    dataset.test.images[7] = dataset.train.images[5]  # a dog and an owl
    found = audit(dataset)
    row = {row.what: row for row in found.rows}
    assert "c/é 7.png = a/é 5.png" in row["test images in train"].means
    assert "a/é 100.png = a/é 0.png" in row["duplicates in train"].means
    for pair in ("a/é 100.png (dog) = a/é 0.png (cat)", "c/é 7.png (dog) = a/é 5.png (owl)"):
        assert pair in row["labels of duplicates"].means
    assert found.numbers["duplicates"]["test in train"]["pairs"] == [["c/é 7.png", "a/é 5.png"]]
    assert found.numbers["conflicting_labels_by_name"] == [
        {"image": "a/é 100.png", "class": "dog", "like": "a/é 0.png", "class_of_like": "cat"},
        {"image": "c/é 7.png", "class": "dog", "like": "a/é 5.png", "class_of_like": "owl"},
    ]


def test_few_contradictions_among_many_near_duplicates_are_chance():
    """Three of CIFAR-10's 2,125 near pairs differed in class: each was of two different things, seen by eye."""
    near = np.stack([np.arange(1, 201), np.zeros(200, np.int64)], 1)
    found = {
        "inside train": find.Duplicates(
            np.zeros((0, 2), np.int64), near, np.ones(200), np.zeros(200, bool), searched=9_000, expected_false=4.0
        )
    }
    dataset = sound()
    assert label_row(dataset, {"inside train": near[:4]}, found).level == "note"
    assert label_row(dataset, {"inside train": near[:5]}, found).level == "warning"


def test_groups_on_both_sides():
    apart = (np.arange(240), 1_000 + np.arange(60), 2_000 + np.arange(150))
    assert rows(sound(groups=apart))["groups"].level == "ok"
    shared = (np.arange(240), 1_000 + np.arange(60), 235 + np.arange(150) // 2)
    row = rows(sound(groups=shared))["groups"]
    assert row.level == "warning" and "5 of 75 test groups (10 images) are also in train" in row.means


def test_a_class_that_a_split_lacks():
    found = rows(sound(test=part(150, 2, np.arange(150) % 2)))
    row = found["classes not in test"]
    assert row.level == "warning" and "No test image of owl" in row.means and "classes not in train" not in found


def test_unbalanced_classes_are_judged_by_the_balanced_error():
    uneven = audit(sound(test=part(150, 2, np.repeat([0, 1, 2], [90, 45, 15]))))
    found = {row.what: row for row in uneven.rows}
    assert found["largest over smallest"].value == "train 1.0, test 6.0"
    assert "use the balanced error" in found["largest over smallest"].means
    assert "owl has 15 test images" in found["and in one class"].means
    assert uneven.numbers["judged"] == "balanced_error"
    assert uneven.numbers["smallest_gain"] > audit(sound()).numbers["smallest_gain"]
    shift = found["train and test shares"]
    assert (
        shift.value == "27 points apart"
        and "cat is 33% of the training images and 60% of the test images" in shift.means
    )


def test_the_rule_for_the_balanced_error_is_the_analysis_own():
    """Rooms that may not import each other: the number stands twice."""
    assert BALANCED == analysis.UNBALANCED


def test_what_was_read_before_it_was_made_one_size():
    before = Found(num_sizes=2, smallest=(16, 16), largest=(1024, 768), modes=(("RGB", 440), ("L", 10)))
    found = rows(sound(found=before, dropped=("a/b.png",)))
    assert found["sizes before resizing"].value == "2, 16 x 16 to 1024 x 768"
    assert found["search for copies"].level == "note" and "1024 x 768" in found["search for copies"].means
    assert found["modes before reading"].value == "440 RGB, 10 L"
    assert "a/b.png" in found["files left out"].means


def test_progress_is_told():
    told = []
    audit(sound(), tell=lambda what, share: told.append((what, share)))
    assert {what for what, _ in told} == {"inside train", "test in train", "inside test"}
    assert all(0 < share <= 1 for _, share in told)


def test_digits_are_too_small_to_tell(digits):
    found = {row.what: row for row in audit(digits).rows}
    assert "At 8 x 8 pixels these images are too similar" in found["near duplicates"].means
    assert found["smallest gain shown"].value == "2.9 points"
