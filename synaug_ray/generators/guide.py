"""Guided sampling: each image starts from a real one with noise, not from noise alone (SDEdit, arXiv 2108.01073).

He et al. (arXiv 2210.07574) call it real guidance. Guided images keep what the noise leaves of their real image, so at
low strength they are near-copies, by design.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import sources_in_turn

# images of a pool by number -> the real images that they start from, [B, C, H, W]
Starts = Callable[[list[int]], Tensor]
HELD_OUT = "held-out"


def starts_of(
    sampler: SamplerRecipe, real: ImageSet | None, class_counts: NDArray[np.int64], index: range, device: torch.device
) -> Starts | None:
    """The real images that images ``index`` of a pool start from, in [-1, 1]; None where they start from noise alone.

    Args:
        real: the images that the generator was trained on, or held-out ones in their order, as ``sampler.start`` says.
        class_counts: of them, [K].
    """
    if sampler.strength == 1:
        return None
    assert real is not None
    held_out = sampler.start == HELD_OUT
    source = np.arange(len(real)) if held_out else sources_in_turn(real.labels, class_counts, index.stop)

    def starts(rows: list[int]) -> Tensor:
        return torch.tensor(real.images[source[rows]], device=device).float().div_(127.5).sub_(1)

    return starts


def labels_of(sampler: SamplerRecipe, real: ImageSet | None, index: range) -> NDArray[np.int64] | None:
    """Labels of images ``index`` of a pool that starts from held-out images, int64 [N]; None for any other."""
    if sampler.strength == 1 or sampler.start != HELD_OUT:
        return None
    assert real is not None
    return real.labels[index.start : index.stop]
