"""What a plan needs and the data do not have: each is reported before anything starts."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.tiny_base import base_folder

from synaug_ray.config.load import validate_grid
from synaug_ray.config.yaml_source import Lines
from synaug_ray.data.audit.checks import describe, problems
from synaug_ray.data.images import Dataset, Found, ImageSet
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.subset import DataIdentity


def dataset(*counts, size=8):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    part = ImageSet(np.random.default_rng(0).integers(0, 256, (len(labels), 1, size, size), np.uint8), labels)
    return Dataset("set", part, part, part, tuple("abcdef"[: len(counts)]))


def found(data, **values):
    """The messages about a data set, for a small grid with changed values."""
    base = {
        "dataset": "digits",
        "num_real": [20],
        "synthetic_multiples": [0, 1],
        "generators": ["duplicate"],
        "classifiers": ["mlp"],
        "draws": 2,
        "seeds": 1,
    }
    spec = validate_grid(base | values, Lines("g.yaml"))
    return problems(make_plan(spec, DataIdentity("digits", "fp")), data)


def said(data, **values):
    """(code, place, value) of the messages."""
    return [(message.code, message.place, message.value) for message in found(data, **values)]


def test_nothing_to_say():
    assert said(dataset(50, 50), num_real=[20, 100], generators=["duplicate", "jitter", "edm-tiny"]) == []


def test_more_than_there_is():
    assert said(dataset(50, 50), num_real=[100, 101, 5_000]) == [
        ("too-many-real", "num_real", "101"),
        ("too-many-real", "num_real", "5,000"),
    ]
    assert "the training split has 100 images" in found(dataset(50, 50), num_real=[101])[0].text


def test_more_than_a_balanced_subset_can_hold():
    (message,) = found(dataset(90, 7), stratify="balanced", num_real=[14, 20])
    assert (message.code, message.value) == ("too-many-real", "20")
    assert "class b has 7 training images" in message.text and "at most 14" in message.text


def test_a_class_without_training_images():
    assert said(dataset(90, 0, 10)) == [("empty-class", "set", "b")]


def test_a_subset_that_may_hold_none_of_a_class():
    """A class of 2 in 100 has at least one image for certain from 50 on."""
    (message,) = found(dataset(98, 2), num_real=[49, 50])
    assert (message.code, message.value) == ("too-few-real", "49")
    assert "class b (2 of 100)" in message.text and "use 50 or more" in message.text
    assert said(dataset(98, 2), num_real=[4], stratify="balanced") == []


@pytest.mark.parametrize("trained_on,problem", [(100, []), (101, [("too-many-real", "generators", "101")])])
def test_a_generator_trained_on_more_than_there_is(trained_on, problem):
    assert said(dataset(50, 50), generators=[{"preset": "edm-tiny", "trained_on": trained_on}]) == problem


@pytest.mark.parametrize(
    "generator",
    [
        "real-holdout",
        "label-shuffle",
        {"preset": "jitter", "of": "held-out"},
        {"preset": "edm-tiny", "guide": {"strength": 0.3, "of": "held-out"}},
    ],
    ids=str,
)
def test_held_out_images_end(generator):
    name = generator if isinstance(generator, str) else generator["preset"]
    assert said(dataset(50, 50), num_real=[20], synthetic_multiples=[0, 4], generators=[generator]) == []
    (message,) = found(dataset(50, 50), num_real=[20], synthetic_multiples=[0, 1, 5], generators=[generator])
    assert (message.code, message.place, message.value) == ("too-few-held-out", "generators", "100")
    assert f"{name} at num_real 20" in message.text and "only 80 real images" in message.text


def test_pools_that_do_not_end_may_be_asked_for_anything():
    assert said(dataset(50, 50), synthetic_multiples=[0, 500], generators=["duplicate", "jitter"]) == []


def test_sizes_that_a_u_net_cannot_halve():
    """Two resolutions halve once, three twice: 28 is fine, 30 is not."""
    three = {"preset": "edm-28px"}
    assert said(dataset(50, 50, size=28), generators=[three]) == []
    (message,) = found(dataset(50, 50, size=30), generators=[three])
    assert (message.code, message.place, message.value) == ("image-size", "generators", "30 pixels")
    assert "a multiple of 4" in message.text and "data.size: 32" in message.text


def test_all_problems_at_once():
    messages = found(dataset(98, 2, size=9), num_real=[4, 4_000], generators=["real-holdout", "edm-tiny"])
    assert [m.code for m in messages] == ["too-few-real", "too-many-real", "too-few-held-out", "image-size"]


def test_what_was_read_is_said_with_what_is_odd_about_it():
    """A class that the test set lacks, and shares that differ between training and test, are told."""

    def part(*counts):
        labels = np.repeat(np.arange(3), counts)
        return ImageSet(np.random.default_rng(0).integers(0, 256, (len(labels), 1, 8, 8), np.uint8), labels)

    said = describe(Dataset("x", part(10, 10, 10), part(2, 2, 2), part(9, 3, 0), ("cat", "dog", "owl")))
    assert "x: 3 classes (cat, dog, owl), 8 x 8 pixels, grey" in said
    assert "train       30 images, 10 to 10 a class" in said
    assert "no test image of class owl" in said and "more, also in train" not in said
    three = ("cat", "dog", "owl")
    before = Dataset("x", part(10, 10, 10), part(2, 2, 2), part(13, 14, 13), three)
    after = describe(Dataset("x", part(10, 10, 10), part(2, 2, 2), part(9, 3, 1), three), before)
    assert "test        13 images, 1 to 9 a class (27 more, also in train, are left out)" in after
    assert "69% of the test images that are left (32% of all 40): how many are also in train differs by class" in after
    other = describe(
        Dataset("x", part(10, 10, 10), part(2, 2, 2), part(9, 3, 1), three), replace(before, test=part(20, 10, 10))
    )
    assert "(50% of all 40): the two come from different populations" in other
    assert "class cat is 33% of the training images and 75% of the test images" in said
    assert "note" not in describe(Dataset("x", part(9, 9, 9), part(2, 2, 2), part(5, 5, 5), ("a", "b", "c")))


def test_what_the_reader_decided_is_said():
    part = dataset(9, 9).train
    found = Found(((28, 28, 900), (1_024, 768, 3)), 2, (28, 28), (1_024, 768), (("RGB", 900), ("L", 3)))
    said = describe(Dataset("x", part, part, part, ("a", "b"), None, found, ("a/1.png (cut)",), ("12 links",)))
    assert "note     images have 2 sizes, from 28 x 28 to 1024 x 768 (width x height)" in said
    assert "note     images have several modes: 900 RGB, 3 L" in said
    assert "note     1 file cannot be read and was left out: a/1.png (cut)" in said
    assert "note     12 links" in said


def grouped(train, val, test):
    part = dataset(2, 2).train
    groups = tuple(np.array(g) for g in (train, val, test))
    return Dataset("set", part, part, part, ("a", "b"), groups)


def test_a_patient_on_both_sides():
    """Only where a source brings its own splits: those made here part no group."""
    assert said(grouped([0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]), num_real=[4]) == []
    val, test = found(grouped([0, 0, 1, 1], [1, 1, 3, 3], [0, 1, 5, 6]), num_real=[4])
    assert val.code == test.code == "groups-in-several-splits"
    assert val.text.startswith("1 of 2 groups of val ") and test.text.startswith("2 of 4 groups of test ")


def test_more_classes_than_predictions_can_name():
    labels = np.zeros(4, np.int64)
    part = ImageSet(np.zeros((4, 1, 8, 8), np.uint8), labels)
    messages = found(Dataset("set", part, part, part, tuple(map(str, range(65_537)))), num_real=[4])
    assert ("too-many-classes", "65,537") in [(message.code, message.value) for message in messages]
    assert max(len(str(message)) for message in messages) < 500  # of 65,536 classes without images, a few are named


def test_images_that_are_unlike_the_base_of_a_generator(tmp_path):
    base = {"family": "lora", "name": "own", "base": str(base_folder(tmp_path / "b")), "class_ids": [1, 0]}
    assert said(dataset(50, 50), generators=[base]) == []
    assert [place for _, place, _ in said(dataset(50, 50, 50, size=16), generators=[base])] == [
        "generators: own: base",
        "generators: own: class_ids",
    ]


def test_prompts_that_do_not_fit_the_classes(tmp_path):
    (tmp_path / "p.json").write_text('{"cat": ["a cat"]}')
    hub = {"family": "pretrained", "name": "far", "pipeline": f"some/where@{'0' * 40}"}
    text = {"family": "lora", "name": "own", "base": f"some/where@{'0' * 40}", "words": ["a"]}
    prompts = hub | {"name": "told", "prompts": str(tmp_path / "p.json")}
    messages = said(dataset(50, 50), generators=[hub | {"class_ids": [1, 2, 3]}, text, prompts])
    assert [(code, place) for code, place, _ in messages] == [
        ("pipeline-classes", "generators: far: class_ids"),
        ("pipeline-classes", "generators: own: words"),
        ("pipeline-classes", "generators: told: prompts"),
    ]
