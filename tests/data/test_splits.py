"""What is held out: in class proportion, whole groups, and never the last image of a class."""

import numpy as np
import pytest

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.sources.base import Part, Source
from synaug_ray.data.splits import assign, held_out

CLASSES = ("a", "b", "c")


def source(*parts, **kwargs):
    return Source(CLASSES, {p: Part(0, lambda: iter(())) for p in parts}, **kwargs)


def split(labels, groups=None, *, source, **options):
    to = assign(source, DataOptions(**options), labels, groups)
    return {part: np.bincount(of, minlength=3).tolist() for part, of in to.items()}


def labels(*counts):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


def test_what_a_source_has_is_kept():
    each = {"train": labels(30, 30, 30), "val": labels(5, 5, 5), "test": labels(9, 9, 9)}
    assert split(each, source=source("train", "val", "test")) == {
        "train": [90, 0, 0],
        "val": [0, 15, 0],
        "test": [0, 0, 27],
    }


def test_what_is_missing_is_held_out_of_train():
    assert split({"train": labels(100, 100, 100)}, source=source("train")) == {"train": [216, 24, 60]}
    each = {"train": labels(100, 100, 100), "test": labels(9, 9, 9)}
    assert split(each, source=source("train", "test")) == {"train": [270, 30, 0], "test": [0, 0, 27]}
    each = {"train": labels(100, 100, 100), "val": labels(9, 9, 9)}
    assert split(each, source=source("train", "val"), holdout=0.5) == {"train": [150, 0, 150], "val": [0, 27, 0]}


def test_published_sets_keep_their_training_images():
    each = {"train": labels(30, 30, 30), "test": labels(50, 50, 50)}
    assert split(each, source=source("train", "test", val_of_test=True)) == {"train": [90, 0, 0], "test": [0, 15, 135]}


def test_numbers_that_are_laid_down():
    assert split({"train": labels(100, 100, 100)}, source=source("train", held=(60, 30))) == {"train": [210, 30, 60]}


@pytest.mark.parametrize("grouped", [False, True])
def test_classes_keep_their_shares(grouped):
    """100 seeds of an unbalanced set: each class within two images or groups of a fifth."""
    of = np.repeat([0, 1, 2], [600, 150, 30])
    groups = np.arange(780) // 3 if grouped else None
    for seed in range(100):
        held = held_out(of, groups, 156, seed, CLASSES)
        assert np.abs(np.bincount(of[held]) - [120, 30, 6]).max() <= (3 if grouped else 1)
        if groups is not None:
            assert not set(groups[held]) & set(np.delete(groups, held))


def test_large_groups_are_not_preferred():
    """Patients of 1 and of 9 images: both are held out in their share, over many seeds."""
    sizes = np.array([1, 9] * 60)
    groups, of = np.repeat(np.arange(120), sizes), np.repeat(np.arange(120) // 2 % 3, sizes)
    share = np.zeros(2)
    for seed in range(200):
        held = np.unique(groups[held_out(of, groups, 120, seed, CLASSES)])
        share += [np.isin(held, np.arange(k, 120, 2)).sum() / 60 for k in (0, 1)]
    assert np.abs(share / 200 - 0.2).max() < 0.05


def test_seeds_matter_and_nothing_else():
    of, groups = np.repeat([0, 1, 2], 60), np.arange(180) // 4
    for g in (None, groups):
        first = held_out(of, g, 36, 0, CLASSES)
        assert (first == held_out(of, g, 36, 0, CLASSES)).all() and (np.diff(first) > 0).all()
        assert set(first) != set(held_out(of, g, 36, 1, CLASSES))


def test_groups_that_span_classes():
    """A patient with images of two classes is on one side with all of them."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 50, 500)
    of = rng.integers(0, 3, 500)
    held = held_out(of, groups, 100, 0, CLASSES)
    assert not set(groups[held]) & set(np.delete(groups, held)) and 85 <= len(held) <= 115


@pytest.mark.parametrize(
    "of,groups,said",
    [
        ([0] * 30 + [1], None, "1 of 3 classes have only one image (b): too few to hold any out"),
        ([0, 0, 1, 1, 2], None, "1 of 3 classes have only one image (c)"),
        (
            [0] * 4 + [1] * 4,
            [0, 1, 0, 1, 7, 7, 7, 7],
            "1 of 3 classes have only one group (b): too few to hold any out",
        ),
        ([0, 1] * 10, [0] * 10 + [1] * 10, "no group can be held out: 2 groups of 20 images are too large for 20%"),
    ],
)
def test_too_few(of, groups, said):
    with pytest.raises(DataProblem) as caught:
        held_out(np.array(of), None if groups is None else np.array(groups), len(of) // 5, 0, CLASSES)
    assert str(caught.value).startswith(said)


def test_more_than_there_is():
    with pytest.raises(DataProblem, match="10 images of 2 classes are too few to hold 9 out"):
        held_out(np.arange(10) % 2, None, 9, 0, CLASSES)


def test_every_class_stays_in_train():
    """Two groups of a rare class: one may be held out, never both."""
    of = np.array([0] * 90 + [1] * 6)
    groups = np.concatenate([np.arange(90) // 3, [90] * 3 + [91] * 3])
    for seed in range(30):
        held = held_out(of, groups, 48, seed, CLASSES)
        assert len(set(groups[held]) & {90, 91}) <= 1
