"""Nested subsets: Tijdeman's bound at every prefix, nesting, balance, independence of draws."""

import numpy as np
import pytest

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data import subsets
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import Draws, class_sequence, permutation
from synaug_ray.plan.subset import DataIdentity, Subset

DATA = DataIdentity("digits", "fp")


def random_counts(rng, kind):
    k = int(rng.integers(1, 14))
    if kind == "any":
        counts = rng.integers(0, 40, k)
    elif kind == "large":
        counts = rng.integers(1, 400, k)
    elif kind == "skewed":  # one class of thousands beside classes of one or two
        counts = np.append(rng.integers(1, 3, k), rng.integers(500, 3_000))
    elif kind == "two sizes":  # where serving whoever is furthest behind goes wrong by 1.4
        counts = np.append(np.ones(int(rng.integers(20, 60))), np.full(int(rng.integers(1, 20)), rng.integers(2, 60)))
    else:
        counts = np.full(k, rng.integers(1, 60))
    counts[rng.integers(len(counts))] += 1  # at least one image
    return counts.astype(np.int64)


@pytest.mark.parametrize("kind", ["any", "large", "skewed", "two sizes", "equal"])
def test_every_prefix_holds_each_class_within_one_of_its_share(kind):
    """In whole numbers: |count * total - class total * length| < total, over two periods and a bit."""
    rng = np.random.default_rng(20261121)
    for _ in range(60):
        counts = random_counts(rng, kind)
        total = int(counts.sum())
        sequence = class_sequence(counts, 2 * total + 3)
        held = np.cumsum(sequence[:, None] == np.arange(len(counts)), axis=0)
        length = np.arange(1, len(sequence) + 1)[:, None]
        assert (np.abs(held * total - counts * length) < total).all(), counts


@pytest.mark.parametrize("kind", ["any", "skewed"])
def test_the_sequence_is_periodic_and_meets_every_count_exactly(kind):
    rng = np.random.default_rng(1)
    for _ in range(10):
        counts = random_counts(rng, kind)
        total = int(counts.sum())
        once = class_sequence(counts, total)
        assert (np.bincount(once, minlength=len(counts)) == counts).all()
        assert (class_sequence(counts, 3 * total) == np.tile(once, 3)).all()
        assert (class_sequence(counts, total // 2) == once[: total // 2]).all()


def test_a_class_without_images_never_comes():
    assert set(class_sequence(np.array([3, 0, 2]), 50).tolist()) == {0, 2}
    assert class_sequence(np.array([0, 4]), 3).tolist() == [1, 1, 1]


def test_golden_sequence():
    """Pools get their labels from it: a change here changes what is stored, so raise the steps' versions."""
    assert class_sequence(np.array([3, 1, 2]), 8).tolist() == GOLDEN_SEQUENCE


def images(*counts):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    np.random.default_rng(0).shuffle(labels)
    return ImageSet(np.zeros((len(labels), 1, 2, 2), np.uint8), labels)


def test_natural_order_is_of_all_images_each_once():
    train = images(30, 10, 5)
    order = permutation(train, 3, 0, "key", "natural")
    assert sorted(order.tolist()) == list(range(45))
    labels = train.labels[order]
    for n in range(1, 46):
        share = np.array([30, 10, 5]) / 45 * n
        assert (np.abs(np.bincount(labels[:n], minlength=3) - share) < 1).all()


def test_balanced_order_ends_with_the_smallest_class():
    train = images(30, 10, 5)
    order = permutation(train, 3, 0, "key", "balanced")
    assert len(order) == len(set(order.tolist())) == 15
    labels = train.labels[order]
    for n in range(1, 16):
        held = np.bincount(labels[:n], minlength=3)
        assert held.max() - held.min() <= 1
    assert np.bincount(labels).tolist() == [5, 5, 5]


def test_subsets_of_a_draw_are_nested_whatever_is_asked_first():
    train = images(60, 40)
    one, other = Draws(train, 2), Draws(train, 2)
    small, large = Subset(DATA, 20, 3), Subset(DATA, 70, 3)
    assert (one.index(large)[:20] == one.index(small)).all()
    assert (other.index(small) == one.index(small)).all()  # another process, the other order


def test_draws_differ_and_so_do_data_sets():
    train = images(60, 40)
    draws = Draws(train, 2)
    taken = [tuple(draws.index(Subset(DATA, 30, d))) for d in range(6)]
    assert len(set(taken)) == 6
    # two draws of 30 out of 100 share 9 images on average (standard deviation 2.1)
    shared = [len(set(a) & set(b)) for i, a in enumerate(taken) for b in taken[:i]]
    assert 6 < np.mean(shared) < 12
    moved = DataIdentity("digits", "fp", DataOptions(split_seed=1))
    assert tuple(draws.index(Subset(moved, 30, 0))) != taken[0]


def test_golden_permutation():
    """Which images a Subset holds is part of what a key means."""
    assert permutation(images(6, 4), 2, 1, "key", "natural").tolist() == GOLDEN_PERMUTATION


def test_digits_subsets_hold_every_class(digits):
    draws = Draws(digits.train, 10)
    for draw in range(3):
        for n in (20, 40, 1_000):
            held = np.bincount(digits.train.labels[draws.index(Subset(DATA, n, draw))], minlength=10)
            share = np.bincount(digits.train.labels) / 1_000 * n
            assert held.sum() == n and np.abs(held - share).max() < 1


GOLDEN_SEQUENCE = [0, 2, 0, 1, 2, 0, 0, 2]
GOLDEN_PERMUTATION = [2, 8, 5, 1, 4, 9, 6, 0, 3, 7]


def by_loop(counts, length):
    """``class_sequence`` as it was first written: what stored pools and Subsets hold rests on it."""
    period, present = int(counts.sum()), np.flatnonzero(counts)
    if len(present) == 1:
        return np.full(length, present[0], dtype=np.int64)
    share, slack = counts[present] / period, 1 - 1 / (2 * len(present) - 2)
    given, order = np.zeros(len(present)), np.empty(min(length, period), dtype=np.int64)
    for place in range(len(order)):
        lag = share * (place + 1) - given
        pick = int(np.argmin(np.where(lag >= 1 - slack - 1e-9, (slack - lag) / share, np.inf)))
        given[pick] += 1
        order[place] = present[pick]
    return np.resize(order, length)


def test_the_sequence_is_the_first_one_whatever_was_asked_before():
    rng = np.random.default_rng(0)
    for _ in range(40):
        counts = rng.integers(0, 30, rng.integers(1, 9))
        counts[0] += 1
        for length in rng.integers(0, 3 * counts.sum(), 4):
            assert np.array_equal(class_sequence(counts, int(length)), by_loop(counts, int(length)))


def test_the_shards_of_a_pool_make_its_sequence_once_for_each_doubling(monkeypatch):
    """Which took 0.3 s a shard at 50,000 images; and what a caller does to an answer changes no other."""
    subsets._period.cache_clear()
    counts = np.full(7, 1_000, dtype=np.int64)
    for stop in range(100, 5_000, 100):
        class_sequence(counts, stop)[:] = 0
    assert subsets._period.cache_info().misses <= 7
    assert class_sequence(counts, 50).tolist() == by_loop(counts, 50).tolist()
