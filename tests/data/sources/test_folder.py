"""Folders of images: what is a class, what is a split, and what is said of those that cannot be used."""

import numpy as np
import pytest
from helpers.image_files import bag, counts, found, image_folder, pixels, read, refused, save
from PIL import Image

from synaug_ray.common.errors import DataProblem, UsageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify


def test_a_folder_without_splits_is_split_in_class_proportion(tmp_path, cache):
    data = read(image_folder(tmp_path / "pets", {"cat": 60, "dog": 30}), cache)
    assert data.classes == ("cat", "dog") and data.name == "pets" and data.shape == (1, 8, 8)
    # a fifth to test, then a tenth of the rest to validate
    assert counts(data) == [[43, 22], [5, 2], [12, 6]]
    assert len(set(bag(data.train, data.val, data.test))) == 90


def test_how_much_is_held_out_can_be_said(tmp_path, cache):
    name = image_folder(tmp_path, {"cat": 60, "dog": 30})
    assert counts(read(name, cache, holdout=0.5))[2] == [30, 15]
    image_folder(tmp_path / "own", {"cat": 10, "dog": 10}, ("train", "test"))
    (sentence,) = refused(f"folder:{tmp_path / 'own'}", cache, holdout=0.5)
    assert sentence == "data.holdout: 0.5 does not apply: this set has test images of its own; remove it"


def test_labels_belong_to_their_images(tmp_path, cache):
    """Cats are dark and dogs are bright; whatever is shuffled, that must stay."""
    for i in range(20):
        for name, value in (("cat", 10 + i), ("dog", 200 + i)):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(np.full((4, 4), value, np.uint8)).save(tmp_path / name / f"{i}.png")
    data = read(f"folder:{tmp_path}", cache)
    for part in (data.train, data.val, data.test):
        assert ((part.images.mean((1, 2, 3)) > 128) == (part.labels == 1)).all()


def test_a_folder_with_splits_is_taken_as_it_is(tmp_path, cache):
    image_folder(tmp_path, {"a": 9, "b": 4}, ("train",))
    image_folder(tmp_path, {"a": 3, "b": 2}, ("val",))
    image_folder(tmp_path, {"a": 2, "b": 5}, ("test",))
    data = read(f"folder:{tmp_path}", cache)
    assert counts(data) == [[9, 4], [3, 2], [2, 5]]
    assert data.train.images[0, 0].tolist() == pixels(0).tolist()
    assert data.train.images[9, 0].tolist() == pixels(9).tolist()  # the first of class b


def test_a_folder_with_train_and_test_gives_up_a_part_of_train(tmp_path, cache):
    data = read(image_folder(tmp_path, {"a": 20, "b": 20}, ("train", "test")), cache)
    assert (len(data.train), len(data.val), len(data.test)) == (36, 4, 40)


# --- groups -----------------------------------------------------------------------------------------------------


def patients(root, per_class=30, images=3):
    for label in ("ill", "well"):
        for patient in range(per_class):
            for i in range(images):
                save(root / label / f"{label[0]}{patient:02}_{i}.png", patient * 100 + i)
    return f"folder:{root}"


def test_patients_are_not_split(tmp_path, cache):
    data = read(patients(tmp_path), cache, group="([iw][0-9]+)_")
    assert data.groups is not None and [len(g) for g in data.groups] == [len(data.train), len(data.val), len(data.test)]
    sides = [set(g.tolist()) for g in data.groups]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert len(sides[0] | sides[1] | sides[2]) == 60
    assert 33 <= len(data.test) <= 39 and abs(counts(data)[2][0] - counts(data)[2][1]) <= 6  # a fifth is 36
    for groups, part in zip(data.groups, (data.train, data.val, data.test), strict=True):
        assert all(len(set(part.labels[groups == g].tolist())) == 1 for g in set(groups.tolist()))


def test_without_groups_patients_are_split():
    """Else the test above could say nothing: 60 patients of 3 images, a fifth held out by image."""
    from synaug_ray.data.splits import held_out

    labels, groups = np.repeat([0, 1], 90), np.repeat(np.arange(60), 3)
    held = held_out(labels, None, 36, 0, ("a", "b"))
    assert set(groups[held]) & set(np.delete(groups, held))


@pytest.mark.parametrize(
    "rule,said",
    [
        ("(", "data.group '(' is not a regular expression (missing ), unterminated subpattern"),
        ("p[0-9]+", "data.group 'p[0-9]+' has 0 groups in parentheses; expected one"),
        ("(a)(b)", "data.group '(a)(b)' has 2 groups in parentheses; expected one"),
    ],
)
def test_a_rule_for_groups_that_is_none(tmp_path, rule, said):
    name = image_folder(tmp_path, {"a": 3, "b": 3})
    with pytest.raises(UsageProblem) as caught:
        identify(name, DataOptions(group=rule), "g.yaml")
    assert str(caught.value).startswith(f"g.yaml: {said}")


