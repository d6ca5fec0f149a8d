"""Filters keep what they should, from the Subset alone."""

import numpy as np
import pytest
from helpers.devices import DEVICE

from synaug_ray.common.errors import TooFewKept
from synaug_ray.config.presets import FILTERS
from synaug_ray.data.images import ImageSet, concatenate
from synaug_ray.quality import features, filters


@pytest.fixture(autouse=True)
def short_trainings(monkeypatch):
    monkeypatch.setattr(features, "NIMG", (3_200, 3_200))


@pytest.fixture(scope="module")
def mixture(pools):
    """200 held-out real images with their own labels, 50 with a wrong one, 50 of noise."""
    real = pools["holdout"]
    wrong = ImageSet(real.images[200:250], (real.labels[200:250] + 1) % 10)
    return concatenate(concatenate(real.take(np.arange(200)), wrong), pools["uniform noise"].take(np.arange(50)))


def kept(recipe, real, pool, count):
    return pool.take(filters.selector(recipe, real.subset, 10, 0, DEVICE)(pool, count))


def index_of(images, pool):
    """The places in ``pool`` of a selection in the pool's order."""
    places, at = [], 0
    for image in images.images:
        while not np.array_equal(pool.images[at], image):
            at += 1
        places.append(at)
        at += 1
    return np.array(places)


def test_the_least_confident_of_each_class_are_those_with_wrong_labels(real, mixture):
    recipe = FILTERS["confident"].model_copy(update={"share": 0.3})
    counts = np.bincount(mixture.labels, minlength=10)
    left = counts - (0.3 * counts).astype(int)
    images = kept(recipe, real, mixture, left.sum())
    assert np.array_equal(np.bincount(images.labels, minlength=10), left)
    assert (index_of(images, mixture) < 200).mean() > 0.9


def test_above_the_threshold_the_pool_s_order_counts_and_below_it_the_score(real, mixture):
    """More than a guess is enough: easy images are not preferred, as they are by the most confident half."""
    recipe = FILTERS["threshold"]
    images = kept(recipe, real, mixture, sum(n - n // 2 for n in np.bincount(mixture.labels)))
    own = filters.confidence(real.subset, 10, 0, DEVICE)(mixture)
    places = index_of(images, mixture)
    above = own > -np.log(10)
    for label in range(10):
        mine = np.flatnonzero(mixture.labels == label)
        half = len(mine) - len(mine) // 2
        expected = mine[above[mine]][:half]
        if len(expected) < half:
            below = mine[~above[mine]]
            expected = np.sort([*expected, *below[np.argsort(-own[below])][: half - len(expected)]])
        assert np.array_equal(places[mixture.labels[places] == label], expected)
    assert (places < 200).mean() > 0.85


def test_hard_images_with_plausible_labels_remain(real, mixture):
    images = kept(FILTERS["hard"], real, mixture, 150)
    places = index_of(images, mixture)
    entropy = filters.hardness(real.subset, 10, 0, DEVICE)(mixture)
    left = np.setdiff1d(np.arange(200), places)
    assert (entropy[places] >= 0).mean() > 0.95 and np.median(entropy[places]) > np.median(entropy[left])


def test_herding_leaves_planted_faults_and_matches_the_real_distribution(real, pools):
    """Seven tenths are held-out images, the others noise or of another class: nine of ten that are kept are held-out."""
    held = pools["holdout"]
    wrong = ImageSet(held.images[280:340], (held.labels[280:340] + 3) % 10)
    pool = concatenate(concatenate(held.take(np.arange(280)), wrong), pools["uniform noise"].take(np.arange(60)))
    recipe = FILTERS["matching"]
    left = sum(n - int(0.3 * n) for n in np.bincount(pool.labels, minlength=10))
    images = kept(recipe, real, pool, left)
    assert (index_of(images, pool) < 280).mean() >= 0.9
    assert np.array_equal(
        np.bincount(images.labels, minlength=10), [n - int(0.3 * n) for n in np.bincount(pool.labels, minlength=10)]
    )


def test_copies_go_and_real_images_stay(real, pools):
    images = kept(FILTERS["no-copies"], real, pools["a third copied"], 250)
    assert not (index_of(images, pools["a third copied"]) % 3 == 0).any()


def test_a_pool_of_copies_leaves_too_few(real, pools):
    replay = real.subset.take(np.arange(100) % len(real.subset))
    with pytest.raises(TooFewKept, match="keeps 0 of 100 images, and 50 are needed"):
        kept(FILTERS["no-copies"], real, replay, 50)


def test_noise_lies_outside_of_the_real_manifold(real, mixture):
    recipe = FILTERS["inliers"].model_copy(update={"share": 0.25})
    images = kept(recipe, real, mixture, 225)
    score = filters.realism(real.subset, 10, 0, DEVICE)(mixture)
    assert (index_of(images, mixture) >= 250).sum() <= 5 and np.median(score[250:]) < 0.5 * np.median(score[:200])


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("count", [1, 20, 77, 400])
def test_enough_raw_images_are_asked_for(name, count):
    """Whatever the classes' sizes, a share taken within each leaves as many as are needed."""
    recipe, rng = FILTERS[name], np.random.default_rng(count)
    raw = recipe.num_raw(count)
    sizes = np.bincount(rng.integers(0, 7, raw))
    dropped = sum(int((0.5 if recipe.halves else recipe.share) * size) for size in sizes)
    assert raw - dropped * (recipe.family not in ("none", "copies")) >= count
    assert raw <= 2 * count


def test_a_score_does_not_depend_on_the_rest_of_the_pool(real, mixture):
    part = mixture.take(np.arange(40))
    for score in (filters.realism(real.subset, 10, 0, DEVICE), filters.confidence(real.subset, 10, 0, DEVICE)):
        assert np.allclose(score(part), score(mixture)[:40], rtol=1e-3, atol=1e-4)


def test_mirrored_copies_are_dropped_where_the_generator_saw_mirrored_images(real, pools):
    """All of them, and hardly any other image: as many as unmirrored ones."""
    copies = ImageSet(np.ascontiguousarray(pools["replay"].images[:200, ..., ::-1]), pools["replay"].labels[:200])
    pool = concatenate(copies, pools["holdout"].take(np.arange(300)))
    select = filters.selector(FILTERS["no-copies"], real.subset, 10, 0, DEVICE, mirrors=True)
    assert (select(pool, 280) >= 200).all()
    blind = filters.selector(FILTERS["no-copies"], real.subset, 10, 0, DEVICE)(pool, 280)
    assert (blind < 200).any()
