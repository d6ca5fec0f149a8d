"""The order in which a training sees its images: endless reshuffled passes, without state; and a batch in parts."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from synaug_ray.common.keys import derive_seed


def passes(num_images: int, seed: int, start: int, count: int) -> Tensor:
    """Indices of the images seen at places [start, start + count): int64 [count] on the CPU.

    Every pass over the images has an order of its own that depends on (seed, pass) alone, so a
    training can go on from any place, and every image has been seen equally often within one.
    """
    parts, place = [], start
    while place < start + count:
        current, offset = divmod(place, num_images)
        part = _order(num_images, seed, current)[offset : offset + start + count - place]
        parts.append(part)
        place += len(part)
    return torch.cat(parts)


def parts_of(batch: int, size: int) -> list[slice]:
    """A batch in parts of at most ``size``: their gradients, each weighed by its share, add up to the batch's."""
    return [slice(start, min(start + size, batch)) for start in range(0, batch, size)]


@lru_cache(maxsize=256)
def _order(num_images: int, seed: int, which: int) -> Tensor:
    return torch.randperm(num_images, generator=torch.Generator().manual_seed(derive_seed("pass", seed, which)))
