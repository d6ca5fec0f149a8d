"""What the diffusion families share: a U-Net, batches by images seen, and a training that can be taken up again.

Images are scaled from uint8 to [-1, 1]. Lengths are in images seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from synaug_ray.common.errors import Diverged
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.recipes import UNetRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.registry import SaveState
from synaug_ray.training.batching import passes
from synaug_ray.training.checkpoint import restore, snapshot
from synaug_ray.training.distributed import Split

SAVE_EVERY = 64  # batches between looks at the loss, and offers of the state


@dataclass(frozen=True)
class Task:
    """What a loss is over: the Subset on the device, x [N, C, H, W] in [-1, 1] and labels [N], and its seed."""

    images: Tensor
    labels: Tensor
    num_classes: int
    seed: int

    @property
    def shape(self) -> tuple[int, int, int]:
        c, h, w = self.images.shape[1:]
        return int(c), int(h), int(w)

    def index(self, nimg: int, batch: int) -> Tensor:
        """Which images are the batch after ``nimg`` images: endless reshuffled passes."""
        return passes(len(self.images), derive_seed("batches", self.seed), nimg, batch)

    def noise(self, nimg: int) -> torch.Generator:
        """Of what is drawn for that batch, on the CPU, so that devices draw alike."""
        return torch.Generator().manual_seed(derive_seed("noise", self.seed, nimg))

    def dropout(self, nimg: int, rank: int = 0) -> int:
        """Seed of what the network draws for that batch, in one of several processes."""
        return derive_seed("dropout", self.seed, nimg, *([rank] if rank else ()))


Backward = Callable[[UNet2DModel, int], Tensor]  # (network, nimg) -> loss of the batch after nimg images, detached


def task_of(subset: ImageSet, num_classes: int, seed: int, device: torch.device) -> Task:
    """The Subset as tensors on a device."""
    images = torch.from_numpy(subset.images.astype(np.float32) / 127.5 - 1).to(device)
    return Task(images, torch.from_numpy(subset.labels).to(device), num_classes, seed)


def network(recipe: UNetRecipe, shape: tuple[int, int, int], num_classes: int) -> UNet2DModel:
    """diffusers' U-Net with one more class than there are: the null class, for guidance."""
    down = tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in recipe.attention)
    up = tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(recipe.attention))
    return UNet2DModel(
        sample_size=shape[1],
        in_channels=shape[0],
        out_channels=shape[0],
        time_embedding_type="positional",  # "fourier" takes the log of c_noise, which is negative: NaN
        down_block_types=down,
        up_block_types=up,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.layers_per_block,
        norm_num_groups=recipe.norm_groups,
        dropout=recipe.dropout,
        attention_head_dim=min(recipe.channels[-1], 64),
        num_class_embeds=num_classes + 1,
    )


def initialise(make: Callable[[], UNet2DModel], seed: int, device: torch.device) -> UNet2DModel:
    """A network with weights of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("weights", seed))
        return to_device(make(), device)


def to_device(net: UNet2DModel, device: torch.device) -> UNet2DModel:
    """A network on a device, on a GPU with channels last, as its convolutions want them.

    A CPU's stay as they are: 10% slower there, and what was made before keeps its bits.
    """
    net = net.to(device)  # type: ignore[arg-type]
    return net.to(memory_format=torch.channels_last) if device.type == "cuda" else net  # type: ignore[call-overload]


def fit(
    recipe: UNetRecipe,
    net: UNet2DModel,
    backward: Backward,
    num_real: int,
    split: Split,
    state: bytes | None = None,
    save: SaveState | None = None,
) -> tuple[UNet2DModel, int]:
    """Train ``net``; its exponential moving average, and how many images it has seen.

    Args:
        backward: the loss of the batch after so many images, its gradient already in the network; with several
            processes both of this one's part of it.
        state: where to go on from, as ``save`` got it.
        save: called after every ``SAVE_EVERY`` batches.

    Raises:
        Diverged: where the loss or a weight is not finite.
        DamagedState: where ``state`` is not what was saved.
    """
    decay = [0.0]
    # timm's ModelEmaV3 walks both state dicts in each step: 12% of a step at this size, this none
    ema = AveragedModel(net, multi_avg_fn=lambda mean, new, _: _mix(mean, new, 1 - decay[0]))
    optimiser = torch.optim.Adam(net.parameters(), lr=recipe.learning_rate, fused=True)
    total = recipe.length(num_real)
    modules, optimisers = {"net": net, "ema": ema.module}, {"adam": optimiser}
    nimg = 0
    if state is not None:
        nimg = restore(state, modules, optimisers)
        ema.n_averaged.fill_(1)  # so that the next update averages instead of copying
    net.train()
    while nimg < total:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, nimg, total)
        optimiser.zero_grad(set_to_none=True)
        loss = split.summed(net.parameters(), backward(net, nimg))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        nimg += recipe.batch
        decay[0] = 0.5 ** (recipe.batch / min(recipe.ema_half_life, 0.05 * nimg))
        ema.update_parameters(net)
        if nimg // recipe.batch % SAVE_EVERY == 0 or nimg >= total:
            if not math.isfinite(float(loss)):
                raise Diverged(f"generator {recipe.name}: the loss is {float(loss)} after {nimg:,} images")
            if save is not None:
                save(partial(snapshot, modules, optimisers, nimg), nimg)
    trained = ema.module
    assert isinstance(trained, UNet2DModel)
    check_finite(trained, recipe.name)
    return trained, nimg


def check_finite(net: nn.Module, name: str) -> None:
    """Raise Diverged where a weight is not finite, as after a last step that no loss was seen of."""
    if not all(bool(torch.isfinite(value).all()) for value in net.parameters()):
        raise Diverged(f"generator {name}: its weights are not numbers")


def learning_rate(recipe: UNetRecipe, nimg: int, total: int) -> float:
    """Linear warm-up, then cosine to zero at ``total`` images."""
    warm = min(1.0, (nimg + recipe.batch) / recipe.warmup_nimg)
    return recipe.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * nimg / total))


def guided(
    predict: Callable[[Tensor, Tensor], Tensor], x: Tensor, labels: Tensor, num_classes: int, guidance: float
) -> Tensor:
    """Classifier-free guidance (arXiv 2207.12598) of ``predict(x, labels)``: both in one batch; at 1 a single one."""
    if guidance == 1:
        return predict(x, labels)
    with_label, without = predict(torch.cat([x, x]), torch.cat([labels, torch.full_like(labels, num_classes)])).chunk(2)
    return without + guidance * (with_label - without)


def _mix(mean: Any, new: Any, share: float) -> None:
    torch._foreach_lerp_(mean, new, share)
