"""The order in which training sees its images, as stateless reshuffled passes; random streams; micro-batches."""

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


def stream(seed: int, device: torch.device) -> torch.Generator:
    """A random stream on the device that uses it, a function of (seed, kind of device) alone.

    A training takes a new one for each batch, from its own seed and the images seen, so that its numbers depend on
    neither time nor order. A CPU and a GPU give different numbers for one seed: torch's generators are a Mersenne
    twister and the counter-based Philox. Drawing on the CPU for both would make each step of a GPU wait for a copy, and
    results differ between devices by rounding anyway. The numbers of a CPU are those of all earlier results.
    """
    return torch.Generator(device).manual_seed(seed)


def sent(index: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on ``device``; the CPU does not wait until it is there."""
    return index if device.type == "cpu" else index.pin_memory().to(device, non_blocking=True)


def parts_of(batch: int, size: int) -> list[slice]:
    """Split a batch into parts of at most ``size``; their gradients, weighted by size, sum to the batch's."""
    return [slice(start, min(start + size, batch)) for start in range(0, batch, size)]


@lru_cache(maxsize=256)
def _order(num_images: int, seed: int, which: int) -> Tensor:
    return torch.randperm(num_images, generator=torch.Generator().manual_seed(derive_seed("pass", seed, which)))
