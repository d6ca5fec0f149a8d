"""An autoencoder of images, trained on the Subset alone or given: diffusers' AutoencoderKL (arXiv 2112.10752).

Its loss is the mean squared error, which learns faster here than the paper's absolute error (in 150 batches of 8 small
images 24 dB instead of 21), plus a small Kullback-Leibler term. The paper's perceptual and adversarial terms are left
out: the first needs a network that was trained on other images.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import one_line
from synaug_ray.config.generator_recipes import LatentRecipe
from synaug_ray.config.given_autoencoder import CONFIG, WEIGHTS, content
from synaug_ray.generators.diffusion import Task
from synaug_ray.training.distributed import Split
from synaug_ray.training.loop import SaveState, train_loop, warmup_then_cosine
from synaug_ray.training.precision import autocast

ENCODED_AT_ONCE = 64  # images, to turn a Subset into latents
REMEDY = "lower autoencoder_learning_rate"  # against a training that diverges
NAME = "autoencoder"  # in a checkpoint


@dataclass(frozen=True)
class _Length:
    """The fields of a recipe that the training loop reads."""

    name: str
    batch: int
    ema_half_life: float
    images: int

    def length(self, num_real: int) -> int:
        return self.images


def network(recipe: LatentRecipe, shape: tuple[int, int, int]) -> AutoencoderKL:
    """An autoencoder of images [B, *shape] with random weights; latents are [B, *recipe.latent_shape(shape)].

    Raises:
        DataProblem: if the one that the recipe is given is of images with other channels, or is not here.
    """
    if recipe.given:
        return _given(recipe, shape)
    levels = len(recipe.autoencoder_channels)
    return AutoencoderKL(
        in_channels=shape[0],
        out_channels=shape[0],
        down_block_types=("DownEncoderBlock2D",) * levels,  # type: ignore[arg-type]
        up_block_types=("UpDecoderBlock2D",) * levels,  # type: ignore[arg-type]
        block_out_channels=recipe.autoencoder_channels,  # type: ignore[arg-type]
        layers_per_block=1,
        latent_channels=recipe.latent_channels,
        norm_num_groups=recipe.norm_groups,
        sample_size=shape[1],
        scaling_factor=1.0,  # ``standardise`` changes the weights instead
    )


def _given(recipe: LatentRecipe, shape: tuple[int, int, int]) -> AutoencoderKL:
    """The given autoencoder without its weights, but with the 1x1 convolutions that ``standardise`` needs."""
    folder = Path(recipe.autoencoder)
    if content(folder) != recipe.autoencoder_content:
        raise DataProblem(
            f"generators: {recipe.name}: on {socket.gethostname()} the autoencoder {folder} is missing or has changed "
            f"(content {recipe.autoencoder_content[:12]}); put it there, or where all nodes can read it",
            code="weights-changed",
        )
    changes = {"scaling_factor": 1.0, "shift_factor": None, "use_quant_conv": True, "use_post_quant_conv": True}
    net = AutoencoderKL.from_config(json.loads((folder / CONFIG).read_text()) | changes)
    assert isinstance(net, AutoencoderKL)
    channels = net.config["in_channels"]
    if channels != shape[0]:
        raise DataProblem(
            f"generators: {recipe.name}: the autoencoder {folder} is of images with {channels} channels, and these "
            f"have {shape[0]}; set data.mode: {'rgb' if channels == 3 else 'gray'}",
            code="autoencoder-channels",
        )
    return net


def open_given(recipe: LatentRecipe, net: AutoencoderKL, images: Tensor) -> AutoencoderKL:
    """``network`` of a given autoencoder with its weights, and with standardised latents of ``images``.

    Raises:
        DataProblem: if the weights are not those of its configuration.
    """
    file = Path(recipe.autoencoder) / WEIGHTS
    try:
        weights = load_safetensors(file.read_bytes())
        for name, width in (("quant_conv", 2 * recipe.latent_channels), ("post_quant_conv", recipe.latent_channels)):
            if f"{name}.weight" not in weights:  # newer autoencoders have none; these change nothing yet
                weights[f"{name}.weight"] = torch.eye(width).view(width, width, 1, 1)
                weights[f"{name}.bias"] = torch.zeros(width)
        net.load_state_dict(weights)
    except (RuntimeError, SafetensorError) as error:  # missing, unexpected or of other shapes
        raise DataProblem(
            f"generators: {recipe.name}: {file} cannot be used ({one_line(error, 200)}); it must have been saved "
            "together with its config.json",
            code="weights-unusable",
        ) from None
    net = net.eval().requires_grad_(False)
    standardise(net, images)
    return net


def train(
    recipe: LatentRecipe,
    net: AutoencoderKL,
    task: Task,
    images: int,
    split: Split,
    state: bytes | None = None,
    save: SaveState | None = None,
) -> AutoencoderKL:
    """Train ``net`` until it has seen so many images; returns its moving average, with standardised latents.

    Raises as ``train_loop``.
    """
    adam = torch.optim.Adam(net.parameters(), lr=recipe.autoencoder_learning_rate, fused=True)

    def step(nimg: int) -> tuple[Tensor]:
        adam.zero_grad(set_to_none=True)
        loss = split.all_reduce(net.parameters(), _backward(net, recipe, task, nimg, split))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        return (loss,)

    net.train()
    rate = warmup_then_cosine(recipe.autoencoder_learning_rate, min(recipe.warmup_nimg, images), recipe.batch)
    length = _Length(recipe.name, recipe.batch, recipe.ema_half_life, images)
    adams, seen = {"adam": adam}, len(task.images)
    trained, _ = train_loop(length, net, {NAME: net}, adams, step, rate, seen, state, save, remedy=REMEDY)
    trained = trained.eval().requires_grad_(False)
    standardise(trained, task.images)
    return trained


def _backward(net: AutoencoderKL, recipe: LatentRecipe, task: Task, nimg: int, split: Split) -> Tensor:
    """Sum the gradients of this process's share of the batch after ``nimg`` images; returns its loss."""
    index, rng, device = task.index(nimg, recipe.batch), task.noise(nimg), task.images.device
    x = task.images[index]
    if recipe.flip:
        flipped = torch.rand(recipe.batch, generator=rng, device=device) < 0.5
        x = torch.where(flipped.view(-1, 1, 1, 1), x.flip(3), x)
    noise = torch.randn((recipe.batch, *recipe.latent_shape(task.shape)), generator=rng, device=device)
    total = torch.zeros((), device=device)
    for part in split.slices(recipe.batch, recipe.micro_batch):
        with autocast(recipe.precision, device):
            at = net.encode(x[part]).latent_dist  # type: ignore[union-attr]
            shown = net.decode(at.mean + at.std * noise[part]).sample.float()  # type: ignore[union-attr]
            # nats an image, divided by its number of values as the error is
            divergence = at.kl().float().mean() / x[0].numel()
            share = (part.stop - part.start) / recipe.batch
            loss = ((shown - x[part]).square().mean() + recipe.kl_weight * divergence) * share
        loss.backward()
        total += loss.detach()
    return total


