"""EDM: a class-conditional diffusion generator on diffusers' U-Net.

Preconditioning, loss weight and noise distribution are those of Karras et al., arXiv 2206.00364
(table 1, column "Ours"), written from the paper; guidance is classifier-free (Ho and Salimans,
arXiv 2207.12598). Images are scaled from uint8 to [-1, 1]. Lengths are in images seen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import class_sequence
from synaug_ray.errors import Diverged
from synaug_ray.generators.files import pipeline_files, tensors_from_bytes, tensors_to_bytes, unet_from_files
from synaug_ray.keys import derive_seed
from synaug_ray.passes import passes
from synaug_ray.precision import autocast
from synaug_ray.recipes import EDMRecipe, SamplerRecipe
from synaug_ray.samplers import SAMPLERS, image_noise, noise_levels

SaveState = Callable[[Callable[[], bytes], int], None]  # (the state, made when asked for; nimg so far)


@dataclass(frozen=True)
class EDMGenerator:
    """A trained generator: its network and what sampling needs to know of its Subset."""

    net: UNet2DModel
    class_counts: NDArray[np.int64]  # of the Subset, [K]
    sigma_data: float
    shape: tuple[int, int, int]

    @property
    def num_classes(self) -> int:
        return len(self.class_counts)

    def sample(self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device) -> ImageSet:
        """Images ``index`` of the pool: image i depends on (generator, sampler, seed, i) alone.

        Batches have ``sampler.batch`` images, the last one padded, because a network's bits can
        depend on the batch's size.
        """
        labels = class_sequence(self.class_counts, index.stop)[index.start:]
        net = self.net.to(device).eval()  # type: ignore[arg-type]
        out = np.empty((len(index), *self.shape), np.uint8)
        for start in range(0, len(index), sampler.batch):
            rows = np.arange(start, start + sampler.batch).clip(max=len(index) - 1)
            noise = image_noise(seed, [index[r] for r in rows], self.shape).to(device)
            y = torch.from_numpy(labels[rows]).to(device)
            sigmas = noise_levels(sampler)

            def denoise(x: Tensor, sigma: float, y: Tensor = y) -> Tensor:
                return guided(net, x, sigma, y, self.sigma_data, self.num_classes, sampler.guidance)

            with torch.inference_mode(), autocast(sampler.precision, device):
                x = SAMPLERS[sampler.family](denoise, noise * sigmas[0], sigmas)
                pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
            kept = min(sampler.batch, len(index) - start)
            out[start:start + kept] = pixels[:kept]
        return ImageSet(out, labels)

    def files(self) -> dict[str, bytes]:
        """The generator as files that ``DiffusionPipeline.from_pretrained`` loads, by relative path."""
        extra = {"class_counts": self.class_counts.tolist(), "sigma_data": self.sigma_data,
                 "shape": list(self.shape)}
        return pipeline_files(self.net, self.sigma_data) | {"synaug.json": json.dumps(extra).encode()}


def from_files(files: dict[str, bytes]) -> EDMGenerator:
    """The generator that ``EDMGenerator.files`` wrote."""
    extra = json.loads(files["synaug.json"])
    shape = extra["shape"]
    return EDMGenerator(unet_from_files(files), np.array(extra["class_counts"], dtype=np.int64),
                        extra["sigma_data"], (shape[0], shape[1], shape[2]))


def network(recipe: EDMRecipe, shape: tuple[int, int, int], num_classes: int) -> UNet2DModel:
    """diffusers' U-Net with one more class than there are: the null class, for guidance."""
    down = tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in recipe.attention)
    up = tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(recipe.attention))
    return UNet2DModel(
        sample_size=shape[1], in_channels=shape[0], out_channels=shape[0],
        time_embedding_type="positional",  # "fourier" takes the log of c_noise, which is negative: NaN
        down_block_types=down, up_block_types=up, block_out_channels=recipe.channels,
        layers_per_block=recipe.layers_per_block, norm_num_groups=recipe.norm_groups, dropout=recipe.dropout,
        attention_head_dim=min(recipe.channels[-1], 64), num_class_embeds=num_classes + 1,
    )


def denoised(net: UNet2DModel, x: Tensor, sigma: Tensor, labels: Tensor, sigma_data: float) -> Tensor:
    """D(x; sigma): x [B, C, H, W], sigma [B], labels [B]; Karras et al., eq. 7 and table 1."""
    s = sigma.view(-1, 1, 1, 1)
    total = s.square() + sigma_data**2
    c_skip, c_out, c_in = sigma_data**2 / total, s * sigma_data * total.rsqrt(), total.rsqrt()
    return c_skip * x + c_out * net(c_in * x, sigma.log() / 4, class_labels=labels).sample.float()


def guided(net: UNet2DModel, x: Tensor, sigma: float, labels: Tensor, sigma_data: float, num_classes: int,
           guidance: float) -> Tensor:
    """D with classifier-free guidance: both evaluations in one batch; at guidance 1 a single one."""
    level = torch.full((len(x),), sigma, device=x.device, dtype=x.dtype)
    if guidance == 1:
        return denoised(net, x, level, labels, sigma_data)
    null = torch.full_like(labels, num_classes)
    both = denoised(net, torch.cat([x, x]), torch.cat([level, level]), torch.cat([labels, null]), sigma_data)
    with_label, without = both.chunk(2)
    return without + guidance * (with_label - without)


