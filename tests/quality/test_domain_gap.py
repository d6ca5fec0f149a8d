"""Real against synthetic, and class subspaces, on images whose difference is known."""

import numpy as np
import pytest
from helpers.devices import DEVICE

from synaug_ray.data.images import ImageSet
from synaug_ray.quality.domain_gap import real_versus_synthetic, subspace_overlap


def blank(*labels):
    labels = np.asarray(labels, np.int64)
    return ImageSet(np.zeros((len(labels), 1, 1, 1), np.uint8), labels)


def test_real_images_cannot_be_told_from_real_ones(real, pools):
    found = real_versus_synthetic(real.subset, pools["holdout"], real.held_out, 0, DEVICE)
    assert found.accuracy.low < 0.5 < found.accuracy.high
    assert found.num_real == 320 + 197 and found.num_synthetic == 600


def test_noise_is_told_apart(real, pools):
    assert real_versus_synthetic(real.subset, pools["jitter"], real.held_out, 0, DEVICE).accuracy.low > 0.75


def test_copies_are_no_hint_of_where_they_come_from(real, pools):
    """Copies of one image lie on one side of each split, so that knowing an image by heart does not help."""
    found = real_versus_synthetic(real.subset, pools["replay"], real.held_out, 0, DEVICE)
    assert found.accuracy.value == pytest.approx(0.5, abs=0.05)


def test_the_interval_of_one_repeated_image_is_as_wide_as_of_one(real, pools):
    found = real_versus_synthetic(real.subset, pools["constant"], real.held_out, 0, DEVICE)
    assert found.accuracy.high - found.accuracy.low > 0.25


def test_too_few_images_tell_nothing(real, pools):
    assert real_versus_synthetic(real.subset, pools["holdout"].take(np.arange(49)), real.held_out, 0, DEVICE) is None


def test_angle_between_planted_subspaces():
    """A class in the span of e0, e1, e2; a synthetic one that shares e0 and e1 with it: cos^2 = 1, 1, 0."""
    rng = np.random.default_rng(0)
    coefficients = rng.standard_normal((300, 3))
    real, synthetic = (coefficients[k::3] @ np.eye(6)[axes] for k, axes in ((0, [0, 1, 2]), (1, [0, 1, 5])))
    found = subspace_overlap(
        blank(*[0] * 100), real.astype(np.float32), blank(*[0] * 100), synthetic.astype(np.float32), 0
    )
    assert found.overlap == pytest.approx(2 / 3, abs=1e-6) and found.real == pytest.approx(1, abs=1e-6)
    assert found.classes == (0,)


def test_classes_with_few_images_are_left_out():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 6)).astype(np.float32)
    labels = blank(*[0] * 20 + [1] * 10)
    assert subspace_overlap(labels, features, labels, features, 0).classes == (0,)
    assert subspace_overlap(blank(*[0] * 11), features[:11], labels, features, 0) is None
