"""A conditional GAN for few, small images.

It has a hinge loss (arXiv 1705.02894), spectral normalisation (arXiv 1802.05957), a projection discriminator
(arXiv 1802.05637), and differentiable augmentation of the discriminator's real and synthetic inputs (arXiv 2006.10738),
without which a GAN memorises a few hundred images. Normalisation is per image, so image i is the same in any batch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad
from torch.nn.utils.parametrizations import spectral_norm

from synaug_ray.common.keys import derive_seed
from synaug_ray.config.generator_recipes import GANRecipe, ViTGANRecipe
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.samplers import image_noise, sample_in_batches
from synaug_ray.training.batching import copy_async, passes, stream
from synaug_ray.training.checkpoint import tensors_from_bytes, tensors_to_bytes
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState, constant, constant_then_linear, train_loop
from synaug_ray.training.precision import autocast


class GeneratorNetwork(nn.Module):
    """G(z, y): z [B, latent] and labels [B] to images [B, C, H, W] in [-1, 1], from coarse to fine."""

    def __init__(
        self, shape: tuple[int, int, int], num_classes: int, channels: tuple[int, ...], latent: int, norm_groups: int
    ) -> None:
        super().__init__()
        widths = channels[::-1]
        self.start = (widths[0], shape[1] >> (len(channels) - 1), shape[2] >> (len(channels) - 1))
        self.labels = nn.Embedding(num_classes, latent)
        self.first = nn.Linear(2 * latent, math.prod(self.start))
        self.blocks = nn.ModuleList(
            _GeneratorBlock(a, b, 2 * latent, norm_groups) for a, b in zip((widths[0], *widths), widths, strict=False)
        )
        self.norm = nn.GroupNorm(norm_groups, widths[-1])
        self.last = nn.Conv2d(widths[-1], shape[0], 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        code = torch.cat([z, self.labels(labels)], 1)
        x = self.first(code).view(-1, *self.start)
        for i, block in enumerate(self.blocks):
            x = block(interpolate(x, scale_factor=2.0) if i else x, code)
        return torch.tanh(self.last(leaky_relu(self.norm(x), 0.2)))


class _GeneratorBlock(nn.Module):
    """A residual block; each normalisation is followed by a scale and an offset that are computed from the code."""

    def __init__(self, before: int, after: int, code: int, norm_groups: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(norm_groups, c, affine=False) for c in (before, after))
        self.styles = nn.ModuleList(nn.Linear(code, 2 * c) for c in (before, after))
        self.convs = nn.ModuleList(nn.Conv2d(c, after, 3, padding=1) for c in (before, after))
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        h = x
        for norm, style, conv in zip(self.norms, self.styles, self.convs, strict=True):
            scale, offset = style(code)[:, :, None, None].chunk(2, 1)
            h = conv(leaky_relu(norm(h) * (1 + scale) + offset, 0.2))
        return h + self.skip(x)


class Discriminator(nn.Module):
    """D(x, y): images [B, C, H, W] and labels [B] to logits [B]; the label's embedding is projected on the features."""

    def __init__(self, shape: tuple[int, int, int], num_classes: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        pairs = zip((shape[0], *channels), channels, strict=False)
        self.convs = nn.ModuleList(
            nn.ModuleList([spectral_norm(nn.Conv2d(a, b, 3, padding=1)), spectral_norm(nn.Conv2d(b, b, 3, padding=1))])
            for a, b in pairs
        )
        self.verdict = spectral_norm(nn.Linear(channels[-1], 1))
        self.labels = spectral_norm(nn.Embedding(num_classes, channels[-1]))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        for i, (one, two) in enumerate(self.convs):  # type: ignore[misc]
            x = nn.functional.avg_pool2d(x, 2) if i else x
            x = leaky_relu(two(leaky_relu(one(x), 0.2)), 0.2)
        features = x.sum((2, 3)) / math.sqrt(x.shape[2] * x.shape[3])
        return self.verdict(features)[:, 0] + (self.labels(labels) * features).sum(1)


@dataclass(frozen=True)
class GANGenerator:
    """A trained generator: its network, and its Subset's class counts."""

    net: GeneratorNetwork
    class_counts: NDArray[np.int64]  # of the Subset, [K]
    shape: tuple[int, int, int]
    build: dict[str, Any]  # arguments of GeneratorNetwork

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool: image i depends on (generator, sampler, seed, i) alone."""
        net = self.net.to(device).eval()

        def make(rows: list[int], labels: Tensor) -> Tensor:
            return net(image_noise(seed, rows, (self.build["latent"],)).to(device), labels).float()

        return sample_in_batches(make, sampler, self.class_counts, index, self.shape, device)

    def files(self) -> dict[str, bytes]:
        """The generator's files by relative path: ``generator.safetensors``, and the network's arguments as JSON."""
        extra = {
            "family": "gan",
            "class_counts": self.class_counts.tolist(),
            "shape": list(self.shape),
            "painter": self.build,  # named so because stored generators contain this key
        }
        return {
            "generator.safetensors": tensors_to_bytes(self.net.state_dict(), {}),
            "synaug.json": json.dumps(extra).encode(),
        }


def from_files(files: dict[str, bytes]) -> GANGenerator:
    """The inverse of ``GANGenerator.files``."""
    extra = json.loads(files["synaug.json"])
    shape, build = tuple(extra["shape"]), extra["painter"]
    net = GeneratorNetwork(shape, len(extra["class_counts"]), **build | {"channels": tuple(build["channels"])})
    net.load_state_dict(tensors_from_bytes(files["generator.safetensors"])[0])
    return GANGenerator(net, np.array(extra["class_counts"], dtype=np.int64), shape, build)


def train(
    recipe: GANRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[GANGenerator, int]:
    """Train on ``subset`` alone; see ``base.Family.train``. Images seen are real ones."""
    c, h, w = subset.images.shape[1:]
    shape, num_classes = (int(c), int(h), int(w)), len(classes)
    images = torch.from_numpy(subset.images.astype(np.float32) / 127.5 - 1).to(device)
    labels = torch.from_numpy(subset.labels).to(device)
    build = {"channels": list(recipe.channels), "latent": recipe.latent, "norm_groups": recipe.norm_groups}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("weights", seed))
        generator = GeneratorNetwork(shape, num_classes, recipe.channels, recipe.latent, recipe.norm_groups).to(device)
        discriminator = Discriminator(shape, num_classes, recipe.channels).to(device)
    adams = {  # checkpoints of stored runs contain these names, and those of the modules
        name: torch.optim.Adam(net.parameters(), recipe.learning_rate, (0.0, 0.9), fused=True)
        for name, net in (("paint", generator), ("judge", discriminator))
    }

    def step(nimg: int) -> tuple[Tensor, Tensor]:
        index = copy_async(passes(len(images), derive_seed("batches", seed), nimg, recipe.batch), device)
        rng = stream(derive_seed("noise", seed, nimg, *([split.rank] if split.rank else ())), device)
        x, y = images[index], labels[index]
        if recipe.flip:
            x = torch.where(torch.rand(len(x), 1, 1, 1, generator=rng, device=device) < 0.5, x.flip(3), x)

        def generate(y: Tensor) -> Tensor:
            return generator(torch.randn(len(y), recipe.latent, generator=rng, device=device), y).float()

        def discriminate(x: Tensor, y: Tensor) -> Tensor:
            return discriminator(diff_augment(x, recipe.augment, rng), y).float()

        def discriminator_loss(part: slice) -> Tensor:
            with torch.no_grad():
                fake = generate(y[part])
            return (1 - discriminate(x[part], y[part])).relu().mean() + (1 + discriminate(fake, y[part])).relu().mean()

        def generator_loss(part: slice) -> Tensor:
            return -discriminate(generate(y[part]), y[part]).mean()

        first = take_step(adams["judge"], discriminator_loss, recipe, device, split)
        discriminator.requires_grad_(False)
        second = take_step(adams["paint"], generator_loss, recipe, device, split)
        discriminator.requires_grad_(True)
        return first, second

    rate = (constant if recipe.schedule == "constant" else constant_then_linear)(recipe.learning_rate)
    modules = {"painter": generator, "critic": discriminator}
    trained, nimg = train_loop(recipe, generator, modules, adams, step, rate, len(subset), state, save)
    return GANGenerator(trained, np.bincount(subset.labels, minlength=num_classes), shape, build), nimg


def diff_augment(x: Tensor, kinds: tuple[str, ...], rng: torch.Generator) -> Tensor:
    """DiffAugment: augment x [B, C, H, W] differentiably, with the strengths of arXiv 2006.10738, section 3.

    Args:
        kinds: any of ``translate`` (by up to an eighth of the side, zero-padded), ``cutout`` (a square of half the
            side) and ``brightness`` (changed by up to a half).
    """
    count, _, h, w = x.shape
    if "brightness" in kinds:
        x = x + (torch.rand(count, 1, 1, 1, generator=rng, device=x.device) - 0.5)
    if "translate" in kinds:
        most = max(1, round(h / 8))
        move = torch.randint(0, 2 * most + 1, (count, 2), generator=rng, device=x.device)
        rows = (torch.arange(h, device=x.device) + move[:, :1])[:, None, :, None]
        columns = (torch.arange(w, device=x.device) + move[:, 1:])[:, None, None, :]
        wide = pad(x, [most] * 4)
        x = wide.gather(2, rows.expand(-1, x.shape[1], -1, wide.shape[3])).gather(3, columns.expand_as(x))
    if "cutout" in kinds:
        centre = torch.rand(count, 2, generator=rng, device=x.device)
        down = (torch.arange(h, device=x.device) - (centre[:, :1] * h).floor() + 0.5).abs() < h / 4
        across = (torch.arange(w, device=x.device) - (centre[:, 1:] * w).floor() + 0.5).abs() < w / 4
        x = x * (~(down[:, None, :, None] & across[:, None, None, :]))
    return x


def take_step(
    adam: torch.optim.Adam,
    loss: Callable[[slice], Tensor],
    recipe: GANRecipe | ViTGANRecipe,
    device: torch.device,
    split: Split,
) -> Tensor:
    """Take one optimiser step on a batch's mean loss, with gradients summed over parts and processes; returns the loss.

    Each part has its own latents, augmentations and power iteration (of a spectral normalisation), so the number of
    parts affects the result.
    """
    adam.zero_grad(set_to_none=True)
    total = torch.zeros((), device=device)
    for part in split.slices(recipe.batch):
        with autocast(recipe.precision, device):
            value = loss(part)
        share = (part.stop - part.start) / recipe.batch
        value = value * share if share < 1 else value
        value.backward()
        total += value.detach()
    total = split.all_reduce((p for group in adam.param_groups for p in group["params"]), total)
    adam.step()
    return total
