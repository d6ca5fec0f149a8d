"""The order of images in training: fair, resumable, reproducible."""

import torch

from synaug_ray.training.batching import passes


def test_every_image_is_seen_equally_often_within_one_at_every_place():
    order = passes(7, seed=3, start=0, count=100)
    assert order.shape == (100,) and order.dtype == torch.int64
    for end in range(1, 101):
        counts = torch.bincount(order[:end], minlength=7)
        assert int(counts.max() - counts.min()) <= 1


def test_going_on_from_any_place_gives_the_same_order():
    whole = passes(7, 3, 0, 60)
    for start in range(40):
        assert torch.equal(passes(7, 3, start, 20), whole[start : start + 20])


def test_passes_differ_from_one_another_and_between_seeds():
    whole = passes(50, 3, 0, 150)
    assert not torch.equal(whole[:50], whole[50:100]) and not torch.equal(whole[50:100], whole[100:])
    assert not torch.equal(passes(50, 4, 0, 50), whole[:50])


def test_golden_order():
    """A change here changes every training: raise the versions of the steps."""
    assert passes(5, 1, 3, 7).tolist() == [4, 2, 2, 0, 4, 1, 3]


def test_the_global_generator_is_left_alone():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    passes(31, 77, 0, 62)
    assert torch.equal(torch.random.get_rng_state(), before)