def test_a_rule_that_does_not_fit_every_file(tmp_path, cache):
    name = patients(tmp_path)
    save(tmp_path / "ill" / "scan.png", 7)
    (sentence,) = refused(name, cache, group="([iw][0-9]+)_")
    assert sentence == "data.group '([iw][0-9]+)_' does not match 1 of 181 paths: ill/scan.png"


def test_a_class_of_one_patient(tmp_path, cache):
    name = patients(tmp_path)
    for i in range(9):
        save(tmp_path / "rare" / f"i99_{i}.png", 7 + i)
    (sentence,) = refused(name, cache, group="([iw][0-9]+)_")
    assert sentence.startswith("1 of 3 classes have only one group (rare): too few to hold any out")


# --- what is wrong ----------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataProblem, match="no such folder"):
        identify(f"folder:{tmp_path / 'nowhere'}", DataOptions())


def test_a_folder_without_images(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    (tmp_path / "train" / "cat" / "scan.dcm").write_text("x")
    with pytest.raises(DataProblem, match=r"has no images; expected .*/train/<class>/\*.png .*; found 1 .dcm"):
        identify(f"folder:{tmp_path}", DataOptions())


def test_one_class_is_no_task(tmp_path, cache):
    assert found(image_folder(tmp_path / "a", {"cat": 10}), cache) == [("too-few-classes", "1")]
    save(tmp_path / "flat" / "x.png", 0)
    assert found(f"folder:{tmp_path / 'flat'}", cache)[0] == ("too-few-classes", "0")


def test_a_folder_around_the_folder_is_pointed_out(tmp_path, cache):
    image_folder(tmp_path / "archive", {"cat": 10, "dog": 10}, ("train", "test"))
    assert found(f"folder:{tmp_path}", cache) == [("too-few-classes", "1")]
    assert (
        f"if these are the classes or the splits, use folder:{tmp_path}/archive"
        in refused(f"folder:{tmp_path}", cache)[0]
    )


def test_empty_class_folders_are_told(tmp_path, cache):
    name = image_folder(tmp_path, {"naevus": 10, "other": 10})
    (tmp_path / "melanoma").mkdir()
    assert found(name, cache) == [("empty-class", "melanoma")]


def test_hidden_files_and_folders_are_no_data(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    before = identify(name, DataOptions())
    save(tmp_path / ".ipynb_checkpoints" / "x.png", 7)
    save(tmp_path / "__MACOSX" / "x.png", 7)
    save(tmp_path / "a" / ".hidden.png", 7)
    assert identify(name, DataOptions()) == before and read(name, cache).classes == ("a", "b")


def test_a_class_of_test_that_train_lacks(tmp_path, cache):
    image_folder(tmp_path, {"Cat": 5, "b": 5}, ("train",))
    image_folder(tmp_path, {"cat": 5, "b": 5}, ("test",))
    assert found(f"folder:{tmp_path}", cache) == [("unknown-class", "cat")]
    assert refused(f"folder:{tmp_path}", cache)[0].endswith("Did you mean 'Cat'?")


def test_test_without_train(tmp_path, cache):
    image_folder(tmp_path, {"a": 5, "b": 5}, ("test", ""))
    assert found(f"folder:{tmp_path}", cache) == [("no-train-split", "test")]


def test_an_empty_split(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10}, ("train",))
    (tmp_path / "test").mkdir()
    assert found(name, cache) == [("empty-split", "test")]


@pytest.mark.parametrize("names", [("Train", "Test"), ("train", "validation")])
def test_folders_that_look_like_splits_are_no_classes(tmp_path, cache, names):
    name = image_folder(tmp_path, {"cat": 1, "dog": 1}, names)
    ((code, value),) = found(name, cache)
    assert code == "split-names" and names[1] in value


@pytest.mark.parametrize(
    "numbers,said",
    [
        ({"a": 30, "b": 1}, "1 of 2 classes have only one image (b): too few to hold any out"),
        ({"a": 2, "b": 2}, "2 of 2 classes have only one image (a, b): too few to hold any out"),
    ],
)
def test_too_few_images_to_split(tmp_path, cache, numbers, said):
    (sentence,) = refused(image_folder(tmp_path, numbers), cache)
    assert sentence.startswith(said) and "provide the splits yourself" in sentence


def test_folders_of_patients_are_no_classes(tmp_path, cache):
    name = image_folder(tmp_path, {f"patient{i:03}": 1 for i in range(101)}, size=(2, 2))
    assert found(name, cache) == [("not-classes", "101")]


def test_everything_wrong_with_a_folder_at_once(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 5, "b": 5}, ("train", "test"))
    (tmp_path / "train" / "c").mkdir()
    save(tmp_path / "test" / "z" / "1.png")
    (tmp_path / "train" / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert found(name, cache, group="/(x)") == [
        ("broken-link", ""),
        ("empty-class", "c"),
        ("unknown-class", "z"),
        ("group-not-matched", "'/(x)'"),
    ]