def train(recipe: EDMRecipe, subset: ImageSet, num_classes: int, seed: int, device: torch.device,
          state: bytes | None = None, save: SaveState | None = None) -> tuple[EDMGenerator, int]:
    """Train on ``subset`` and nothing else.

    Randomness is a function of (seed, images seen), so a training that goes on from a saved state
    ends like one that was never stopped.

    Args:
        state: where to go on from, as ``save`` got it.
        save: called after every 64 batches; it decides whether to keep the state.

    Returns:
        The generator, and how many images it has seen.

    Raises:
        Diverged: where the loss is not finite.
    """
    shape = subset.images.shape[1:]
    shape = (int(shape[0]), int(shape[1]), int(shape[2]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("weights", seed))
        net = network(recipe, shape, num_classes).to(device)  # type: ignore[arg-type]
    images = torch.from_numpy(subset.images.astype(np.float32) / 127.5 - 1).to(device)
    labels = torch.from_numpy(subset.labels).to(device)
    sigma_data = float(images.std())
    decay = [0.0]
    # timm's ModelEmaV3 walks both state dicts in each step: 12% of a step at this size, this none
    ema = AveragedModel(net, multi_avg_fn=lambda mean, new, _: _mix(mean, new, 1 - decay[0]))
    optimiser = torch.optim.Adam(net.parameters(), lr=recipe.learning_rate, fused=True)
    total = recipe.nimg if recipe.max_passes is None else min(recipe.nimg, round(recipe.max_passes * len(subset)))
    nimg = _restore(state, net, ema, optimiser) if state else 0
    net.train()
    while nimg < total:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, nimg, total)
        optimiser.zero_grad(set_to_none=True)
        with autocast(recipe.precision, device):
            loss = _loss(net, recipe, images, labels, sigma_data, num_classes, seed, nimg)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        nimg += recipe.batch
        decay[0] = 0.5 ** (recipe.batch / min(recipe.ema_half_life, 0.05 * nimg))
        ema.update_parameters(net)
        if nimg // recipe.batch % 64 == 0 or nimg >= total:
            if not math.isfinite(float(loss.detach())):
                raise Diverged(f"generator {recipe.name}: the loss is {float(loss.detach())} after {nimg:,} images")
            if save is not None:
                save(partial(_state, net, ema, optimiser, nimg), nimg)
    trained = ema.module
    assert isinstance(trained, UNet2DModel)
    counts = np.bincount(subset.labels, minlength=num_classes)
    return EDMGenerator(trained, counts, sigma_data, shape), nimg


def _mix(mean: Any, new: Any, share: float) -> None:
    torch._foreach_lerp_(mean, new, share)


def learning_rate(recipe: EDMRecipe, nimg: int, total: int) -> float:
    """Linear warm-up, then cosine to zero at ``total`` images."""
    warm = min(1.0, (nimg + recipe.batch) / recipe.warmup_nimg)
    return recipe.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * nimg / total))


def _loss(net: UNet2DModel, recipe: EDMRecipe, images: Tensor, labels: Tensor, sigma_data: float,
          num_classes: int, seed: int, nimg: int) -> Tensor:
    index = passes(len(images), derive_seed("batches", seed), nimg, recipe.batch)
    rng = torch.Generator().manual_seed(derive_seed("noise", seed, nimg))
    sigma = (torch.randn(recipe.batch, generator=rng) * recipe.p_std + recipe.p_mean).exp()
    noise = torch.randn((recipe.batch, *images.shape[1:]), generator=rng)
    dropped = torch.rand(recipe.batch, generator=rng) < recipe.label_dropout
    flipped = torch.rand(recipe.batch, generator=rng) < (0.5 if recipe.flip else 0.0)
    with torch.random.fork_rng(devices=[] if images.device.type == "cpu" else [images.device]):
        torch.manual_seed(derive_seed("dropout", seed, nimg))
        x, y = images[index], labels[index]
        if recipe.flip:
            x = torch.where(flipped.to(x.device).view(-1, 1, 1, 1), x.flip(3), x)
        y = torch.where(dropped.to(y.device), num_classes, y)
        sigma = sigma.to(x.device)
        weight = (sigma.square() + sigma_data**2) / (sigma * sigma_data).square()
        noisy = x + sigma.view(-1, 1, 1, 1) * noise.to(x.device)
        error = (denoised(net, noisy, sigma, y, sigma_data) - x).square()
    return (weight.view(-1, 1, 1, 1) * error).mean()


def _state(net: UNet2DModel, ema: AveragedModel, optimiser: torch.optim.Adam, nimg: int) -> bytes:
    tensors = {f"net.{k}": v for k, v in net.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in ema.module.state_dict().items()}
    for i, entry in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{i}.{k}": v for k, v in entry.items()}
    return tensors_to_bytes(tensors, {"nimg": str(nimg)})


def _restore(state: bytes, net: UNet2DModel, ema: AveragedModel, optimiser: torch.optim.Adam) -> int:
    tensors, notes = tensors_from_bytes(state)
    part = {p: {k.removeprefix(p): v for k, v in tensors.items() if k.startswith(p)} for p in ("net.", "ema.")}
    net.load_state_dict(part["net."])
    ema.module.load_state_dict(part["ema."])
    ema.n_averaged.fill_(1)  # so that the next update averages instead of copying
    adam: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam."):
            _, i, field = name.split(".")
            adam.setdefault(int(i), {})[field] = tensor
    optimiser.load_state_dict({"state": adam, "param_groups": optimiser.state_dict()["param_groups"]})
    return int(notes["nimg"])
