"""The quality check of one pool: all measurements, and flags."""

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
    SubspaceOverlap,
    real_versus_synthetic,
    subspace_overlap,
)
from synaug_ray.quality.features import DIMENSIONS, Classifier, train
from synaug_ray.quality.fidelity import MOST as COMPARED
from synaug_ray.quality.fidelity import Fidelity, compare
from synaug_ray.quality.flags import Flag, find
from synaug_ray.quality.label_classifiers import LabelClassifiers, of_data_set
from synaug_ray.quality.label_fidelity import LabelFidelity, label_fidelity
from synaug_ray.quality.membership import Membership, membership
from synaug_ray.quality.memorization import Duplicates, Memorization, duplicates, memorization
from synaug_ray.quality.plane import Plane, plane

MOST = 4_096  # only the first so many images of a pool are checked


@dataclass(frozen=True)
class RealReference:
    """Real images, and networks trained on them once for all pools of the same Subset."""

    subset: ImageSet  # what the generator was trained on
    held_out: ImageSet  # real images on which nothing was trained, never test images
    space: Classifier  # the feature space; trained on the Subset
    training: ImageSet  # the Subset and other training images, with which the variety of a pool is compared
    label_classifiers: LabelClassifiers  # trained on all training images of the data set
    num_classes: int
    seed: int


@dataclass(frozen=True)
class Quality:
    """The quality check of a pool's first ``num_pool`` images; measurements are None if there are too few images."""

    num_pool: int
    num_real: int  # images that the generator was trained on
    num_held_out: int  # held-out real images for comparison, in the pool's class proportions
    confidence: float
    feature_space: str
    flags: tuple[Flag, ...]
    fidelity: Fidelity
    replay: Fidelity  # the same for as many images drawn from the Subset with replacement
    labels: LabelFidelity | None
    memorization: Memorization | None
    duplicates: Duplicates | None
    domain: DomainClassifier | None
    overlap: SubspaceOverlap | None
    membership: Membership | None
    plane: Plane | None = None  # held-out real images and the pool, as points
    pretrained: dict[str, Fidelity] = field(
        default_factory=dict
    )  # fidelity in pretrained networks' features, by their key

    @property
    def words(self) -> tuple[str, ...]:
        """The flags' words, the worst first."""
        return tuple(str(flag.word) for flag in self.flags)

    def as_json(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return dataclasses.asdict(self)


def real_reference(
    subset: ImageSet,
    held_out: ImageSet,
    num_classes: int,
    others: ImageSet | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    label_classifiers: LabelClassifiers | None = None,
) -> RealReference:
    """Train the feature space, and the label classifiers if they are not given.

    Args:
        subset: the images that the generator was trained on.
        held_out: real images outside ``subset`` and ``others``: the validation split, never the test set.
        others: further real training images, in random order.
        label_classifiers: the data set's; by default, they are trained on ``subset`` and ``others``.
    """
    where = torch.device(device)
    training = subset if others is None else concatenate(subset, others)
    return RealReference(
        subset=subset,
        held_out=held_out,
        space=train(subset, num_classes, derive_seed("space", seed), where),
        training=training,
        # this label must never change: with another seed, other classifiers would be trained
        label_classifiers=label_classifiers or of_data_set(training, num_classes, derive_seed("judges", seed), where),
        num_classes=num_classes,
        seed=seed,
    )


class Space(Protocol):
    """A feature extractor: one row per image."""

    def features(self, images: ImageSet) -> NDArray[np.float32]:
        """Features of N images, float32 [N, D]."""
        ...


def assess(
    real: RealReference,
    pool: ImageSet,
    confidence: float = 0.9,
    spaces: Mapping[str, Space] = MappingProxyType({}),
    mirrors: bool = False,
) -> Quality:
    """Measure a pool; deterministic for the same images, seed and number of threads.

    Args:
        confidence: of all intervals.
        spaces: pretrained networks by key; the pool is also compared with real images in their features.
        mirrors: whether the generator was trained on mirrored images too, so that copies may be mirrored.
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
    labels = label_fidelity(real.label_classifiers, pool, real.held_out, confidence)
    copies = memorization(subset, pool, held_out, space, confidence, mirrors)
    same = duplicates(subset, pool, held_out, real.training, space.device)
    return Quality(
        num_pool=len(pool),
        num_real=len(subset),
        num_held_out=len(held_out),
        confidence=confidence,
        feature_space=f"{DIMENSIONS} penultimate activations of a small classifier of these {len(subset):,} real "
        "images; nothing pretrained",
        flags=find(fidelity, replay, labels, copies, same),
        fidelity=fidelity,
        replay=replay,
        labels=labels,
        memorization=copies,
        duplicates=same,
        domain=real_versus_synthetic(
            subset, pool, held_out, derive_seed("domain", seed), space.device, confidence, mirrors
        ),
        plane=plane(theirs, features),
        membership=membership(
            subset,
            pool,
            held_out,
            real.training.take(np.arange(len(subset), len(real.training))),
            derive_seed("membership", seed),
            space.device,
            confidence,
            mirrors,
        ),
        overlap=subspace_overlap(held_out, theirs, pool, features, derive_seed("overlap", seed)),
        pretrained={
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
    """Only as many images as are compared: a large network takes up to a second of a core per image."""
    return images.take(np.arange(min(len(images), COMPARED)))


def matched(real: ImageSet, pool: ImageSet, num_classes: int, seed: int) -> ImageSet:
    """The largest subset of ``real`` in the class proportions of ``pool``; classes missing in either are left out.

    Otherwise different class proportions would be mistaken for different images.
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
