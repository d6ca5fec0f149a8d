"""Nearest neighbours against brute force in double precision."""

import numpy as np
import pytest
from helpers.devices import DEVICE
from scipy.spatial.distance import cdist

from synaug_ray.data.images import ImageSet
from synaug_ray.quality import nearest as neighbours
from synaug_ray.quality.nearest import nearest, pixels


@pytest.mark.parametrize("chunk", [2**22, 700])
def test_distances_and_indices(monkeypatch, chunk):
    monkeypatch.setattr(neighbours, "CHUNK", chunk)
    rng = np.random.default_rng(0)
    x, y = (rng.random((n, 12), dtype=np.float32) for n in (50, 90))
    distance, index = nearest(x, y, 3, DEVICE)
    true = cdist(x, y)
    assert np.allclose(distance, np.sort(true, 1)[:, :3], atol=1e-6)
    assert np.array_equal(index, true.argsort(1)[:, :3])


def test_a_copy_is_at_zero_and_nothing_is_its_own_neighbour():
    images = np.random.default_rng(1).integers(0, 256, (40, 3, 16, 16), dtype=np.uint8)
    x = pixels(ImageSet(images, np.zeros(40, np.int64)))
    distance, index = nearest(x, x, 1, DEVICE)
    assert (distance == 0).all() and np.array_equal(index[:, 0], np.arange(40))
    distance, index = nearest(x, x, 39, DEVICE, same=True)
    assert (distance > 0).all() and (index != np.arange(40)[:, None]).all()
