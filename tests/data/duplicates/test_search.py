"""The search of all pairs: against one that compares pixel by pixel, in whatever blocks."""

import numpy as np
import pytest
import torch

from synaug_ray.data.duplicates import search
from synaug_ray.data.duplicates.search import BACKGROUND, Index, Rows, at_work_size, descriptors


def images(count, channels=1, size=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, channels, size, size), dtype=np.uint8)


def whole(pixels):
    """Each image's descriptor as one vector, and its mirror image's."""
    plain, mirrored = (torch.cat(descriptors(at_work_size(p)), 1) for p in (pixels, pixels[..., ::-1].copy()))
    return plain.numpy(), mirrored.numpy()


@pytest.mark.parametrize("channels,size", [(1, 8), (1, 28), (3, 32), (3, 64)])
def test_the_mirror_image_changes_the_odd_part_alone(channels, size):
    pixels = images(6, channels, size)
    even, odd = descriptors(at_work_size(pixels))
    again, turned = descriptors(at_work_size(pixels[..., ::-1].copy()))
    assert torch.allclose(even, again, atol=1e-5) and torch.allclose(odd, -turned, atol=1e-5)
    assert even.shape[1] + odd.shape[1] == (64 if channels == 1 else 96)


def test_large_images_are_reduced_a_few_at_a_time(monkeypatch):
    """512 images of 256 pixels in colour would take 400 MB as floats."""
    pixels = images(7, 3, 64)
    at_once = at_work_size(pixels)
    for limit in (1, 3 * 64 * 64, 2.5 * 3 * 64 * 64):
        monkeypatch.setattr(search, "AT_ONCE", int(limit))
        assert torch.equal(at_work_size(pixels), at_once)
    assert at_work_size(pixels[:0]).shape[0] == 0


def by_hand(query, reference):
    """Squared distances to the nearer of each image and its mirror image, [N, M]."""
    q, (r, m) = whole(query)[0], whole(reference)
    return np.minimum(*(((q[:, None] - x[None]) ** 2).sum(2) for x in (r, m)))


@pytest.mark.parametrize("rows,columns", [(512, 8192), (7, 31)])
def test_the_background_is_of_the_ranks_it_says(monkeypatch, rows, columns):
    monkeypatch.setattr(search, "ROWS", rows)
    monkeypatch.setattr(search, "COLUMNS", columns)
    query, reference = images(20), images(100, seed=1)
    order = by_hand(query, reference).argsort(1)
    assert (Index(reference).search(query).background.numpy() == order[:, list(BACKGROUND)]).all()


def test_an_image_and_its_mirror_image_are_met():
    reference = images(100)
    query = reference[:20].copy()
    query[10:] = query[10:, :, :, ::-1]
    found = Index(reference).search(query)
    assert (found.candidates[:, 0] == torch.arange(20)).all()
    assert found.candidates_mirrored[:, 0].tolist() == [False] * 10 + [True] * 10


def test_no_image_is_its_own_neighbour_and_none_comes_twice():
    reference = images(100)
    found = Index(reference).search(reference, own=np.arange(100)).candidates
    assert (found != torch.arange(100)[:, None]).all()
    assert all(len(set(row)) == 4 for row in found.tolist())


def test_barred_pairs_are_left_out():
    reference, labels = images(100), np.arange(100) % 3
    found = Index(reference).search(reference, barred=(labels, labels))
    for part in (found.candidates, found.background):
        assert (labels[part.numpy()] != labels[:, None]).all()


def test_rows_are_the_images_they_stand_for():
    pixels, kept = images(10), np.array([1, 4, 5, 9])
    rows = Rows(pixels, kept)
    assert len(rows) == 4 and rows.shape == (4, 1, 8, 8)
    assert (rows[1:3] == pixels[[4, 5]]).all() and (rows[np.array([3, 0])] == pixels[[9, 1]]).all()
