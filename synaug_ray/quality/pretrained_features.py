"""A feature space of a network trained elsewhere: DINOv2's, Inception's, or any of timm's whose weights are at hand."""

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
    """A network without its head, and what it wants to be fed."""

    net: nn.Module
    device: torch.device
    size: tuple[int, int]
    mean: Tensor  # [1, 3, 1, 1], of pixels in [0, 1]
    std: Tensor

    tick: Callable[[float], None] = lambda share: None  # told of the share done: some seconds a batch on a CPU

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
    """The network with its weights, all of which have to be there.

    Raises:
        UsageProblem: for a name that timm does not have.
        DataProblem: for weights that are not its own, or an image size that it does not take.
    """
    import timm
    from timm.data import resolve_data_config

    at, where = f"quality_features: {recipe.name}", torch.device(device)
    names = timm.list_pretrained() if "." in recipe.model else timm.list_models()
    if recipe.model not in names:
        raise UsageProblem(
            f"{at}: timm has no {recipe.model!r}{did_you_mean(recipe.model, names, '.')} "
            "timm.list_models() lists all it has"
        )
    if recipe.content != digest(recipe.weights):
        raise DataProblem(
            f"{at}: on {socket.gethostname()} {recipe.weights} is not there, or not what it was (content "
            f"{recipe.content[:12]}); put it there, or where all nodes see it"
        )
    try:
        try:
            net = _loaded(recipe, recipe.size)
        except TypeError:  # convolutions take any size without being told
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
            f"{at}: {recipe.weights} cannot be used as {recipe.model} ({said}); the weights have to be "
            "its model.safetensors as published at huggingface.co/timm, and size one that it takes"
        ) from None
    if out.ndim != 2:
        raise DataProblem(
            f"{at}: {recipe.model} gives {tuple(out.shape[1:])} for an image, where one row of features "
            "is needed; choose another model"
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
        lacking = sorted(net.state_dict().keys() - set(file.keys()))
    lacking = [name for name in lacking if not name.endswith("num_batches_tracked")]
    if lacking:  # timm would leave them as they were drawn, and say so in a log
        raise ValueError(f"{len(lacking)} of its weights are not in the file, {lacking[0]} for one")
    return net
