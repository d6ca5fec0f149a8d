"""The order in which training sees its images, as stateless reshuffled passes; and micro-batches."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from synaug_ray.common.keys import derive_seed


def passes(num_images: int, seed: int, start: int, count: int) -> Tensor:
    """Indices of the images seen at positions [start, start + count): int64 [count] on the CPU.

    The order of each pass depends on (seed, pass) alone, so training can resume at any position, and
    at any time the numbers of times that images have been seen differ by at most one.
    """
    parts, place = [], start
    while place < start + count:
        current, offset = divmod(place, num_images)
        part = _order(num_images, seed, current)[offset : offset + start + count - place]
        parts.append(part)
        place += len(part)
    return torch.cat(parts)


def parts_of(batch: int, size: int) -> list[slice]:
    """Split a batch into parts of at most ``size``; their gradients, weighted by size, sum to the batch's."""
    return [slice(start, min(start + size, batch)) for start in range(0, batch, size)]


@lru_cache(maxsize=256)
def _order(num_images: int, seed: int, which: int) -> Tensor:
    return torch.randperm(num_images, generator=torch.Generator().manual_seed(derive_seed("pass", seed, which)))
