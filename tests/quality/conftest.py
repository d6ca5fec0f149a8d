"""A Subset of real digits, everything learnt from real images alone, and pools whose quality is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from synaug_ray.config.presets import GENERATORS
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import permutation
from synaug_ray.generators.reference import reference_images
from synaug_ray.quality.assess import real_reference

N, POOL = 320, 600


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def order(digits):
    return permutation(digits.train, 10, 0, "key", "natural")


@pytest.fixture(scope="session")
def real(digits, order):
    train = digits.train
    return real_reference(train.take(order[:N]), digits.val, 10, others=train.take(order[N:]), seed=1)


@pytest.fixture(scope="session")
def pools(digits, order):
    """Planted faults, and held-out real images."""

    def made(family):
        return reference_images(GENERATORS[family], digits.train, order, N, range(POOL), 3)

    holdout, rng = made("real-holdout"), np.random.default_rng(0)
    few = {c: np.flatnonzero(holdout.labels == c)[:3] for c in range(10)}
    pick = np.array([rng.choice(few[c]) for c in holdout.labels])
    collapsed = ImageSet(holdout.images[pick], holdout.labels)
    noisy = collapsed.images + 0.25 * digits.train.images.std() * rng.standard_normal(collapsed.images.shape)
    third = np.arange(POOL) % 3 == 0
    return {
        "holdout": holdout,
        "replay": made("duplicate"),
        "jitter": made("jitter"),
        "permuted": ImageSet(holdout.images, rng.permutation(holdout.labels)),
        "collapsed": collapsed,
        "collapsed under noise": ImageSet(np.clip(noisy, 0, 255).astype(np.uint8), collapsed.labels),
        "constant": ImageSet(np.repeat(holdout.images[:1], POOL, 0), holdout.labels),
        "a third copied": ImageSet(
            np.where(third[:, None, None, None], made("duplicate").images, holdout.images),
            np.where(third, made("duplicate").labels, holdout.labels),
        ),
        "uniform noise": ImageSet(rng.integers(0, 256, holdout.images.shape, dtype=np.uint8), holdout.labels),
    }
