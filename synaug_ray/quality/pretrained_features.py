"""Feature spaces of pretrained networks: DINOv2, Inception, or any of timm's models with local weights."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.functional import interpolate

from synaug_ray.common.errors import DataProblem, UsageProblem, did_you_mean
from synaug_ray.common.text import one_line
from synaug_ray.config.feature_recipes import FeatureRecipe, digest
from synaug_ray.data.images import ImageSet

BATCH = 64


@dataclass(frozen=True)
class PretrainedSpace:
    """A network without its head, and its preprocessing."""

    net: nn.Module
    device: torch.device
    size: tuple[int, int]
    mean: Tensor  # [1, 3, 1, 1], of pixels in [0, 1]
    std: Tensor

    tick: Callable[[float], None] = lambda share: None  # called with the fraction done: a batch takes seconds on a CPU

    def features(self, images: ImageSet) -> NDArray[np.float32]:
        """Pooled features of uint8 images [N, C, H, W], scaled to the network's size: float32 [N, D]."""
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
    """Load a network with all its weights.

    Raises:
        UsageProblem: if timm has no such model.
        DataProblem: if the weights are missing or another model's, or the model refuses the image size.
    """
    import timm
    from timm.data import resolve_data_config

    at, where = f"quality_features: {recipe.name}", torch.device(device)
    names = timm.list_pretrained() if "." in recipe.model else timm.list_models()
    if recipe.model not in names:
        raise UsageProblem(
            f"{at}: timm has no {recipe.model!r}{did_you_mean(recipe.model, names, '.')} "
            "timm.list_models() lists all it has",
            code="unknown-model",
        )
    if recipe.content != digest(recipe.weights):
        raise DataProblem(
            f"{at}: on {socket.gethostname()} {recipe.weights} is missing or has changed (content "
            f"{recipe.content[:12]}); put it there, or where all nodes see it",
            code="weights-changed",
        )
    try:
        try:
            net = _loaded(recipe, recipe.size)
        except TypeError:  # convolutional networks take any size and no such argument
            net = _loaded(recipe, None)
        net = net.to(where).eval()
        wanted = resolve_data_config({}, model=net)
        size = (recipe.size, recipe.size) if recipe.size else tuple(wanted["input_size"][1:])
        with torch.inference_mode():
            out = net(torch.zeros(1, 3, *size, device=where))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # each network refuses in its own way
        said = one_line(error, 200)
        raise DataProblem(
            f"{at}: {recipe.weights} cannot be used as {recipe.model} ({said}); the weights must be its "
            "model.safetensors as published at huggingface.co/timm, and size one that it supports",
            code="weights-unusable",
        ) from None
    if out.ndim != 2:
        raise DataProblem(
            f"{at}: {recipe.model} returns features of shape {tuple(out.shape[1:])} per image instead of one "
            "vector; choose another model",
            code="weights-unusable",
        )
    mean, std = (torch.tensor(wanted[name], device=where).view(1, 3, 1, 1) for name in ("mean", "std"))
    return PretrainedSpace(net, where, (size[0], size[1]), mean, std, tick)


def _loaded(recipe: FeatureRecipe, size: int | None) -> nn.Module:
    import timm

    sized: dict[str, Any] = {} if size is None else {"img_size": size}
    net = timm.create_model(
        recipe.model,
        pretrained=True,
        num_classes=0,
        **sized,
        pretrained_cfg_overlay={"file": recipe.weights, "hf_hub_id": None, "url": ""},
    )
    with safe_open(recipe.weights, "pt") as file:
        absent = sorted(net.state_dict().keys() - set(file.keys()))
    absent = [name for name in absent if not name.endswith("num_batches_tracked")]
    if absent:  # timm would leave them at random and only log it
        raise ValueError(f"{len(absent)} of its weights are not in the file, such as {absent[0]}")
    return net
