"""Shared by the diffusion families: U-Net, batches, training, and guidance.

Images are scaled from uint8 to [-1, 1]. Training lengths are in images seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

from synaug_ray.common.keys import derive_seed
from synaug_ray.config.generator_recipes import UNetRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.training.batching import copy_async, passes, stream
from synaug_ray.training.distributed import Split
from synaug_ray.training.loop import Network, SaveState, train_loop, warmup_then_constant, warmup_then_cosine

REMEDY = "lower learning_rate, or set adam_beta2: 0.95"  # against a training that diverges


@dataclass(frozen=True)
class Task:
    """A Subset on the device, and the seed of its training."""

    images: Tensor  # [N, C, H, W], float32 in [-1, 1]
    labels: Tensor  # [N], int64
    num_classes: int
    seed: int
    mirrored: Tensor | None = None  # the images mirrored, where that is not a flip of the tensor, as of latents

    @property
    def shape(self) -> tuple[int, int, int]:
        c, h, w = self.images.shape[1:]
        return int(c), int(h), int(w)

    def index(self, nimg: int, batch: int) -> Tensor:
        """Indices of the batch after ``nimg`` images, int64 [batch] on the device; passes are reshuffled."""
        return copy_async(passes(len(self.images), derive_seed("batches", self.seed), nimg, batch), self.images.device)

    def noise(self, nimg: int) -> torch.Generator:
        """The random number generator of the batch after ``nimg`` images, on the device."""
        return stream(derive_seed("noise", self.seed, nimg), self.images.device)

    def dropout(self, nimg: int, rank: int = 0) -> int:
        """Seed of the network's own draws (dropout) for the batch after ``nimg`` images, in process ``rank``."""
        return derive_seed("dropout", self.seed, nimg, *([rank] if rank else ()))


Backward = Callable[[UNet2DModel, int], Tensor]  # (network, nimg) -> detached loss of the batch after nimg images


def to_task(subset: ImageSet, num_classes: int, seed: int, device: torch.device) -> Task:
    """The Subset as tensors on a device."""
    images = torch.from_numpy(subset.images.astype(np.float32) / 127.5 - 1).to(device)
    return Task(images, torch.from_numpy(subset.labels).to(device), num_classes, seed)


def network(
    recipe: UNetRecipe, shape: tuple[int, int, int], num_classes: int, rising_frequencies: bool = False
) -> UNet2DModel:
    """diffusers' U-Net, with one class added at the end: the null class, for classifier-free guidance.

    Args:
        shape: (channels, height, width).
        rising_frequencies: embed the noise level by sinusoids with frequencies of 1 to 100 radians per unit, for levels
            on a logarithmic scale, instead of 1 down to 1/10,000, for step numbers.
    """
    down = tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in recipe.attention)
    up = tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(recipe.attention))
    attended = [c for c, a in zip(recipe.channels, recipe.attention, strict=True) if a]
    return UNet2DModel(
        sample_size=shape[1],
        in_channels=shape[0],
        out_channels=shape[0],
        time_embedding_type="positional",  # "fourier" takes the log of c_noise, which can be negative, and gives NaN
        freq_shift=_rising(recipe.channels[0]) if rising_frequencies else 0,
        resnet_time_scale_shift={"add": "default", "scale-shift": "scale_shift"}[recipe.conditioning],
        down_block_types=down,
        up_block_types=up,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.layers_per_block,
        norm_num_groups=recipe.norm_groups,
        dropout=recipe.dropout,
        # no more than a resolution with attention has: diffusers divides its channels by it, and would have no head
        attention_head_dim=min(64, recipe.channels[-1], *attended),
        num_class_embeds=num_classes + 1,
    )


def _rising(channels: int) -> int:
    """The ``freq_shift`` that makes the highest of diffusers' frequencies, 10,000 ** -(i / (count - freq_shift)), 100.

    Scaling the input instead would not be saved with the network, so diffusers' own pipeline would sample wrongly.
    """
    count = channels // 2
    return count + 2 * max(count - 1, 1)


def initialise(make: Callable[[], Network], seed: int, device: torch.device) -> Network:
    """A network whose initial weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("weights", seed))
        return to_device(make(), device)


def to_device(net: Network, device: torch.device) -> Network:
    """Move a network to a device; on a GPU in channels-last layout, in which convolutions are faster.

    On a CPU that layout is 10% slower, and it would change earlier results.
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
    beside: Mapping[str, nn.Module] = MappingProxyType({}),
    clipped: Sequence[Sequence[nn.Parameter]] = (),
) -> tuple[UNet2DModel, int]:
    """Train ``net`` but for what is frozen; returns its exponential moving average and the images seen.

    Raises as ``train_loop``.

    Args:
        beside: further modules for its checkpoints, which are not trained.
        backward: adds the gradients of the batch after ``nimg`` images to the network's, and returns the loss; with
            several processes, this process's share of both.
        clipped: the parameters whose gradients are clipped together; none are all that is trained.
    """
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    adam = torch.optim.Adam(trained, lr=recipe.learning_rate, betas=(0.9, recipe.adam_beta2), fused=True)

    def step(nimg: int) -> tuple[Tensor]:
        adam.zero_grad(set_to_none=True)
        loss = split.all_reduce(trained, backward(net, nimg))
        for together in clipped or (trained,):
            torch.nn.utils.clip_grad_norm_(together, 1.0)
        adam.step()
        return (loss,)

    net.train()
    schedule = warmup_then_constant if recipe.schedule == "constant" else warmup_then_cosine
    rate = schedule(recipe.learning_rate, recipe.warmup_nimg, recipe.batch)
    modules = {"net": net, **beside}
    return train_loop(recipe, net, modules, {"adam": adam}, step, rate, num_real, state, save, remedy=REMEDY)


def guided(
    predict: Callable[[Tensor, Tensor], Tensor], x: Tensor, labels: Tensor, num_classes: int, guidance: float
) -> Tensor:
    """``predict(x, labels)`` with classifier-free guidance (arXiv 2207.12598); with 1, just the conditional one."""
    if guidance == 1:
        return predict(x, labels)
    with_label, without = predict(torch.cat([x, x]), torch.cat([labels, torch.full_like(labels, num_classes)])).chunk(2)
    return without + guidance * (with_label - without)
