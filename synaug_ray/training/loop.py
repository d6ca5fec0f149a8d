"""The training loop of all generator families: batches, EMA, checkpoints, exact resumption.

Lengths are in images seen (``nimg``). What differs between families (a batch's losses, and the learning-rate schedule)
is passed in.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from synaug_ray.common.errors import Diverged
from synaug_ray.training.checkpoint import module_names, restore, snapshot
from synaug_ray.training.steady import LossRecord

RECORD = "losses"  # its name in a checkpoint
SAVE_EVERY = 64  # batches between checks of the loss, each followed by a call of ``save``
SaveState = Callable[[Callable[[], bytes], int], None]  # (returns the state, lazily; nimg so far)
LearningRate = Callable[[int, int], float]  # (nimg, total images to see) -> learning rate of the next batch
Network = TypeVar("Network", bound=nn.Module)


class TrainingRecipe(Protocol):
    """The fields of a recipe that the loop reads."""

    @property
    def name(self) -> str: ...
    @property
    def batch(self) -> int: ...
    @property
    def ema_half_life(self) -> float: ...

    def length(self, num_real: int) -> int:
        """Images that training sees in total."""
        ...


def train_loop(
    recipe: TrainingRecipe,
    averaged: Network,
    modules: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
    step: Callable[[int], tuple[Tensor, ...]],
    learning_rate: LearningRate,
    num_real: int,
    state: bytes | None = None,
    save: SaveState | None = None,
    *,
    remedy: str = "",
) -> tuple[Network, int]:
    """Train until ``recipe.length(num_real)`` images have been seen.

    Args:
        averaged: the network whose exponential moving average is returned.
        modules: all networks being trained, by their names in a checkpoint, which also has ``ema``.
        optimisers: their optimisers, by their names in a checkpoint.
        step: takes one step of all optimisers on the batch after ``nimg`` images; returns its losses, as scalars.
        learning_rate: a schedule, as of ``warmup_then_cosine``.
        state: a checkpoint to resume from, as passed to ``save``.
        save: called every ``SAVE_EVERY`` batches and after the last.
        remedy: what to do where the first of the losses that ``step`` returns ends far above its lowest; empty where it
            is not expected to fall, as of a GAN.

    Returns:
        The averaged network, and the number of images seen.

    Raises:
        Diverged: if a loss or a weight is not finite, or a falling loss has risen far again at the end.
        DamagedState: if ``state`` is not what was saved.
    """
    ema = copy.deepcopy(averaged)
    nimg, total = 0, recipe.length(num_real)
    record = LossRecord(recipe.batch, total, next(averaged.parameters()).device) if remedy else None
    modules = {**modules, "ema": ema} | ({RECORD: record} if record else {})
    if state is not None:
        known = module_names(state)
        nimg = restore(state, {k: m for k, m in modules.items() if k != RECORD or k in known}, optimisers)
        if record is not None:
            record.resume(RECORD in known)
    while nimg < total:
        rate = learning_rate(nimg, total)
        for group in (g for optimiser in optimisers.values() for g in optimiser.param_groups):
            group["lr"] = rate
        losses = step(nimg)
        first, nimg = nimg == 0, nimg + recipe.batch
        if record is not None:
            record.add(losses[0])
        decay = 0.5 ** (recipe.batch / min(recipe.ema_half_life, 0.05 * nimg))
        _average(ema, averaged, 1.0 if first else 1 - decay)
        if nimg // recipe.batch % SAVE_EVERY == 0 or nimg >= total:
            _check_losses(losses, recipe.name, nimg)
            if save is not None:
                save(partial(snapshot, modules, optimisers, nimg), nimg)
    check_finite(ema, recipe.name)
    if record is not None:
        record.check(recipe.name, remedy)
    return ema, nimg


def warmup_then_cosine(peak: float, warmup_nimg: int, batch: int) -> LearningRate:
    """A schedule that rises linearly to ``peak`` over ``warmup_nimg`` images, multiplied by a cosine from 1 to 0."""

    def rate(nimg: int, total: int) -> float:
        warm = min(1.0, (nimg + batch) / warmup_nimg)
        return peak * warm * 0.5 * (1 + math.cos(math.pi * nimg / total))

    return rate


def warmup_then_constant(peak: float, warmup_nimg: int, batch: int) -> LearningRate:
    """A schedule that rises linearly to ``peak`` over ``warmup_nimg`` images, then stays there."""
    return lambda nimg, _: peak * min(1.0, (nimg + batch) / warmup_nimg)


def constant(peak: float) -> LearningRate:
    """A schedule that is always ``peak``."""
    return lambda nimg, _: peak


def constant_then_linear(peak: float) -> LearningRate:
    """A schedule that stays at ``peak`` for half of the training, then falls linearly to 0."""
    return lambda nimg, total: peak * min(1.0, 2 * (1 - nimg / total))


def check_finite(net: nn.Module, name: str) -> None:
    """Raise Diverged if a weight is not finite, as it may be after a last step whose loss was not checked."""
    if not bool(torch.stack([torch.isfinite(value).all() for value in net.parameters()]).all()):
        raise Diverged(f"generator {name}: some weights are not finite")


def _check_losses(losses: tuple[Tensor, ...], name: str, nimg: int) -> None:
    values = [float(loss) for loss in losses]
    if not math.isfinite(sum(values)):
        said = " and ".join(f"{value:g}" for value in values)
        raise Diverged(f"generator {name}: the loss is {said} after {nimg:,} images")


@torch.no_grad()
def _average(mean: nn.Module, new: nn.Module, share: float) -> None:
    """Update an exponential moving average of weights in place, ``share`` of the way to the new ones; copy buffers.

    timm's ModelEmaV3 walks both state dicts at each step, which took 12% of the time of a small one. torch's
    AveragedModel copies its counter to the GPU at each step, and the CPU waits for that.
    """
    averages: list[Tensor] = list(mean.parameters())
    weights: list[Tensor] = list(new.parameters())
    if share == 1:
        torch._foreach_copy_(averages, weights)
    else:
        torch._foreach_lerp_(averages, weights, share)
    for kept, buffer in zip(mean.buffers(), new.buffers(), strict=True):
        kept.copy_(buffer)
