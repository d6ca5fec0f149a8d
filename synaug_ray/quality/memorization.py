"""Near-copies of training images and duplicates within a pool, compared with real images.

A near-copy is closer to its nearest training image, relative to the distances of the next nearest ones, than held-out
real images are. Thresholds are conformal: they are quantiles over held-out real images, so that for any data a new real
image falls below them at a known base rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components

from synaug_ray.data.images import ImageSet
from synaug_ray.quality.features import Classifier
from synaug_ray.quality.intervals import Interval, share
from synaug_ray.quality.nearest import nearest, pixels, with_mirrored

BASE_RATE = 0.01  # share of real images that count as near-copies, in pixels and in features each
LEAST = 20  # held-out images that the calibration needs
NEXT = 5  # neighbours after the first, with whose mean distance the first one's is compared


@dataclass(frozen=True)
class Memorization:
    """How many of ``num_pool`` images are near-copies of the ``num_real`` training images.

    Sharing is advised against if ``near_copies.low`` exceeds ``base_rate.high``, that is if there are more near-copies
    than the similarity among real images explains.
    """

    num_pool: int
    num_real: int
    num_held_out: int
    near_copies: Interval  # share of images, in pixels or in features
    in_pixels: float  # share of images
    in_features: float  # share of images
    exact: int  # images that are identical to a training image
    base_rate: Interval  # share of real images that count as near-copies
    excess: float  # (near_copies - base_rate) / (1 - base_rate)
    distance_ratio: float  # median pixel distance to the nearest training image, relative to that of held-out images

    @property
    def advise_against_sharing(self) -> bool:
        return self.near_copies.low > self.base_rate.high


@dataclass(frozen=True)
class Duplicates:
    """How many images of a pool are distinct, compared with as many held-out real ones.

    Images count as one if they are linked by distances that only 1% of real images have to their nearest neighbour.
    ``reached`` detects a collapse hidden by noise: images around few centres have few nearest neighbours.
    """

    num_compared: int
    distinct: int  # groups of linked images
    distinct_real: int
    distinct_replay: float  # expected for as many draws with replacement from the Subset
    reached: int  # real images that are the nearest neighbour of some image
    reached_real: int
    spread: float  # root mean square distance to the mean image, relative to held-out real images


def distance_ratio(
    images: NDArray[np.float32], real: NDArray[np.float32], device: torch.device, same: bool = False, views: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The distance of each image to its nearest real image, relative to the mean of the NEXT nearest ones.

    A ratio of 0 is an exact copy, 1 an image between its neighbours. (Carlini et al., arXiv 2301.13188, section 4.2,
    also normalise by many neighbours; a single second neighbour, as in arXiv 2310.02664, misses copies of an image that
    is in the data twice.)

    Args:
        images: float32 [N, D].
        real: float32 [views * M, D]; row i is a view of real image i modulo M.
        same: whether the images are the real ones; then none is its own neighbour.
        views: number of views of each real image, such as 2 with mirrored ones.

    Returns:
        Ratio and distance, float64 [N]; index of the nearest real image, int64 [N].
    """
    count = len(real) // views
    k = min(NEXT + 1, len(real) - views * same)
    if views > 1 and same:  # an image's other views are not its neighbours either
        distance, index = nearest(images, real, min(k + views, len(real)), device)
        other = index % count != np.arange(len(images))[:, None]
        chosen = np.argsort(~other, axis=1, kind="stable")[:, :k]
        distance, index = np.take_along_axis(distance, chosen, 1), np.take_along_axis(index, chosen, 1)
    else:
        distance, index = nearest(images, real, k, device, same)
    index %= count
    if k == 1:
        return np.where(distance[:, 0] > 0, 1.0, 0.0), distance[:, 0], index[:, 0]
    after = distance[:, 1:].mean(1)
    ratio = np.divide(distance[:, 0], after, out=np.zeros(len(images)), where=after > 0)
    return ratio, distance[:, 0], index[:, 0]


