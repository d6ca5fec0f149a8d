"""The order in which training sees images (stateless reshuffled passes), random streams, and micro-batches."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from synaug_ray.common.keys import derive_seed


def passes(num_images: int, seed: int, start: int, count: int) -> Tensor:
    """Indices of the images seen at positions [start, start + count): int64 [count] on the CPU.

    The order of each pass depends on (seed, pass) alone, so training can resume at any position. At any time, the
    numbers of times that two images have been seen differ by at most one.
    """
    parts, place = [], start
    while place < start + count:
        current, offset = divmod(place, num_images)
        part = _order(num_images, seed, current)[offset : offset + start + count - place]
        parts.append(part)
        place += len(part)
    return torch.cat(parts)


def stream(seed: int, device: torch.device) -> torch.Generator:
    """A random number generator on the device that uses it, a function of (seed, kind of device) alone.

    Each batch gets a new one, seeded by the training's seed and the images seen, so that its numbers depend neither on
    time nor on order. CPUs and GPUs give different numbers for the same seed (torch uses a Mersenne twister on CPUs and
    the counter-based Philox on GPUs). Drawing on the CPU for both would make each step on a GPU wait for a copy, and
    results differ between devices by rounding anyway. On a CPU the numbers are those of all earlier results.
    """
    return torch.Generator(device).manual_seed(seed)


def copy_async(index: Tensor, device: torch.device) -> Tensor:
    """Copy a CPU tensor to ``device`` asynchronously: the CPU does not wait for the copy."""
    return index if device.type == "cpu" else index.pin_memory().to(device, non_blocking=True)


def parts_of(batch: int, size: int) -> list[slice]:
    """Split a batch into parts of at most ``size`` images; their gradients, weighted by size, sum to the batch's."""
    return [slice(start, min(start + size, batch)) for start in range(0, batch, size)]


@lru_cache(maxsize=256)
def _order(num_images: int, seed: int, which: int) -> Tensor:
    return torch.randperm(num_images, generator=torch.Generator().manual_seed(derive_seed("pass", seed, which)))
