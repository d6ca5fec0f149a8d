"""Nested subsets: prefixes of one seeded permutation per draw, in class proportion at every length."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.keys import derive_seed
from synaug_ray.data.images import ImageSet
from synaug_ray.plan.subset import Subset


def class_sequence(counts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Classes in an order whose every prefix holds each class within one of its share.

    The chairman assignment of Tijdeman (1980, Discrete Mathematics 32, 323-330): at each place, among
    the classes that may have the next one without running ahead, the one whose deadline comes first.
    The sequence repeats after ``counts.sum()`` places, where every count is met exactly.

    Args:
        counts: images of each class, int64 [K]; shares are ``counts / counts.sum()``.
        length: how many places, any number.

    Returns:
        int64 [length], values in [0, K).
    """
    counts = np.asarray(counts, dtype=np.int64)
    period, present = int(counts.sum()), np.flatnonzero(counts)
    if len(present) == 1:
        return np.full(length, present[0], dtype=np.int64)
    # a pool's shards ask one after another for ever longer prefixes: a power of two is made once for many of them
    places = min(1 << max(length - 1, 0).bit_length(), period)
    return np.resize(_period(counts.tobytes(), places)[: min(length, period)], length)


@lru_cache(maxsize=32)
def _period(stored: bytes, places: int) -> NDArray[np.int64]:
    """The first places of a ``class_sequence``, of int64 counts as bytes; not more than one period of it."""
    counts = np.frombuffer(stored, dtype=np.int64)
    period, present = int(counts.sum()), np.flatnonzero(counts)
    share = counts[present] / period
    slack = 1 - 1 / (2 * len(present) - 2)
    given = np.zeros(len(present))
    order = np.empty(places, dtype=np.int64)
    for place in range(len(order)):
        lag = share * (place + 1) - given
        deadline = np.where(lag >= 1 - slack - 1e-9, (slack - lag) / share, np.inf)
        pick = int(np.argmin(deadline))
        given[pick] += 1
        order[place] = present[pick]
    order.setflags(write=False)
    return order


def sources_in_turn(labels: NDArray[np.int64], class_counts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The real image, as an index into ``labels``, that each of the first images of a pool starts from; int64 [length].

    The k-th image of a class in the pool starts from the k-th real one of that class, and from the first again after
    the last; so its label is that of its source, and a longer pool begins with a shorter one.
    """
    order, found = class_sequence(class_counts, length), np.empty(length, dtype=np.int64)
    for label in np.unique(order):
        at, of_class = np.flatnonzero(order == label), np.flatnonzero(labels == label)
        found[at] = of_class[np.arange(len(at)) % len(of_class)]
    return found


def permutation(
    train: ImageSet, num_classes: int, draw: int, data_key: str, stratify: Literal["natural", "balanced"]
) -> NDArray[np.int64]:
    """The order of one draw: int64 indices into ``train``; the Subset of ``num_real`` is its prefix.

    ``natural`` orders all images; ``balanced`` as many as the smallest class allows.
    """
    rng = np.random.default_rng(derive_seed("permutation", data_key, draw))
    by_class = [rng.permutation(np.flatnonzero(train.labels == c)) for c in range(num_classes)]
    sizes = np.array([len(members) for members in by_class])
    counts = sizes if stratify == "natural" else np.full(num_classes, sizes.min())
    classes = class_sequence(counts, int(counts.sum()))
    order = np.empty(len(classes), dtype=np.int64)
    for c in range(num_classes):
        places = np.flatnonzero(classes == c)
        order[places] = by_class[c][: len(places)]
    return order


class Draws:
    """The permutations of one data set, each made once."""

    def __init__(self, train: ImageSet, num_classes: int) -> None:
        self._train, self._num_classes = train, num_classes
        self._order = lru_cache(maxsize=None)(self._make)

    def _make(self, draw: int, data_key: str, stratify: Literal["natural", "balanced"]) -> NDArray[np.int64]:
        return permutation(self._train, self._num_classes, draw, data_key, stratify)

    def index(self, subset: Subset) -> NDArray[np.int64]:
        """Indices of a Subset's images, int64 [num_real]."""
        return self.order(subset)[: subset.num_real]

    def order(self, subset: Subset) -> NDArray[np.int64]:
        """The whole permutation that the Subset is a prefix of."""
        return self._order(subset.draw, subset.data.key, subset.stratify)