@torch.no_grad()
def encoded(net: AutoencoderKL, images: Tensor) -> Tensor:
    """The most likely latents of images [N, C, H, W] in [-1, 1]."""
    return torch.cat([net.encode(part).latent_dist.mode() for part in _parts(images)])  # type: ignore[union-attr]


def decoded(net: AutoencoderKL, latents: Tensor) -> Tensor:
    """Images [B, C, H, W] of latents, about in [-1, 1]."""
    return net.decode(latents).sample.float()  # type: ignore[union-attr]


@torch.no_grad()
def standardise(net: AutoencoderKL, images: Tensor) -> None:
    """Give each channel of the latents of ``images`` mean 0 and variance 1, by the 1x1 convolutions beside them.

    So no scale has to be stored or known: ``net.decode`` takes what a diffusion model of unit variance samples.
    """
    latents = encoded(net, images).transpose(0, 1).flatten(1).double()
    mean, std = latents.mean(1).float(), latents.std(1).clamp_min(1e-6).float()
    before, after, k = net.quant_conv, net.post_quant_conv, len(mean)
    assert before is not None and after is not None and before.bias is not None and after.bias is not None
    after.bias += after.weight[:, :, 0, 0] @ mean
    after.weight *= std.view(1, -1, 1, 1)
    before.weight[:k] /= std.view(-1, 1, 1, 1)
    before.bias[:k] = (before.bias[:k] - mean) / std
    before.bias[k:] -= 2 * std.log()  # the logarithm of the variance


@torch.no_grad()
def psnr(net: AutoencoderKL, images: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, [N], of images [N, C, H, W] in [-1, 1] that were encoded and decoded."""
    errors = [(decoded(net, encoded(net, x)).clamp(-1, 1) - x).square().flatten(1).mean(1) for x in _parts(images)]
    return 10 * torch.log10(4 / torch.cat(errors).clamp_min(1e-12))


def _parts(images: Tensor) -> Iterator[Tensor]:
    yield from images.split(ENCODED_AT_ONCE)
