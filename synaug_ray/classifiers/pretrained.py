"""A network that was trained on other images, with a new head; images are scaled and normalised as in its training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.optim import param_groups_layer_decay
from torch import Tensor, nn
from torch.nn.functional import interpolate

from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.training.low_rank import add_low_rank
from synaug_ray.training.precision import autocast
from synaug_ray.training.pretrained import Network, open_network

NORMS = (nn.modules.batchnorm._BatchNorm,)


def opened(recipe: ClassifierRecipe, device: torch.device | str = "cpu") -> Network:
    """The network of a recipe with pretrained weights, without a head; raises as ``open_network``."""
    at = f"classifiers: {recipe.name}"
    return open_network(at, recipe.model, recipe.weights, recipe.content, recipe.size, device)


class PretrainedClassifier(nn.Module):
    """Maps images [B, C, H, W] in [-1, 1], grey or colour, of any size, to logits [B, classes].

    Small images stay small in memory, because they are only scaled up here, batch by batch, on the device.
    """

    def __init__(self, recipe: ClassifierRecipe, num_classes: int, seed: int) -> None:
        """Open the network; only the head's weights depend on ``seed``."""
        super().__init__()
        found = opened(recipe)
        self.net: Any = found.net
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net.reset_classifier(num_classes)
            if recipe.tune == "lora":
                add_low_rank(self.net, self.head_parameters(), recipe.lora_rank, recipe.lora_alpha)
        self._input = Input(found)
        self._frozen = recipe.batch_norm == "frozen"

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self._input(x))

    def train(self, mode: bool = True) -> PretrainedClassifier:
        """Set the mode; frozen batch normalisation keeps the means and variances of the pretraining in either mode."""
        super().train(mode)
        if mode and self._frozen:
            for module in self.net.modules():
                if isinstance(module, NORMS):
                    module.eval()
        return self

    def layers(self, decay: float) -> list[tuple[nn.Parameter, float]]:
        """The trained parameters of the body, with ``decay`` to the power of the layers between each and the head."""
        head = {id(p) for p in self.head_parameters()}
        if decay == 1:
            return [(p, 1.0) for p in self.net.parameters() if p.requires_grad and id(p) not in head]
        groups = param_groups_layer_decay(self.net, layer_decay=decay)
        return [(p, float(g["lr_scale"])) for g in groups for p in g["params"] if id(p) not in head]

    def head_parameters(self) -> list[nn.Parameter]:
        """The parameters of the new head."""
        heads = self.net.get_classifier()
        heads = heads if isinstance(heads, (tuple, list)) else (heads,)
        return [parameter for head in heads for parameter in head.parameters()]


class FrozenNetwork:
    """A network without a head that stays as it is, on a device."""

    def __init__(self, recipe: ClassifierRecipe, device: torch.device) -> None:
        found = opened(recipe, device)
        self._recipe, self._device = recipe, device
        self._net = nn.Sequential(Input(found), found.net).to(device).eval()
        self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of images [N, C, H, W], and of their mirror images if the recipe flips: [N, 1 or 2, D]."""
        x = torch.tensor(images, device=self._device).float().div_(127.5).sub_(1)
        views = (x, x.flip(3)) if self._recipe.flip else (x,)
        with torch.inference_mode(), autocast(self._recipe.precision, self._device):
            return torch.stack([self._net(view).float().cpu() for view in views], 1).numpy()


class Input(nn.Module):
    """Converts images in [-1, 1] to what a network expects: three channels, its size, its mean and deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._size, self._mode = network.size, network.interpolation
        for name, values in (("mean", network.mean), ("std", network.std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = ((x + 1) / 2).expand(-1, 3, -1, -1)
        if x.shape[2:] != self._size:
            x = interpolate(x, self._size, mode=self._mode, antialias=True).clamp(0, 1)
        return (x - self.mean) / self.std
