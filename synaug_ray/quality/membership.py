"""Can somebody who has the synthetic images alone tell which real images the generator was trained on?

The attacker of GAN-Leaks (Chen et al., arXiv 1909.03935): a real image is taken for a training image the more, the
nearer its closest synthetic image is, compared with other real images. Vendors of synthetic data also count how many
synthetic images are closer to a training image than to any of as many others (the share by distance to closest record,
DCR).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synaug_ray.common.keys import derive_seed
from synaug_ray.data.images import ImageSet
from synaug_ray.quality.intervals import Interval, share, weighted_mean
from synaug_ray.quality.nearest import nearest, pixels, with_mirrored

LEAST = 20  # training images, and others


@dataclass(frozen=True)
class Membership:
    """An attack on ``members`` training images and ``others`` real images that the generator has not seen.

    Without any leak the AUC is 0.5, the advantage 0 and ``closer`` 0.5, up to noise.
    """

    members: int
    others: int
    auc: Interval  # the probability that a training image scores higher than another one; ties count half
    advantage: Interval  # true positive rate - false positive rate, at a threshold chosen on other images
    # Share of synthetic images that are closer to a training image than to any of as many others; if only a part of the
    # training images is compared because there are fewer others, copies of the rest count as ties by chance
    closer: Interval


def membership(
    subset: ImageSet,
    pool: ImageSet,
    held_out: ImageSet,
    reference: ImageSet,
    seed: int,
    device: torch.device,
    confidence: float = 0.9,
    mirrors: bool = False,
) -> Membership | None:
    """Attack a pool; None with fewer than LEAST images of any kind.

    Args:
        subset: the images that the generator was trained on.
        held_out: real images that it has not seen.
        reference: other real images, whose distance says how rare an image is anyway; may be empty.
        mirrors: whether the generator was trained on mirrored images too.
    """
    if min(len(subset), len(held_out), len(pool)) < LEAST:
        return None
    seen = pixels(with_mirrored(pool) if mirrors else pool)
    rare = pixels(with_mirrored(reference) if mirrors else reference) if len(reference) else seen

    def scores(images: ImageSet) -> NDArray[np.float64]:
        near = nearest(pixels(images), seen, 1, device)[0][:, 0]
        usual = nearest(pixels(images), rare, 1, device)[0][:, 0] if len(reference) else 1.0
        return -np.log((near + 1e-6) / (usual + 1e-6))

    mine, theirs = scores(subset), scores(held_out)
    rng = np.random.default_rng(derive_seed("membership", seed))
    return Membership(
        len(mine),
        len(theirs),
        auc(mine, theirs, confidence),
        advantage(mine, theirs, rng, confidence),
        _closer(subset, held_out, pool, rng, device, confidence, mirrors),
    )


def auc(mine: NDArray[np.float64], theirs: NDArray[np.float64], confidence: float) -> Interval:
    """P(mine > theirs) + P(equal) / 2, with Wilson's interval at the sample size that DeLong's variance is equal to.

    DeLong et al. 1988, Biometrics 44, 837-845. Where the variance is 0 the size is that of the smaller group.
    """
    wins = (np.sign(mine[:, None] - theirs[None, :]) + 1) / 2
    value, of_mine, of_theirs = float(wins.mean()), wins.mean(1), wins.mean(0)
    variance = of_mine.var(ddof=1) / len(mine) + of_theirs.var(ddof=1) / len(theirs)
    size = value * (1 - value) / variance if variance > 0 else min(len(mine), len(theirs))
    return share(float(value * size), float(size), confidence)


def advantage(
    mine: NDArray[np.float64], theirs: NDArray[np.float64], rng: np.random.Generator, confidence: float
) -> Interval:
    """The true positive rate less the false positive rate, at thresholds that are each chosen on the other half.

    So it is 0 on average where there is nothing to find; where there is, it is a little less than at the best one.
    """
    halves = [rng.permutation(len(x)) % 2 for x in (mine, theirs)]
    hits = false = 0.0
    for k in (0, 1):
        (a, b), (own, other) = (
            [x[half != k] for x, half in zip((mine, theirs), halves, strict=True)],
            [x[half == k] for x, half in zip((mine, theirs), halves, strict=True)],
        )
        values = np.unique(np.concatenate([a, b]))
        gained = [(a >= v).mean() - (b >= v).mean() for v in values]
        limit = values[int(np.argmax(gained))]
        hits, false = hits + float((own >= limit).sum()), false + float((other >= limit).sum())
    right = share(hits, len(mine), confidence), share(len(theirs) - false, len(theirs), confidence)
    both = weighted_mean(right, [1, 1])  # true positive rate and 1 - false positive rate
    return Interval(*(2 * x - 1 for x in (both.value, both.low, both.high)))


def _closer(
    subset: ImageSet,
    held_out: ImageSet,
    pool: ImageSet,
    rng: np.random.Generator,
    device: torch.device,
    confidence: float,
    mirrors: bool,
) -> Interval:
    count = min(len(subset), len(held_out))
    sides = [images.take(rng.permutation(len(images))[:count]) for images in (subset, held_out)]
    to_own, to_other = (
        nearest(pixels(pool), pixels(with_mirrored(side) if mirrors else side), 1, device)[0][:, 0] for side in sides
    )
    return share(float((to_own < to_other).sum() + 0.5 * (to_own == to_other).sum()), len(pool), confidence)
