"""Folders whose names say more than a class: splits by other names, masks beside images, copies, classes alike."""

import numpy as np
import pytest
from helpers.image_files import found, image_folder, read, refused, save

from synaug_ray.data.sources.split_words import splits_in

CLASSES = {"cat": 6, "dog": 6}


@pytest.mark.parametrize(
    "names",
    [
        ("training_set", "test_set"),
        ("seg_train", "seg_test"),
        ("train_images", "test_images"),
        ("images_train", "images_val"),
        ("TRAIN", "TEST"),
        ("Training", "Testing"),
        ("train2017", "val2017"),
        ("train", "eval"),
        ("train", "dev"),
        ("train", "validation"),
        ("train", "hold-out"),
        ("train", "test_set"),
        ("trainset", "testset"),
        ("only_train", "extra"),
    ],
)
def test_splits_by_other_names_are_neither_classes_nor_left_out(tmp_path, cache, names):
    """At c5c9f4b training_set and test_set were two classes, and dev beside train was left out."""
    named = [name for name in names if splits_in(name) and name not in ("train", "test")]
    assert found(image_folder(tmp_path, CLASSES, names), cache) == [("split-names", ", ".join(sorted(named)))]


def test_a_refused_layout_says_what_would_not_be_read_too(tmp_path, cache):
    name = image_folder(tmp_path, CLASSES, ("train", "dev"))
    (tmp_path / "train" / "cat" / "x.gif").write_bytes(b"GIF89a")
    layout, unread = refused(name, cache)
    assert "dev (12 images)" in layout and unread == "1 files are not read as images: 1 .gif"


@pytest.mark.parametrize(
    "names", [("crash test", "street"), ("contest", "latest"), ("dev", "ops"), ("validated", "open")]
)
def test_a_class_whose_name_has_such_a_word_is_a_class(tmp_path, cache, names):
    data = read(image_folder(tmp_path, dict.fromkeys(names, 10)), cache)
    assert data.classes == tuple(sorted(names))


def test_images_without_class_folders_beside_the_splits_are_left_out_and_noted(tmp_path, cache):
    """Kaggle's test1: without labels."""
    name = image_folder(tmp_path, CLASSES, ("train", "test"))
    save(tmp_path / "test1" / "1.png", 99)
    note = read(name, cache).notes[0]
    assert note.startswith("1 images are outside any class folder") and note.endswith(": test1/1.png")


def test_splits_inside_the_classes(tmp_path, cache):
    for name in CLASSES:
        image_folder(tmp_path / name, {"train": 6, "test": 3}, start=len(name) * 100)
    inside = "cat/test, cat/train, dog/test, dog/train"
    assert found(f"folder:{tmp_path}", cache) == [("splits-inside-classes", inside)]


def test_a_test_folder_without_labels(tmp_path, cache):
    name = image_folder(tmp_path, {"cat": 10, "dog": 10}, ("train",))
    for i in range(5):
        save(tmp_path / "test" / f"{i}.png", 500 + i)
    assert found(name, cache) == [("unlabelled-split", "test")]
    assert "set data.leave_out: test" in refused(name, cache)[0]
    data = read(name, cache, leave_out="test")
    assert [len(part) for part in (data.train, data.val, data.test)] == [14, 2, 4]
    assert data.notes[0] == "the test split is left out (data.leave_out)"
    assert refused(name, cache, leave_out="val") != []


# --- masks and copies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mask",
    ["{}_mask", "{}_seg", "{}.mask", "{}_gt", "{}_mask_1", "{} Mask", "mask_{}", "{}-segmentation", "{}_GroundTruth"],
)
def test_masks_beside_images_are_refused(tmp_path, cache, mask):
    """As in BUSI, where half of what was trained on was drawings of lesions."""
    name = image_folder(tmp_path, CLASSES)
    for i in range(6):
        save(tmp_path / "cat" / f"{mask.format(f'{i:03}')}.png", 900 + i)
    assert found(name, cache) == [("masks", "6")]
    assert (
        f"6 of 18 images are named like masks of other images (cat/{mask.format('000')}.png" in refused(name, cache)[0]
    )


@pytest.mark.parametrize("folders", [("images", "masks"), ("img", "ground_truth/x"), ("", "segmentation")])
def test_folders_of_masks_are_refused(tmp_path, cache, folders):
    for name in CLASSES:
        for i in range(6):
            for k, folder in enumerate(folders):
                save(tmp_path / name / folder / f"{i}{'_mask' * (k and i % 2)}.png", 1000 * k + i + 50 * len(folder))
    assert found(f"folder:{tmp_path}", cache) == [("masks", "12")]


