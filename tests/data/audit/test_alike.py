"""Images that are all alike are refused before anything is trained on them; one class of them is noted."""

import numpy as np
import pytest

from synaug_ray.data.audit.alike import alike_classes, alike_problems
from synaug_ray.data.audit.audit import audit
from synaug_ray.data.audit.checks import describe
from synaug_ray.data.images import Dataset, ImageSet


def random(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)


def dataset(train, test=None):
    parts = [images if images is not None else random(20, 1) for images in (train, test)]
    first, last = (ImageSet(images, np.arange(len(images)) % 2) for images in parts)
    return Dataset("set", first, last, last, ("a", "b"))


ONE = random(1, 2)


@pytest.mark.parametrize(
    "train,code,value",
    [
        (np.zeros((40, 1, 8, 8), np.uint8), "identical-images", "training"),
        (np.repeat(ONE, 40, axis=0), "identical-images", "training"),
        (
            np.clip(np.repeat(ONE, 600, axis=0), 2, 250) + np.arange(600).reshape(-1, 1, 1, 1) % 3,
            "identical-images",
            "training",
        ),
        (np.tile(random(2), (20, 1, 1, 1)), "one-image-per-class", "2"),
        (
            np.arange(40, dtype=np.uint8).reshape(-1, 1, 1, 1) * 6 + np.zeros((1, 1, 8, 8), np.uint8),
            "uniform-images",
            "",
        ),
    ],
)
def test_training_images_that_hold_nothing_to_learn(train, code, value):
    (message,) = alike_problems(dataset(train.astype(np.uint8)))
    assert (message.code, message.place, message.value) == (code, "set", value)
    shown = [row for row in audit(dataset(train.astype(np.uint8))).rows if row.what == "images all alike"]
    assert [row.level for row in shown] == ["warning"] and message.text in shown[0].means


def test_test_images_that_are_all_alike():
    (message,) = alike_problems(dataset(random(40), np.repeat(ONE, 20, axis=0)))
    assert (message.code, message.value) == ("identical-images", "test")


def test_one_class_of_one_image_is_noted():
    train = random(40)
    train[::2] = ONE
    data = dataset(train)
    assert alike_problems(data) == [] and alike_classes(data) == ["a"]
    assert "note     all training images of class a are identical" in describe(data)


@pytest.mark.parametrize("at", [0, 1, 299, 599])
def test_a_single_other_image_is_enough(at):
    """Also in the last block that is compared."""
    train = np.repeat(ONE, 600, axis=0)
    train[at, 0, 3, 3] ^= 255
    assert alike_problems(dataset(train)) == []