def memorization(
    subset: ImageSet,
    pool: ImageSet,
    held_out: ImageSet,
    space: Classifier,
    confidence: float = 0.9,
    mirrors: bool = False,
) -> Memorization | None:
    """Near-copies of ``subset`` in ``pool``; None with fewer than 20 images in the pool or held out.

    Args:
        space: the feature space, trained on ``subset``.
        mirrors: whether copies of mirrored images count, as for a generator that was trained with flips; held-out
            images are then compared with mirrored ones too.
    """
    if min(len(pool), len(held_out)) < LEAST:
        return None
    device = space.device
    seen, views = (with_mirrored(subset), 2) if mirrors else (subset, 1)
    theirs = space.features(seen)
    found, real = (
        [
            distance_ratio(pixels(images), pixels(seen), device, views=views),
            distance_ratio(space.features(images), theirs, device, views=views),
        ]
        for images in (pool, held_out)
    )
    copies, base = (
        np.stack([f[0] <= threshold(r[0]) for f, r in zip(one, real, strict=True)]) for one in (found, real)
    )
    _, distance, _ = found[0]
    rate = base_rate(int(base.any(0).sum()), len(held_out), confidence)
    near = share(float(copies.any(0).sum()), len(pool), confidence)
    median = float(np.median(real[0][1])) or 1.0
    return Memorization(
        len(pool),
        len(subset),
        len(held_out),
        near,
        float(copies[0].mean()),
        float(copies[1].mean()),
        int((distance == 0).sum()),
        rate,
        max(0.0, (near.value - rate.value) / (1 - rate.value)),
        float(np.median(distance)) / median,
    )


def threshold(of_real: NDArray[np.float64], rate: float = BASE_RATE) -> float:
    """The value at or below which a new real image falls with probability ``rate``, or 1/(m+1) if that is larger."""
    rank = max(1, int(rate * (len(of_real) + 1)))
    return float(np.partition(of_real, rank - 1)[rank - 1])


def base_rate(count: int, held_out: int, confidence: float) -> Interval:
    """The rate among new real images (Beta distributed), given ``count`` of ``held_out`` calibration images."""
    rate = stats.beta(count, held_out + 1 - count)
    return Interval(
        count / (held_out + 1), float(rate.ppf((1 - confidence) / 2)), float(rate.ppf((1 + confidence) / 2))
    )


def duplicates(
    subset: ImageSet, pool: ImageSet, held_out: ImageSet, training: ImageSet, device: torch.device
) -> Duplicates | None:
    """Distinct images of ``pool``, by pixels; None with fewer than 20 images in the pool or held out.

    Args:
        subset: the images that the generator was trained on.
        training: these and any further real images, except held-out ones.
    """
    n = min(len(pool), len(held_out))
    if n < LEAST:
        return None
    x, y = pixels(pool)[:n], pixels(held_out)[:n]
    limit = threshold(nearest(y, y, 1, device, same=True)[0][:, 0])
    seen = len(subset)
    reached = [len(np.unique(nearest(images, pixels(training), 1, device)[1])) for images in (x, y)]
    return Duplicates(
        n,
        _groups(x, limit, device),
        _groups(y, limit, device),
        seen * (1 - (1 - 1 / seen) ** n),
        reached[0],
        reached[1],
        _spread(x) / (_spread(y) or 1.0),
    )


def _groups(x: NDArray[np.float32], limit: float, device: torch.device) -> int:
    k = min(len(x) - 1, 32)
    distance, index = nearest(x, x, k, device, same=True)
    row, column = np.nonzero(distance <= limit)
    links = sparse.coo_array((np.ones(len(row)), (row, index[row, column])), shape=(len(x), len(x)))
    return int(connected_components(links, directed=False)[0])


def _spread(x: NDArray[np.float32]) -> float:
    return float(np.sqrt(x.var(0, dtype=np.float64).sum()))
