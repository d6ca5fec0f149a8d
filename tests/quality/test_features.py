"""The small classifier: any shape, a function of images and seed, and it learns."""

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE

from synaug_ray.data.images import ImageSet
from synaug_ray.quality.features import DIMENSIONS, network, train


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 13, 13), (3, 16, 16), (1, 28, 28), (3, 32, 32), (3, 64, 64)])
def test_any_size_and_colour_gives_as_many_features(shape):
    net = network(shape, 7)
    assert net[:-1](torch.zeros(2, *shape)).shape == (2, DIMENSIONS)
    assert net(torch.zeros(2, *shape)).shape == (2, 7)


def test_it_learns_digits(real, digits):
    right = real.space.log_probabilities(digits.val).argmax(1) == digits.val.labels
    assert right.mean() > 0.9


def test_features_of_an_image_depend_on_no_other(real, digits):
    whole = real.space.features(digits.val)
    assert whole.shape == (197, DIMENSIONS) and whole.dtype == np.float32
    assert np.allclose(real.space.features(digits.val.take(np.array([5, 100]))), whole[[5, 100]], atol=1e-4)


def test_the_same_images_and_seed_give_the_same_bits():
    rng = np.random.default_rng(0)
    images = ImageSet(rng.integers(0, 256, (30, 1, 8, 8), dtype=np.uint8), np.arange(30) % 2)
    here, there, other = (train(images, 2, seed, DEVICE).features(images) for seed in (1, 1, 2))
    assert np.array_equal(here, there) and not np.array_equal(here, other)
