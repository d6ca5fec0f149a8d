"""Near-copies and duplicates: planted ones are found, real images come out at the base rate."""

import numpy as np
import pytest
from helpers.devices import DEVICE
from scipy import stats

from synaug_ray.data.images import ImageSet
from synaug_ray.quality.memorization import base_rate, distance_ratio, duplicates, memorization, threshold
from synaug_ray.quality.nearest import pixels


def test_ratio_of_known_distances():
    points = np.array([[0, 0], [3, 0], [0, 5]], np.float32)
    ratio, distance, index = distance_ratio(np.array([[0, 1], [3, 0]], np.float32), points, DEVICE)
    assert index.tolist() == [0, 1] and distance.tolist() == [1, 0] and ratio[1] == 0
    assert ratio[0] == pytest.approx(1 / np.mean([np.sqrt(10), 4]))


def test_a_copy_of_an_image_that_the_data_hold_twice_is_still_a_copy():
    points = np.array([[0, 0], [0, 0], [3, 0], [0, 5], [9, 9]], np.float32)
    assert distance_ratio(np.zeros((1, 2), np.float32), points, DEVICE)[0] == [0]


def test_a_new_real_value_falls_at_or_below_the_threshold_at_the_stated_rate():
    """Over many calibrations with 199 values each: rank 2 of 200, so 2 / 200."""
    rng = np.random.default_rng(0)
    limits = np.array([threshold(rng.random(199)) for _ in range(4_000)])
    assert limits.mean() == pytest.approx(0.01, abs=0.0005)  # a uniform value's own probability
    known = base_rate(2, 199, 0.9)
    assert known.value == pytest.approx(0.01)
    assert np.mean((limits > known.low) & (limits < known.high)) == pytest.approx(0.9, abs=0.02)


def test_with_few_real_images_the_rate_is_the_least_they_allow():
    assert threshold(np.array([0.3, 0.1, 0.2])) == 0.1
    assert base_rate(1, 3, 0.9).value == 0.25


def test_a_replayed_subset_is_all_copies(real, pools):
    found = memorization(real.subset, pools["replay"], real.held_out, real.space)
    assert found.exact == 600 and found.near_copies.value == 1 and found.in_pixels == found.in_features == 1
    assert found.advise_against_sharing and found.distance_ratio == 0
    ratio, distance, index = distance_ratio(pixels(pools["replay"]), pixels(real.subset), DEVICE)
    assert not ratio.any() and not distance.any()
    assert np.array_equal(real.subset.images[index], pools["replay"].images)


def test_a_third_of_copies_is_counted(real, pools):
    found = memorization(real.subset, pools["a third copied"], real.held_out, real.space)
    assert found.near_copies.low - 0.02 < 1 / 3 < found.near_copies.high
    assert found.exact == 200 and found.excess == pytest.approx(1 / 3, abs=0.03)


def test_copies_under_noise_are_found(real, pools):
    found = memorization(real.subset, pools["jitter"], real.held_out, real.space)
    assert found.exact == 0 and found.near_copies.value > 0.4 and found.advise_against_sharing


def test_held_out_real_images_come_out_at_the_base_rate(real, pools):
    found = memorization(real.subset, pools["holdout"], real.held_out, real.space)
    alike = stats.binomtest(round(found.near_copies.value * 600), 600, found.base_rate.high).pvalue
    assert found.near_copies.value <= found.base_rate.high or alike > 0.01
    assert not found.advise_against_sharing and found.exact == 0
    assert found.distance_ratio == pytest.approx(1, abs=0.1)


def test_too_few_held_out_images_calibrate_nothing(real, pools):
    few = real.held_out.take(np.arange(19))
    assert memorization(real.subset, pools["replay"], few, real.space) is None
    assert duplicates(real.subset, pools["replay"], few, real.subset, DEVICE) is None


def test_distinct_images_are_counted(real, pools):
    training = real.label_classifiers.training

    def of(name):
        return duplicates(real.subset, pools[name], real.held_out, training, DEVICE)

    assert of("collapsed").distinct == 30 and of("constant").distinct == 1 and of("constant").spread == 0
    assert of("holdout").distinct > 190 and of("holdout").distinct_real > 190
    assert of("collapsed under noise").distinct > 100  # noise hides the copies of one another ...
    assert of("collapsed under noise").reached < 0.5 * of("collapsed under noise").reached_real  # ... but not this


def test_a_replay_is_expected_to_repeat():
    """20 images drawn 100 times hold 20 (1 - 0.95^100) different ones on average."""
    rng = np.random.default_rng(0)
    images = ImageSet(rng.integers(0, 256, (140, 1, 8, 8), dtype=np.uint8), np.zeros(140, np.int64))
    subset, held = images.take(np.arange(20)), images.take(np.arange(40, 140))
    found = [duplicates(subset, subset.take(rng.integers(0, 20, 100)), held, subset, DEVICE) for _ in range(20)]
    assert np.mean([f.distinct for f in found]) == pytest.approx(found[0].distinct_replay, abs=0.1)


@pytest.fixture(scope="module")
def mirror_copies(real, pools):
    """A third of the images are exact mirrored copies, the others are held out."""
    third = (np.arange(600) % 3 == 0)[:, None, None, None]
    return ImageSet(
        np.where(third, pools["replay"].images[..., ::-1], pools["holdout"].images), pools["holdout"].labels
    )


def test_mirrored_copies_are_found_where_the_generator_saw_mirrored_images(real, pools, mirror_copies):
    unseen = memorization(real.subset, mirror_copies, real.held_out, real.space)
    found = memorization(real.subset, mirror_copies, real.held_out, real.space, mirrors=True)
    assert found.exact == 200 and unseen.exact == 0 and found.in_pixels > 1 / 3 - 0.01 > unseen.in_pixels
    assert found.near_copies.low - 0.02 < 1 / 3 < found.near_copies.high


def test_held_out_images_stay_at_the_base_rate_where_mirrored_ones_count(real, pools):
    found = memorization(real.subset, pools["holdout"], real.held_out, real.space, mirrors=True)
    assert not found.advise_against_sharing and found.near_copies.value < 0.05


@pytest.mark.parametrize("count", [2, 3, 9])
def test_an_images_own_views_are_not_its_neighbours(count):
    """Against all pairs in plain numpy."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((2 * count, 3)).astype(np.float32)
    points[count] = points[0]  # its own mirror: no neighbour at distance 0
    _, distance, index = distance_ratio(points[:count], points, DEVICE, same=True, views=2)
    for i in range(count):
        apart = np.linalg.norm(points - points[i], axis=1)
        apart[[i, i + count]] = np.inf
        assert distance[i] == pytest.approx(apart.min()) and index[i] == apart.argmin() % count
