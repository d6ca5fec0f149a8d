"""Filters keep what they should, from the Subset alone."""

import numpy as np
import pytest
import torch

from synaug_ray.data.images import ImageSet, concatenate
from synaug_ray.quality import features, filters

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def short_trainings(monkeypatch):
    monkeypatch.setattr(features, "NIMG", (3_200, 3_200))


@pytest.fixture(scope="module")
def mixture(pools):
    """200 held-out real images with their own labels, 50 with a wrong one, 50 of noise."""
    real = pools["holdout"]
    wrong = ImageSet(real.images[200:250], (real.labels[200:250] + 1) % 10)
    return concatenate(concatenate(real.take(np.arange(200)), wrong), pools["uniform noise"].take(np.arange(50)))


def test_the_least_confident_of_each_class_are_those_with_wrong_labels(real, mixture):
    kept = filters.drop_unconfident(real.subset, mixture, 10, 0.3, 0, CPU)
    assert (kept < 200).mean() > 0.9 and (np.diff(kept) > 0).all()
    counts = np.bincount(mixture.labels, minlength=10)
    assert np.array_equal(np.bincount(mixture.labels[kept], minlength=10), counts - (0.3 * counts).astype(int))


def test_copies_go_and_real_images_stay(real, pools):
    kept = filters.drop_copies(real.subset, pools["a third copied"], CPU)
    assert not (kept % 3 == 0).any() and len(kept) > 0.95 * 400


def test_noise_lies_outside_of_the_real_manifold(real, mixture):
    kept = filters.keep_overlapping(real.subset, mixture, 10, 0.75, 0, CPU)
    score = filters.realism(real.subset, mixture, 10, 0, CPU)
    assert (kept >= 250).sum() <= 5 and np.median(score[250:]) < 0.5 * np.median(score[:200])


def test_a_score_does_not_depend_on_the_rest_of_the_pool(real, mixture):
    part = mixture.take(np.arange(40))
    for score in (lambda p: filters.copy_ratio(real.subset, p, CPU),
                  lambda p: filters.realism(real.subset, p, 10, 0, CPU),
                  lambda p: filters.confidence(real.subset, p, 10, 0, CPU)):
        assert np.allclose(score(part), score(mixture)[:40], rtol=1e-3, atol=1e-4)
