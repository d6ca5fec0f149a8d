"""LoRA: each layer's weights stay as they are, and a product of two small matrices is added (arXiv 2106.09685)."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """Adds ``scale`` times a matrix of low rank to a weight, whose rows are its first dimension; at first zero.

    ``applied`` is the share of it that is added: 1, or less once it is trained.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        rows, columns = len(weight), weight[0].numel()
        rank = min(rank, rows, columns)
        self.down = nn.Parameter(torch.empty(rank, columns, device=weight.device))
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device))
        self.scale, self.applied = alpha / rank, 1.0
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        if not self.applied:
            return weight
        return weight + self.scale * self.applied * (self.up @ self.down).view_as(weight)


def add_low_rank(net: nn.Module, trained: Collection[nn.Parameter], rank: int, alpha: float, within: str = "") -> None:
    """Train a change of low rank of every linear layer and convolution, and ``trained``; nothing else of ``net``.

    Args:
        within: part of the names of the layers that change; empty is all.
    """
    kept = {id(p) for p in trained}
    for parameter in net.parameters():
        parameter.requires_grad_(id(parameter) in kept)
    for name, module in list(net.named_modules()):
        if within in name and isinstance(module, (nn.Linear, nn.Conv2d)) and id(module.weight) not in kept:
            # unsafe: nothing is checked, which would compute each weight once more
            parametrize.register_parametrization(module, "weight", LowRank(module.weight, rank, alpha), unsafe=True)


def merged(net: nn.Module) -> dict[str, Tensor]:
    """The state dict of a network without ``add_low_rank`` that has the weights of ``net`` with their changes."""
    changed: dict[str, Any] = {
        f"{name}.weight": m.weight for name, m in net.named_modules() if parametrize.is_parametrized(m, "weight")
    }
    return {k: v for k, v in net.state_dict().items() if ".parametrizations." not in k} | changed


def changes(net: nn.Module) -> dict[str, LowRank]:
    """The changes of ``add_low_rank``, by the names of their layers."""
    found = {}
    for name, module in net.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            (found[name],) = module.parametrizations.weight  # type: ignore[union-attr, misc]
    return found
