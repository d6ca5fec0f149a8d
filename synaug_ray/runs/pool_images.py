"""The images of a finished run's pool, read from the Store, and where those of a hybrid come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from safetensors.numpy import load as load_arrays

from synaug_ray.common.errors import StorageProblem
from synaug_ray.data.images import interleave
from synaug_ray.plan.hybrid import HybridPool
from synaug_ray.plan.steps import Pool
from synaug_ray.runs.run import RunStatus
from synaug_ray.store.store import CorruptPayload, MissingRecord


def pool_images(run: RunStatus, pool: Pool, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images, uint8 [count, C, H, W], and labels [count], in the Pool's order.

    Raises:
        StorageProblem: where images are missing from the Store.
    """
    parts = {}
    for i, (part, number) in enumerate(pool.taken(count)):
        if number:
            parts[i] = _first(run, part, number)
    if not isinstance(pool, HybridPool):
        return parts[0]
    turns = pool.turns(count)
    images, labels = ({i: arrays[which] for i, arrays in parts.items()} for which in (0, 1))
    return interleave(turns, images), interleave(turns, labels)


def _first(run: RunStatus, pool: Pool, count: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = [], []
    for step in pool.shards(count):
        try:
            arrays = load_arrays(run.store.read(run.store.record("shard", step.key), "images.safetensors"))
        except (MissingRecord, CorruptPayload):
            raise StorageProblem(
                f"{run.folder.url}: images of this generator are missing from the Store; run the grid's command again, "
                "which makes them",
                code="images-missing",
            ) from None
        images.append(arrays["images"])
        labels.append(arrays["labels"])
    return np.concatenate(images)[:count], np.concatenate(labels)[:count]


def parts_of(pool: Pool, count: int) -> list[dict[str, Any]]:
    """Where the images of a hybrid come from."""
    return [
        {
            "generator": part.generator.recipe.name,
            "generator_key": part.generator.key,
            "pool_key": part.key,
            "images": number,
            "trained_on": 0 if part.generator.recipe.open_set else part.generator.subset.num_real,
        }
        for part, number in pool.taken(count)
    ]
