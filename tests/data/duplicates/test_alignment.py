"""Distances of image pairs once shift, crop and tone are out: against planted moves."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from synaug_ray.data.duplicates.alignment import aligned_distance
from synaug_ray.data.duplicates.planted import changed


def natural(count, size=32, channels=3, seed=0):
    """Smooth random fields, grey levels 0..255: as unlike one another as photos are."""
    noise = np.random.default_rng(seed).standard_normal((count, channels, size, size))
    smooth = sum(gaussian_filter(noise, (0, 0.5, s, s)) * s for s in (1, 2, 4, 8))
    smooth = (smooth - smooth.mean(axis=(1, 2, 3), keepdims=True)) / smooth.std(axis=(1, 2, 3), keepdims=True)
    return np.clip(128 + 45 * smooth, 0, 255).astype(np.uint8)


def distances(first, second):
    return aligned_distance(torch.from_numpy(first).float(), torch.from_numpy(second).float()).numpy()


def test_the_same_image_is_at_the_noise_floor():
    """sqrt(1 - 1 / (1 + noise^2 / variance)), 1 / 45 for a standard deviation of 45 grey levels; flat images higher."""
    images = natural(5)
    assert np.allclose(distances(images, images), 1 / 45, atol=0.01)
    flat = np.full((1, 1, 32, 32), 100, np.uint8)
    assert distances(flat, flat)[0] > 0.9


def test_unrelated_images_stay_apart():
    assert distances(natural(40), natural(40, seed=1)).min() > 0.6


def test_brightness_and_contrast_do_not_count():
    images = natural(10)
    paler = (images.astype(int) // 2 + 60).astype(np.uint8)
    assert distances(images, paler).max() < 0.06


def test_moves_are_found():
    """Shifts of two pixels, and crops of 90% anywhere: far apart pixel by pixel, near when aligned."""
    images, rng = natural(60), np.random.default_rng(1)
    for change, bound in (("shifted", 0.08), ("cropped to 90%", 0.12)):
        copies = changed(images, change, rng)
        plain = np.array([1 - np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images, copies, strict=True)])
        found = distances(images, copies)
        assert np.quantile(found, 0.9) < bound and np.median(np.sqrt(plain)) > 3 * np.median(found), change


def test_alignment_never_makes_a_pair_worse():
    """The distance as the images lie, written out: each channel less its mean, a grey level of noise a pixel."""
    first, second = natural(30), natural(30, seed=2)
    a, b = (x - x.mean(axis=(2, 3), keepdims=True) for x in (first.astype(float), second.astype(float)))
    noise = first[0].size
    product, squares = ((x * y).sum(axis=(1, 2, 3)) for x, y in ((a, b), (a, a)))
    plain = np.sqrt(1 - product / np.sqrt((squares + noise) * ((b * b).sum(axis=(1, 2, 3)) + noise)))
    assert (distances(first, second) <= plain + 1e-5).all()


def test_small_images_are_compared_as_they_are():
    images = natural(20, size=8, channels=1)
    assert distances(images, images).max() < 0.05 and distances(images, natural(20, 8, 1, seed=5)).min() > 0.2
