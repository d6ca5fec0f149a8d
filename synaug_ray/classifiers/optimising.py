"""Loss, optimiser and learning rate of a pack of classifiers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from synaug_ray.config.recipes import ClassifierRecipe


def loss_of(logits: Tensor, labels: Tensor, weight: Tensor | None, recipe: ClassifierRecipe) -> Tensor:
    """The sum of the members' mean losses, so that each member's gradient is independent of the others.

    Args:
        logits: [K, b, classes], of a part of a batch.
        labels: [K, b].
        weight: of each image's loss, [K, b]; None is 1.
    """
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        reduction="sum" if weight is None else "none",
        label_smoothing=recipe.label_smoothing,
    )
    return (losses if weight is None else (losses * weight.flatten()).sum()) / recipe.batch


def optimiser_of(recipe: ClassifierRecipe, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The recipe's optimiser of groups of parameters; those with a ``start`` decay to that instead of to zero."""
    decay = recipe.optimiser.weight_decay
    found = _plain(recipe, [group | ({"weight_decay": 0.0} if "start" in group else {}) for group in parameters])
    if any("start" in group for group in parameters):
        found.register_step_post_hook(lambda optimiser, *_: _pull(optimiser, decay))
    return found


@torch.no_grad()
def _pull(optimiser: torch.optim.Optimizer, decay: float) -> None:
    """Decoupled weight decay towards the weights that training started from (L2-SP, Li et al., arXiv 1802.01483)."""
    for group in optimiser.param_groups:
        if "start" in group:
            torch._foreach_lerp_(group["params"], group["start"], group["lr"] * decay)


def _plain(recipe: ClassifierRecipe, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    o = recipe.optimiser
    if o.family == "adamw":
        return torch.optim.AdamW(parameters, lr=o.learning_rate, weight_decay=o.weight_decay, fused=True)
    return torch.optim.SGD(
        parameters,
        lr=o.learning_rate,
        weight_decay=o.weight_decay,
        momentum=o.momentum,
        nesterov=o.momentum > 0,
        fused=True,
    )


def learning_rate_factor(recipe: ClassifierRecipe, step: int, steps: int) -> float:
    """Linear warm-up, multiplied by a cosine from 1 to 0."""
    warm = min(1.0, (step + 1) / max(1.0, recipe.optimiser.warmup * steps))
    return warm * 0.5 * (1 + math.cos(math.pi * step / steps))
