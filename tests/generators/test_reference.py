"""Reference generators against what they are defined to be."""

import numpy as np
import pytest

from synaug_ray.config.generator_recipes import ReferenceRecipe
from synaug_ray.config.presets import GENERATORS
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import permutation
from synaug_ray.generators.reference import reference_images

N = 40


@pytest.fixture(scope="module")
def order(digits):
    return permutation(digits.train, 10, 0, "key", "natural")


def pool(family, digits, order, index, seed=0, num_real=N):
    recipe = GENERATORS[family]
    assert isinstance(recipe, ReferenceRecipe)
    return reference_images(recipe, digits.train, order, num_real, index, seed)


def test_holdout_goes_on_where_the_subset_ends(digits, order):
    images = pool("real-holdout", digits, order, range(0, 80))
    assert np.array_equal(images.images, digits.train.images[order[N : N + 80]])
    assert np.array_equal(images.labels, digits.train.labels[order[N : N + 80]])


def test_holdout_ends_with_the_images(digits, order):
    assert GENERATORS["real-holdout"].most_images(len(order), N) == len(order) - N
    assert len(pool("real-holdout", digits, order, range(900, 1000))) == len(order) - N - 900


def test_duplicates_are_the_subset_again(digits, order):
    images = pool("duplicate", digits, order, range(30, 90))
    assert np.array_equal(images.images, digits.train.images[order[np.arange(30, 90) % N]])


def test_shuffled_labels_are_right_by_chance_only(digits, order):
    images = pool("label-shuffle", digits, order, range(0, 900))
    truth = {digits.train.images[i].tobytes(): digits.train.labels[i] for i in order}
    right = np.mean([truth[x.tobytes()] == y for x, y in zip(images.images, images.labels, strict=True)])
    assert 0.05 < right < 0.15


def test_without_a_subset_held_out_images_are_the_permutation_and_shuffled_labels_have_its_shares(digits, order):
    """At 0 real images s held-out ones are the Subset of s: the oracle of what a label is worth."""
    held, shuffled = (
        pool(family, digits, order, range(0, 500), num_real=0) for family in ("real-holdout", "label-shuffle")
    )
    assert np.array_equal(held.images, digits.train.images[order[:500]])
    shares = np.bincount(digits.train.labels, minlength=10) / len(digits.train)
    assert np.abs(np.bincount(shuffled.labels, minlength=10) - 500 * shares).max() <= 1


def test_jitter_has_the_asked_spread_and_its_image_is_a_function_of_its_index(digits, order):
    subset = digits.train.take(order[:N])
    images = pool("jitter", digits, order, range(0, 200))
    moved = images.images.astype(float) - subset.images[np.arange(200) % N]
    inside = (subset.images[np.arange(200) % N] > 100) & (subset.images[np.arange(200) % N] < 156)
    # far from 0 and 255 nothing is clipped, so the noise's standard deviation shows whole
    assert moved[inside].std() == pytest.approx(0.25 * subset.images.std(), rel=0.1)
    assert np.array_equal(pool("jitter", digits, order, range(150, 200)).images, images.images[150:])
    assert not np.array_equal(pool("jitter", digits, order, range(0, 200), seed=1).images, images.images)


@pytest.mark.parametrize("family", ["jitter", "mixup", "augment"])
def test_an_image_is_a_function_of_its_index(digits, order, family):
    images = pool(family, digits, order, range(0, 60))
    assert np.array_equal(pool(family, digits, order, range(45, 60)).images, images.images[45:])
    assert not np.array_equal(pool(family, digits, order, range(0, 60), seed=1).images, images.images)
    assert np.array_equal(images.labels, digits.train.labels[order[np.arange(60) % N]])


def test_mixup_lies_between_two_images_of_its_class(digits, order):
    subset = digits.train.take(order[:N])
    images = pool("mixup", digits, order, range(0, 80))
    for i, (x, y) in enumerate(zip(images.images.astype(float), images.labels, strict=True)):
        first = subset.images[i % N].astype(float)
        between = []
        for other in subset.images[(subset.labels == y) & (np.arange(N) != i % N)].astype(float):
            along, moved = (other - first).ravel(), (x - first).ravel()
            share = along @ moved / (along @ along)
            between.append(np.abs(moved - share * along).max() <= 1 and -1e-2 <= share <= 1.01)
        assert any(between)


def test_mixup_of_a_class_of_one_image_repeats_it(digits, order):
    first = digits.train.take(order[:1])
    two = ImageSet(np.concatenate([first.images, 255 - first.images]), np.array([0, 1]))
    images = reference_images(GENERATORS["mixup"], two, np.array([0, 1]), 2, range(4), 0)
    assert np.array_equal(images.images, two.images[[0, 1, 0, 1]])


def test_augmentation_of_nothing_is_the_image_and_each_part_does_its_own(digits, order):
    bare = ReferenceRecipe(name="a", family="augment")
    subset = digits.train.take(order[:N])

    def made(**changes):
        return reference_images(bare.model_copy(update=changes), digits.train, order, N, range(N), 0).images.astype(
            float
        )

    assert np.array_equal(made(), subset.images)
    flipped = made(flip=True)
    sides = [
        np.array_equal(f, x) or np.array_equal(f, x[:, :, ::-1]) for f, x in zip(flipped, subset.images, strict=True)
    ]
    assert all(sides) and 0.2 < (flipped == subset.images).all((1, 2, 3)).mean() < 0.8
    for part, most in (({"shift": 0.25}, 2.05), ({"rotate": 20.0}, 1.2), ({"scale": 0.2}, 1.0)):
        moved = made(**part)
        assert not np.array_equal(moved, subset.images)
        apart = [np.linalg.norm(_centre(m) - _centre(x)) for m, x in zip(moved, subset.images, strict=True)]
        assert max(apart) < most * 1.5  # pixels


def _centre(image):
    """Centre of mass of a grey image [1, H, W]."""
    weight = image[0] / image.sum()
    y, x = np.mgrid[: image.shape[1], : image.shape[2]]
    return np.array([(weight * y).sum(), (weight * x).sum()])


def reference(digits, order, index, num_real=N, **recipe):
    return reference_images(ReferenceRecipe(name="x", **recipe), digits.train, order, num_real, index, 0)


@pytest.mark.parametrize("recipe", [{"family": "jitter", "noise": 0.25}, {"family": "augment", "shift": 0.125}])
@pytest.mark.parametrize("num_real", [0, N])
def test_held_out_images_are_changed_as_those_of_the_subset_are(digits, order, recipe, num_real):
    images = reference(digits, order, range(0, 60), num_real, of="held-out", **recipe)
    held = digits.train.take(order[num_real : num_real + 60])
    assert np.array_equal(images.labels, held.labels) and not np.array_equal(images.images, held.images)
    near = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images.images, held.images, strict=True)]
    assert np.median(near) > 0.5
    assert len(reference(digits, order, range(940, 999), N, of="held-out", **recipe)) == len(order) - N - 940


def test_a_share_of_the_labels_is_dealt_anew(digits, order):
    images = reference(digits, order, range(0, 900), family="label-shuffle", share=0.3)
    held = digits.train.take(order[N : N + 900])
    assert np.array_equal(images.images, held.images)
    assert (images.labels != held.labels).mean() == pytest.approx(0.3 * 0.9, abs=0.05)
    part = reference(digits, order, range(500, 600), family="label-shuffle", share=0.3)
    assert np.array_equal(part.labels, images.labels[500:600])
