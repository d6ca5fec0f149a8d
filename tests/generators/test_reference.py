"""Reference generators against what they are defined to be."""

import numpy as np
import pytest

from synaug_ray.data.subsets import permutation
from synaug_ray.generators.reference import available, replay
from synaug_ray.recipes import GENERATORS, ReferenceRecipe

N = 40


@pytest.fixture(scope="module")
def order(digits):
    return permutation(digits.train, 10, 0, "key", "natural")


def pool(family, digits, order, index, seed=0):
    recipe = GENERATORS[family]
    assert isinstance(recipe, ReferenceRecipe)
    return replay(recipe, digits.train, order, N, index, seed)


def test_holdout_goes_on_where_the_subset_ends(digits, order):
    images = pool("real-holdout", digits, order, range(0, 80))
    assert np.array_equal(images.images, digits.train.images[order[N:N + 80]])
    assert np.array_equal(images.labels, digits.train.labels[order[N:N + 80]])


def test_holdout_ends_with_the_images(digits, order):
    assert available(GENERATORS["real-holdout"], len(order), N) == len(order) - N
    assert len(pool("real-holdout", digits, order, range(900, 1000))) == len(order) - N - 900


def test_duplicates_are_the_subset_again(digits, order):
    images = pool("duplicate", digits, order, range(30, 90))
    assert np.array_equal(images.images, digits.train.images[order[np.arange(30, 90) % N]])


def test_shuffled_labels_are_right_by_chance_only(digits, order):
    images = pool("label-shuffle", digits, order, range(0, 900))
    truth = {digits.train.images[i].tobytes(): digits.train.labels[i] for i in order}
    right = np.mean([truth[x.tobytes()] == y for x, y in zip(images.images, images.labels, strict=True)])
    assert 0.05 < right < 0.15


def test_jitter_has_the_asked_spread_and_its_image_is_a_function_of_its_index(digits, order):
    subset = digits.train.take(order[:N])
    images = pool("jitter", digits, order, range(0, 200))
    moved = images.images.astype(float) - subset.images[np.arange(200) % N]
    inside = (subset.images[np.arange(200) % N] > 100) & (subset.images[np.arange(200) % N] < 156)
    # far from 0 and 255 nothing is clipped, so the noise's standard deviation shows whole
    assert moved[inside].std() == pytest.approx(0.25 * subset.images.std(), rel=0.1)
    assert np.array_equal(pool("jitter", digits, order, range(150, 200)).images, images.images[150:])
    assert not np.array_equal(pool("jitter", digits, order, range(0, 200), seed=1).images, images.images)
