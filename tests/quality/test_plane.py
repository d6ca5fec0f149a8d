"""The plane of real images, and the overlap: 1 for the same images, 0 for others, between them by planted mixtures."""

from dataclasses import asdict

import numpy as np
import pytest
from helpers.devices import DEVICE

from synaug_ray.data.images import ImageSet
from synaug_ray.quality.domain_gap import real_versus_synthetic
from synaug_ray.quality.plane import CELLS, POINTS, plane
from synaug_ray.runs.quality_table import overlap


def mixed(one, other, share):
    """``share`` of the first images are of ``one``, the others of ``other``, in random order."""
    pick = np.random.default_rng(0).random(len(one)) < share
    images = np.where(pick[:, None, None, None], one.images, other.images)
    return ImageSet(images, np.where(pick, one.labels, other.labels)), pick.mean()


def judged(real, pool):
    return overlap(asdict(real_versus_synthetic(real.subset, pool, real.held_out, 0, DEVICE)))


def test_images_of_the_same_kind_overlap_fully_and_noise_not_at_all(real, pools):
    same, none = judged(real, pools["holdout"]), judged(real, pools["uniform noise"])
    assert same["value"] > 0.85 and same["high"] == 1
    assert none["value"] < 0.03 and none["low"] <= none["value"] <= none["high"] < 0.06


def test_half_of_held_out_images_overlap_by_half(real, pools):
    pool, share = mixed(pools["holdout"], pools["uniform noise"], 0.5)
    found = judged(real, pool)
    assert found["low"] - 0.03 < share < found["high"] + 0.03 and abs(found["value"] - share) < 0.1


def test_nothing_is_said_where_nothing_judged():
    assert overlap(None) is None
    below = overlap({"accuracy": {"value": 0.48, "low": 0.44, "high": 0.52}})  # by chance
    assert below == {"value": 1, "low": pytest.approx(0.96), "high": 1}


def features(count=400, seed=0, shift=0.0):
    """Of five dimensions with standard deviations 4, 2, 1, 1 and 1."""
    return (np.random.default_rng(seed).standard_normal((count, 5)) * [4, 2, 1, 1, 1] + [0, shift, 0, 0, 0]).astype(
        "f4"
    )


def test_the_plane_is_that_of_the_real_images_alone():
    real, other = features(), features(seed=1, shift=8.0)
    found, again = plane(real, real[::-1]), plane(real, other)
    assert found.explained == pytest.approx(20 / 23, abs=0.02)
    assert found.explained == again.explained and found.real == again.real  # whatever the synthetic images are
    assert len(found.real[0]) == len(found.synthetic[1]) == POINTS
    assert np.std(found.real[0]) == pytest.approx(1, abs=0.1) and np.std(found.real[1]) == pytest.approx(0.5, abs=0.07)
    assert np.mean(again.synthetic[1]) - np.mean(again.real[1]) == pytest.approx(
        np.sign(np.mean(again.synthetic[1])) * 2, abs=0.15
    )


def test_densities_are_those_of_all_images_and_sum_to_one():
    found = plane(features(), features(seed=1, shift=8.0))
    x, y = map(np.array, found.axes)
    cell = (x[1] - x[0]) * (y[1] - y[0])
    for density in (found.real_density, found.synthetic_density):
        assert np.shape(density) == (CELLS, CELLS) and np.sum(density) * cell == pytest.approx(1, abs=0.03)
    apart = np.minimum(found.real_density, found.synthetic_density).sum() * cell
    same = plane(features(), features(seed=1))
    together = np.minimum(same.real_density, same.synthetic_density).sum()
    x, y = map(np.array, same.axes)
    assert apart < 0.1 and together * (x[1] - x[0]) * (y[1] - y[0]) > 0.85


def test_too_few_or_equal_images_have_no_plane():
    assert plane(features(19), features()) is None and plane(features(), features(19)) is None
    assert plane(np.ones((50, 5), "f4"), features(50)) is None
    assert plane(features(50), np.ones((50, 5), "f4")) is not None  # a collapsed generator has one
