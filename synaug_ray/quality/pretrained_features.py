"""Feature spaces of pretrained networks: DINOv2, Inception, or any of timm's models with local weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.training.pretrained import open_network

BATCH = 64


@dataclass(frozen=True)
class PretrainedSpace:
    """A network without its head, and its preprocessing."""

    net: nn.Module
    device: torch.device
    size: tuple[int, int]  # height and width of its input, in pixels
    mean: Tensor  # [1, 3, 1, 1], of pixels in [0, 1]
    std: Tensor  # [1, 3, 1, 1]

    tick: Callable[[float], None] = lambda share: (
        None
    )  # called with the fraction done after each batch, which takes seconds on a CPU

    def features(self, images: ImageSet) -> NDArray[np.float32]:
        """Pooled features, float32 [N, D], of uint8 images [N, C, H, W], which are scaled to the network's size."""
        chunks = []
        for start in range(0, len(images), BATCH):
            self.tick(start / len(images))
            x = torch.tensor(images.images[start : start + BATCH], device=self.device).float() / 255
            x = interpolate(x.expand(-1, 3, -1, -1), self.size, mode="bicubic", antialias=True).clamp(0, 1)
            with torch.inference_mode():
                chunks.append(self.net((x - self.mean) / self.std).float().cpu())
        return torch.cat(chunks).clone().numpy()


def open_space(
    recipe: FeatureRecipe, device: torch.device | str = "cpu", tick: Callable[[float], None] = lambda share: None
) -> PretrainedSpace:
    """Load a network with all of its weights.

    Raises:
        UsageProblem: if timm has no such model.
        DataProblem: if the weights are missing or another model's, or the model does not support the image size.
    """
    where = torch.device(device)
    found = open_network(
        f"quality_features: {recipe.name}", recipe.model, recipe.weights, recipe.content, recipe.size, where
    )
    mean, std = (torch.tensor(values, device=where).view(1, 3, 1, 1) for values in (found.mean, found.std))
    return PretrainedSpace(found.net, where, found.size, mean, std, tick)
