"""The device and the random images of timings."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from synaug_ray.data.images import ImageSet
from synaug_ray.engine.counting import Shape
from synaug_ray.plan.footprint import Count

IMAGES = 256  # random images for training: their content does not affect the time
GUESS = 2e10  # operations a second before the first measurement: those of a slow core, so that no step is too long
MEMORY = 2e9  # largest number of bytes of a timed batch


@dataclass(frozen=True)
class Bench:
    """The device and the data for timings."""

    shape: Shape
    num_classes: int
    device: torch.device
    rate: float = GUESS  # operations a second

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(c) for c in range(self.num_classes))

    def images(self, count: int = IMAGES) -> ImageSet:
        pixels = np.random.default_rng(0).integers(0, 256, (count, *self.shape), dtype=np.uint8)
        return ImageSet(pixels, np.arange(count, dtype=np.int64) % self.num_classes)

    def now(self) -> float:
        """CPU seconds of this process; with a GPU, seconds of the clock after all its work is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def batch(self, count: Count, batch: int, seconds: float, least: int = 1) -> int:
        """The number of images, at most ``batch``, that should take about ``seconds`` and little memory."""
        by_time, by_memory = seconds * self.rate / max(count.flops, 1), MEMORY / max(count.each, 1)
        return max(least, min(batch, int(by_time), int(by_memory)))