def test_a_class_of_masks_is_a_class(tmp_path, cache):
    """Face masks, say: no image of another class is called so."""
    image_folder(tmp_path, {"gloves": 10})
    for i in range(10):
        save(tmp_path / "masks" / f"m{i}.png", 70 + i)
        save(tmp_path / "masks" / f"x{i}_mask.png", 170 + i)
    assert read(f"folder:{tmp_path}", cache).classes == ("gloves", "masks")


def test_a_single_mask_and_copies_are_noted(tmp_path, cache):
    name = image_folder(tmp_path, {"cat": 40, "dog": 40})
    save(tmp_path / "cat" / "000_mask.png", 900)
    for i, copy in enumerate(("001 (1)", "002_copy", "003-aug2", "004_hflip", "Copy of 005")):
        save(tmp_path / "cat" / f"{copy}.png", 910 + i)
    for i in range(5):
        save(tmp_path / "dog" / f"dog ({i}).png", 950 + i)  # a series, not copies
    mask, copies = read(name, cache).notes[:2]
    assert mask.startswith("1 of 91 images are named like masks of other images (cat/000_mask.png)")
    assert copies.startswith("5 images are named like copies of other images (cat/001 (1).png, cat/002_copy.png, ")


# --- classes alike ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names,said",
    [
        (("cat", "Cat"), "'Cat' and 'cat'"),
        (("cat", "cat "), "'cat' and 'cat '"),
        (("hot dog", "hot_dog", "Hot-Dog"), "'Hot-Dog' and 'hot dog' and 'hot_dog'"),
        (("ﬁsh", "fish"), "'fish' and 'ﬁsh'"),
    ],
)
def test_classes_that_differ_by_what_is_easily_mistyped_are_noted(tmp_path, cache, names, said):
    data = read(image_folder(tmp_path, dict.fromkeys(names, 10)), cache)
    assert len(data.classes) == len(names)
    assert data.notes[-1].startswith("classes that differ only by") and f": {said}; " in data.notes[-1]


@pytest.mark.parametrize("names", [("A", "a"), ("-1", "1"), ("c", "c++"), ("cat", "cats")])
def test_classes_that_are_others_are_not(tmp_path, cache, names):
    data = read(image_folder(tmp_path, dict.fromkeys(names, 10)), cache)
    assert not any("differ only by" in note for note in data.notes) and np.unique(data.train.labels).tolist() == [0, 1]


@pytest.mark.parametrize("names,said", [(("1", "01", "2"), "'01' and '1'"), (("3.0", "3", "4"), "'3' and '3.0'")])
def test_numbers_written_in_two_ways_are_noted(tmp_path, cache, names, said):
    assert f": {said}; " in read(image_folder(tmp_path, dict.fromkeys(names, 10)), cache).notes[-1]


def test_tens_and_signs_are_other_numbers(tmp_path, cache):
    data = read(image_folder(tmp_path, dict.fromkeys(("1", "10", "-1", "1.5", "100"), 10)), cache)
    assert not any("differ only" in note for note in data.notes)


# --- pairs, deeper classes, folders of other programs --------------------------------------------------------------


def test_additions_to_names_and_one_name_in_two_formats_are_noted(tmp_path, cache):
    name = image_folder(tmp_path, {"cat": 6, "dog": 6})
    for i in range(6):
        save(tmp_path / "cat" / f"{i:03}_depth.png", 900 + i)
    save(tmp_path / "dog" / "000.jpg", 950)
    pairs, formats = read(name, cache).notes[:2]
    assert pairs.startswith("many images are named like another one with an addition: _depth (cat/000_depth.png, ")
    assert formats.startswith("1 images have the name of another one in the same folder, but for the format (dog/000.")


def test_classes_one_folder_deeper_are_noted(tmp_path, cache):
    for i, (top, inner) in enumerate((t, c) for t in ("one", "two") for c in CLASSES):
        for k in range(6):
            save(tmp_path / top / inner / f"{k}.png", 100 * i + k)
    note = read(f"folder:{tmp_path}", cache).notes[0]
    assert note.startswith("all class folders (one, two) hold the same folders (cat, dog): if these are the classes")


def test_bins_of_other_systems_are_no_classes(tmp_path, cache):
    name = image_folder(tmp_path, CLASSES | {"$RECYCLE.BIN": 3, "#recycle": 3, "lost+found": 3})
    assert read(name, cache).classes == ("cat", "dog")


def test_a_class_in_a_format_that_is_not_read_says_so(tmp_path, cache):
    name = image_folder(tmp_path, {"cat": 6})
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "x.gif").write_bytes(b"GIF89a")
    assert refused(name, cache)[-1] == "1 files are not read as images: 1 .gif"
