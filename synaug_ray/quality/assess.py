"""The audit of one pool: everything measured of it, and the words that belong beside a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from synaug_ray.common.keys import derive_seed
from synaug_ray.data.images import ImageSet, concatenate
from synaug_ray.quality.domain_gap import (
    DomainClassifier,
    Projection,
    SubspaceOverlap,
    projection,
    subspace_overlap,
    tell_apart,
)
from synaug_ray.quality.features import DIMENSIONS, Classifier, train
from synaug_ray.quality.fidelity import MOST as COMPARED
from synaug_ray.quality.fidelity import Fidelity, compare
from synaug_ray.quality.flags import Flag, find
from synaug_ray.quality.label_fidelity import LabelClassifiers, LabelFidelity, label_fidelity, train_judges
from synaug_ray.quality.memorization import Duplicates, Memorization, duplicates, memorization

MOST = 4_096  # images of a pool that are looked at: its first ones
MOST_TRAINING = 10_000  # real images that judges learn from where the Subset has fewer


@dataclass(frozen=True)
class RealReference:
    """What is learnt from real images alone: made once, it measures every pool of the same Subset."""

    subset: ImageSet  # what the generator saw
    held_out: ImageSet  # real images that nothing here was trained on, and never test images
    space: Classifier  # trained on the Subset
    judges: LabelClassifiers  # trained on the Subset and the other training images
    num_classes: int
    seed: int


@dataclass(frozen=True)
class Quality:
    """The audit of the first ``num_pool`` images of a pool; None where there are too few images to say."""

    num_pool: int
    num_real: int  # images the generator saw
    num_held_out: int  # real images compared with, in the pool's class proportions
    confidence: float
    feature_space: str
    flags: tuple[Flag, ...]
    fidelity: Fidelity
    replay: Fidelity  # the same of as many draws, with replacement, from the Subset
    labels: LabelFidelity | None
    memorization: Memorization | None
    duplicates: Duplicates | None
    domain: DomainClassifier | None
    overlap: SubspaceOverlap | None
    projection: Projection | None
    pretrained: dict[str, Fidelity] = field(default_factory=dict)  # the same in other networks' features, by their key

    @property
    def words(self) -> tuple[str, ...]:
        """The flags in a word each, worst first."""
        return tuple(str(flag.word) for flag in self.flags)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)


def real_reference(
    subset: ImageSet,
    held_out: ImageSet,
    num_classes: int,
    others: ImageSet | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> RealReference:
    """Train the feature space and the judges.

    Args:
        subset: the images the generator was trained on.
        held_out: real images outside of ``subset`` and ``others``: the validation split, never the test set.
        others: further real training images, in an order without meaning; the judges of labels learn from them too.
    """
    where = torch.device(device)
    more = max(0, MOST_TRAINING - len(subset))
    training = subset if others is None else concatenate(subset, others.take(np.arange(min(len(others), more))))
    return RealReference(
        subset,
        held_out,
        train(subset, num_classes, derive_seed("space", seed), where),
        train_judges(training, num_classes, derive_seed("judges", seed), where),
        num_classes,
        seed,
    )


class Space(Protocol):
    """What gives features of images, one row each."""

    def features(self, images: ImageSet) -> NDArray[np.float32]:
        """float32 [N, D]."""
        ...


def assess(
    real: RealReference, pool: ImageSet, confidence: float = 0.9, spaces: Mapping[str, Space] = MappingProxyType({})
) -> Quality:
    """Measure a pool. Deterministic for the same images, seed and number of threads.

    Args:
        spaces: networks trained elsewhere, in whose features it is compared with real images too, by their keys.
    """
    pool = pool.take(np.arange(min(len(pool), MOST)))
    subset, space, seed = real.subset, real.space, real.seed
    held_out = matched(real.held_out, pool, real.num_classes, derive_seed("matched", seed))
    again = np.random.default_rng(derive_seed("replay", seed)).integers(0, len(subset), len(pool))
    features, theirs = space.features(pool), space.features(held_out)
    fidelity, replay = (
        compare(theirs, f, derive_seed("fidelity", seed), confidence)
        for f in (features, space.features(subset.take(again)))
    )
    labels = label_fidelity(real.judges, pool, real.held_out, confidence)
    copies = memorization(subset, pool, held_out, space, confidence)
    same = duplicates(subset, pool, held_out, real.judges.training, space.device)
    return Quality(
        len(pool),
        len(subset),
        len(held_out),
        confidence,
        f"{DIMENSIONS} penultimate activations of a small classifier of these {len(subset):,} real images; "
        "nothing pretrained",
        find(fidelity, replay, labels, copies, same),
        fidelity,
        replay,
        labels,
        copies,
        same,
        tell_apart(subset, pool, held_out, derive_seed("domain", seed), space.device, confidence),
        subspace_overlap(held_out, theirs, pool, features, derive_seed("overlap", seed)),
        projection(held_out, theirs, pool, features) if len(held_out) > 1 else None,
        {
            key: compare(
                other.features(_first(held_out)),
                other.features(_first(pool)),
                derive_seed("fidelity", seed),
                confidence,
            )
            for key, other in spaces.items()
        },
    )


def _first(images: ImageSet) -> ImageSet:
    """As many as are compared at most: of large networks each image costs up to a second of a core."""
    return images.take(np.arange(min(len(images), COMPARED)))


def matched(real: ImageSet, pool: ImageSet, num_classes: int, seed: int) -> ImageSet:
    """As many of ``real`` as have the class proportions of ``pool``; classes that one of them lacks are left out.

    Without it a difference of class proportions would pass for one of images.
    """
    have, want = (np.bincount(s.labels, minlength=num_classes) for s in (real, pool))
    both = (have > 0) & (want > 0)
    if not both.any():
        return real.take(np.zeros(0, np.int64))
    most = (have[both] / want[both]).min()
    rng = np.random.default_rng(seed)
    index = [
        rng.permutation(np.flatnonzero(real.labels == c))[: int(most * want[c] + 1e-9)] for c in np.flatnonzero(both)
    ]
    return real.take(rng.permutation(np.concatenate(index)))
