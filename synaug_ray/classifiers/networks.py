"""Networks in training: one alone, or a pack of them as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from synaug_ray.classifiers.pretrained import PretrainedClassifier
from synaug_ray.classifiers.stages import head_names, momenta, renew_statistics
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.training.low_rank import merged


class Single:
    """A pack of one: the plain module, so that any network can be trained, also one with batch normalisation.

    In channels-last layout, a step of the CNN at 16 px takes 22 ms of a core instead of 32, and evaluation a third.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._momenta = momenta(net)
        self._start: dict[int, Tensor] = {}  # of weights that decay to those of the pretraining

    def groups(self, recipe: ClassifierRecipe) -> list[dict[str, Any]]:
        """Parameters for the optimiser, with the peaks of their learning rates."""
        rate, head_rate = recipe.optimiser.learning_rate, recipe.head_learning_rate
        plain = recipe.layer_decay == 1 and recipe.decay_to == "zero" and recipe.tune == "all"
        if not isinstance(self.net, PretrainedClassifier) or (head_rate is None and plain):
            return [{"params": list(self.net.parameters()), "peak": rate}]
        scales: dict[float, list[nn.Parameter]] = {}
        for parameter, scale in self.net.layers(recipe.layer_decay):
            scales.setdefault(scale, []).append(parameter)
        body: list[dict[str, Any]] = [{"params": params, "peak": rate * scale} for scale, params in scales.items()]
        if recipe.decay_to == "weights" and recipe.tune == "all":
            if not self._start:  # of the pretraining: a second stage is pulled there, too
                self._start = {id(p): p.detach().clone() for group in body for p in group["params"]}
            body = [group | {"start": [self._start[id(p)] for p in group["params"]]} for group in body]
        return [*body, {"params": self.net.head_parameters(), "peak": rate if head_rate is None else head_rate}]

    def weights(self) -> dict[str, Tensor]:
        """The network's state dict, on the CPU."""
        return {k: v.detach().cpu().contiguous().clone() for k, v in merged(self.net).items()}

    def new_heads(self, nets: Sequence[nn.Module]) -> None:
        """Take the last layer of ``nets[0]``; all else stays."""
        own = dict(self.net.named_parameters())
        with torch.no_grad():
            for name in head_names(self.net):
                own[name].copy_(nets[0].get_parameter(name))

    def renew_statistics(self, step: int) -> None:
        """Prepare batch normalisation for batch ``step`` of a later stage: ``stages.renew_statistics``."""
        self.net.train()
        renew_statistics(self.net, self._momenta, step)

    def logits(self, x: Tensor, train: bool) -> Tensor:
        """[1, B, C, H, W] -> [1, B, K]."""
        self.net.train(train)
        return self.net(x[0].contiguous(memory_format=torch.channels_last))[None]


class Pack:
    """K networks as one, with stacked parameters."""

    def __init__(self, nets: list[nn.Module]) -> None:
        self.base = nets[0]
        self.params, self.buffers = stack_module_state(nets)
        if self.buffers:
            raise ValueError(f"{type(self.base).__name__} has buffers (batch normalisation?): use pack: 1")

        def one(params: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(self.base, params, (x,))

        self.forward = vmap(one)

    def groups(self, recipe: ClassifierRecipe) -> list[dict[str, Any]]:
        """Parameters for the optimiser, with the peak of their learning rate."""
        return [{"params": list(self.params.values()), "peak": recipe.optimiser.learning_rate}]

    def weights(self) -> dict[str, Tensor]:
        """The first network's state dict, on the CPU."""
        return {k: v[0].detach().cpu().contiguous().clone() for k, v in self.params.items()}

    def new_heads(self, nets: Sequence[nn.Module]) -> None:
        """Take the last layers of as many ``nets``; all else stays."""
        with torch.no_grad():
            for name in head_names(self.base):
                for k, net in enumerate(nets):
                    self.params[name][k].copy_(net.get_parameter(name))

    def renew_statistics(self, step: int) -> None:
        """Nothing: there is no batch normalisation in a pack."""

    def logits(self, x: Tensor, train: bool) -> Tensor:
        """[K, B, C, H, W] -> [K, B, classes]."""
        self.base.train(train)
        return self.forward(self.params, x)
