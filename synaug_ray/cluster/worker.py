"""A worker's bench: the same in a trainer, a sampler and a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import ObjectLostError

from synaug_ray.bench import Bench, Machine
from synaug_ray.cluster.settings import Slots
from synaug_ray.data.images import ImageSet
from synaug_ray.steps import ShardStep
from synaug_ray.store import Store


@dataclass(frozen=True)
class Materials:
    """What workers of every kind are handed: where the Store is, and references to what is shared."""

    store: str
    dataset: Any  # reference to a Dataset
    ledger: Any  # handle of the Ledger
    slots: Slots
    session: str


def bench_here(materials: Materials) -> Bench:
    """Images without a copy from the object store; shards from there too, else from the Store."""

    def fetch(step: ShardStep) -> ImageSet | None:
        found = ray.get(materials.ledger.get.remote(step.key))
        if not found:
            return None
        try:
            images = images_of(ray.get(found[0]))
        except ObjectLostError:  # its node is gone: the Store has it
            return None
        return images if len(images) else None

    machine = Machine(materials.slots.device, 1, materials.session)
    return Bench(Store(materials.store), ray.get(materials.dataset), machine, fetch)


def images_of(block: Any) -> ImageSet:
    """The images of a sampled block, without a copy where Arrow allows it."""
    from ray.data.block import BlockAccessor

    arrays = BlockAccessor.for_block(block).to_numpy(["images", "labels"])
    assert isinstance(arrays, dict)
    return ImageSet(np.asarray(arrays["images"]), np.asarray(arrays["labels"]))
