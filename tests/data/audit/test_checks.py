"""What a plan asks for and the data do not hold: each said before anything starts."""

import numpy as np
import pytest

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


def said(data, **values):
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


def test_nothing_to_say():
    assert said(dataset(50, 50), num_real=[20, 100], generators=["duplicate", "jitter", "edm-tiny"]) == []


def test_more_than_there_is():
    assert said(dataset(50, 50), num_real=[100, 101, 5_000]) == [
        "num_real: 101 is too many: the training split has 100 images; lower it, or add training images",
        "num_real: 5,000 is too many: the training split has 100 images; lower it, or add training images",
    ]


def test_more_than_a_balanced_subset_can_hold():
    (sentence,) = said(dataset(90, 7), stratify="balanced", num_real=[14, 20])
    assert sentence == (
        "num_real: 20 is too many: class b has 7 training images, so a balanced subset has at most 14; "
        "lower it, add images of that class, or set stratify: natural"
    )


def test_a_class_without_training_images():
    (sentence,) = said(dataset(90, 0, 10))
    assert sentence == "set: no training image of class b; add images or remove the class"


def test_a_subset_that_may_hold_none_of_a_class():
    """A class of 2 in 100 has at least one image for certain from 50 on."""
    (sentence,) = said(dataset(98, 2), num_real=[49, 50])
    assert sentence == (
        "num_real: 49 images in natural proportion hold none of class b for certain (2 of 100); "
        "use 50 or more, or stratify: balanced"
    )
    assert said(dataset(98, 2), num_real=[4], stratify="balanced") == []


@pytest.mark.parametrize(
    "trained_on,problem",
    [
        (100, []),
        (
            101,
            [
                "generators: trained_on 101 is too many: the training split has 100 images; lower it, or add training images"
            ],
        ),
    ],
)
def test_a_generator_trained_on_more_than_there_is(trained_on, problem):
    assert said(dataset(50, 50), generators=[{"preset": "edm-tiny", "trained_on": trained_on}]) == problem


@pytest.mark.parametrize("name", ["real-holdout", "label-shuffle"])
def test_held_out_images_end(name):
    assert said(dataset(50, 50), num_real=[20], synthetic_multiples=[0, 4], generators=[name]) == []
    (sentence,) = said(dataset(50, 50), num_real=[20], synthetic_multiples=[0, 1, 5], generators=[name])
    assert sentence == (
        f"generators: {name} at num_real 20 is asked for 100 images, but only 80 real ones are held "
        "out there; lower synthetic_multiples or num_real in a block of its own"
    )


def test_pools_that_do_not_end_may_be_asked_for_anything():
    assert said(dataset(50, 50), synthetic_multiples=[0, 500], generators=["duplicate", "jitter"]) == []


def test_sizes_that_a_u_net_cannot_halve():
    """Two resolutions halve once, three twice: 28 is fine, 30 is not."""
    three = {"preset": "edm-28px"}
    assert said(dataset(50, 50, size=28), generators=[three]) == []
    (sentence,) = said(dataset(50, 50, size=30), generators=[three])
    assert sentence == (
        "generators: edm-28px halves its images 2 times, so their side must be a multiple of 4, got 30 pixels; "
        "set data.size: 32, or use fewer channels"
    )


def test_all_problems_at_once():
    found = said(dataset(98, 2, size=9), num_real=[4, 4_000], generators=["real-holdout", "edm-tiny"])
    words = (
        "4,000 is too many",
        "hold none of class b",
        "real-holdout at num_real 4,000",
        "a multiple of 2, got 9 pixels",
    )
    assert [any(word in s for s in found) for word in words] == [True] * 4


def test_what_was_read_is_said_with_what_is_odd_about_it():
    """A class that the test set lacks, and shares that differ between training and test, are told."""

    def part(*counts):
        labels = np.repeat(np.arange(3), counts)
        return ImageSet(np.random.default_rng(0).integers(0, 256, (len(labels), 1, 8, 8), np.uint8), labels)

    said = describe(Dataset("x", part(10, 10, 10), part(2, 2, 2), part(9, 3, 0), ("cat", "dog", "owl")))
    assert "x: 3 classes (cat, dog, owl), 8 x 8 pixels, grey" in said
    assert "train       30 images, 10 to 10 a class" in said
    assert "no test image of class owl" in said
    assert "class cat is 33% of the training images and 75% of the test images" in said
    assert "note" not in describe(Dataset("x", part(9, 9, 9), part(2, 2, 2), part(5, 5, 5), ("a", "b", "c")))


def test_what_the_reader_decided_is_said():
    part = dataset(9, 9).train
    found = Found(((28, 28, 900), (1_024, 768, 3)), 2, (28, 28), (1_024, 768), (("RGB", 900), ("L", 3)))
    said = describe(Dataset("x", part, part, part, ("a", "b"), None, found, ("a/1.png (cut)",), ("12 links",)))
    assert "note     images came in 2 sizes, from 28 x 28 to 1024 x 768 (width x height)" in said
    assert "note     images came in several modes: 900 RGB, 3 L" in said
    assert "note     1 files were left out, since they cannot be read: a/1.png (cut)" in said
    assert "note     12 links" in said


def grouped(train, val, test):
    part = dataset(2, 2).train
    groups = tuple(np.array(g) for g in (train, val, test))
    return Dataset("set", part, part, part, ("a", "b"), groups)


def test_a_patient_on_both_sides():
    """Only where a source brings its own splits: those made here part no group."""
    assert said(grouped([0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]), num_real=[4]) == []
    val, test = said(grouped([0, 0, 1, 1], [1, 1, 3, 3], [0, 1, 5, 6]), num_real=[4])
    assert val.startswith("set: 1 of 2 groups of val are in train as well (data.group); move each to one side")
    assert test.startswith("set: 2 of 4 groups of test are in train as well (data.group)")


def test_more_classes_than_predictions_can_name():
    labels = np.zeros(4, np.int64)
    part = ImageSet(np.zeros((4, 1, 8, 8), np.uint8), labels)
    found = said(Dataset("set", part, part, part, tuple(map(str, range(65_537)))), num_real=[4])
    assert "set: 65,537 classes; 65,536 at most are supported" in found
    assert max(map(len, found)) < 500  # of 65,536 classes without images, a few are named
