"""EDM: a class-conditional diffusion generator with diffusers' U-Net.

Preconditioning, loss weight and noise distribution are those of Karras et al., arXiv 2206.00364
(table 1, column "Ours"), implemented from the paper; guidance is classifier-free (Ho and Salimans,
arXiv 2207.12598).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import EDMEulerScheduler, UNet2DModel
from numpy.typing import NDArray
from torch import Tensor, nn

from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.augmentation import AugmentationEmbedding, augment
from synaug_ray.generators.diffusion import Task, fit, guided, initialise, network, to_device, to_task
from synaug_ray.generators.guide import Starts, labels_of, starts_of
from synaug_ray.generators.samplers import SAMPLERS, image_noise, noise_levels, sample_in_batches
from synaug_ray.training.checkpoint import pipeline_files, unet_from_files
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState
from synaug_ray.training.precision import autocast


@dataclass(frozen=True)
class EDMGenerator:
    """A trained generator: its network, and those statistics of its Subset that sampling needs."""

    net: UNet2DModel
    class_counts: NDArray[np.int64]  # of the Subset, [K]
    sigma_data: float  # standard deviation of the Subset's pixels in [-1, 1]
    shape: tuple[int, int, int]  # (channels, height, width)

    @property
    def num_classes(self) -> int:
        return len(self.class_counts)

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool; see ``base.Generator.sample``."""
        make = self.maker(sampler, seed, device, starts_of(sampler, real, self.class_counts, index, device))
        return sample_in_batches(
            make, sampler, self.class_counts, index, self.shape, device, labels_of(sampler, real, index)
        )

    def maker(
        self, sampler: SamplerRecipe, seed: int, device: torch.device, starts: Starts | None
    ) -> Callable[[list[int], Tensor], Tensor]:
        """A function (indices, labels int64 [B]) -> samples [B, *shape] of the pool, without clipping.

        Args:
            starts: what the samples start from, with noise; None means noise alone.
        """
        net, sigmas = to_device(self.net, device).eval(), noise_levels(sampler)

        def make(rows: list[int], labels: Tensor) -> Tensor:
            def guided_denoise(x: Tensor, sigma: float) -> Tensor:
                def predict(x: Tensor, labels: Tensor) -> Tensor:
                    level = torch.full((len(x),), sigma, device=x.device, dtype=x.dtype)
                    return denoise(net, x, level, labels, self.sigma_data)

                return guided(predict, x, labels, self.num_classes, sampler.guidance_at(sigma))

            x = image_noise(seed, rows, self.shape).to(device) * sigmas[0]
            x = x if starts is None else x + starts(rows)
            return SAMPLERS[sampler.family](guided_denoise, x, sigmas)

        return make

    def files(self) -> dict[str, bytes]:
        """The generator's files by relative path, in a format that ``DiffusionPipeline.from_pretrained`` loads."""
        extra = {
            "family": "edm",
            "class_counts": self.class_counts.tolist(),
            "sigma_data": self.sigma_data,
            "shape": list(self.shape),
        }
        return pipeline_files(self.net, EDMEulerScheduler(sigma_data=self.sigma_data)) | {
            "synaug.json": json.dumps(extra).encode()
        }


def from_files(files: dict[str, bytes]) -> EDMGenerator:
    """The inverse of ``EDMGenerator.files``."""
    extra = json.loads(files["synaug.json"])
    shape = extra["shape"]
    return EDMGenerator(
        unet_from_files(files),
        np.array(extra["class_counts"], dtype=np.int64),
        extra["sigma_data"],
        (shape[0], shape[1], shape[2]),
    )


def denoise(
    net: UNet2DModel, x: Tensor, sigma: Tensor, labels: Tensor | tuple[Tensor, Tensor], sigma_data: float
) -> Tensor:
    """D(x; sigma) [B, C, H, W] of Karras et al. (eq. 7, table 1).

    Args:
        x: noisy images [B, C, H, W].
        sigma: noise levels [B].
        labels: classes [B], or (classes [B], augmentation labels [B, LABEL]).
    """
    s = sigma.view(-1, 1, 1, 1)
    total = s.square() + sigma_data**2
    c_skip, c_out, c_in = sigma_data**2 / total, s * sigma_data * total.rsqrt(), total.rsqrt()
    raw = net(c_in * x, sigma.log() / 4, class_labels=labels).sample  # type: ignore[arg-type]
    return c_skip * x + c_out * raw.float()


def train(
    recipe: EDMRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[EDMGenerator, int]:
    """Train on ``subset`` alone; see ``base.Family.train``."""
    task = to_task(subset, len(classes), seed, device)
    sigma_data = float(task.images.std())

    def make() -> UNet2DModel:
        net = network(recipe, task.shape, len(classes), recipe.noise_frequencies == "rising")
        if recipe.augment:
            assert isinstance(net.class_embedding, nn.Embedding)
            net.class_embedding = AugmentationEmbedding(net.class_embedding)
        return net

    def step(net: UNet2DModel, nimg: int) -> Tensor:
        return backward(net, recipe, task, sigma_data, nimg, split)

    net, nimg = fit(recipe, initialise(make, seed, device), step, len(subset), split, state, save)
    if isinstance(net.class_embedding, AugmentationEmbedding):
        net.class_embedding = net.class_embedding.plain()
    return EDMGenerator(net, np.bincount(subset.labels, minlength=len(classes)), sigma_data, task.shape), nimg


def backward(
    net: UNet2DModel, recipe: EDMRecipe, task: Task, sigma_data: float, nimg: int, split: Split = WHOLE
) -> Tensor:
    """Add the gradients of this process's share of the batch after ``nimg`` images; returns the loss of the share."""
    batch, device = drawn(recipe, task, nimg), task.images.device
    total = torch.zeros((), device=device)
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
        torch.manual_seed(task.dropout(nimg, split.rank))
        for part in split.slices(recipe.batch, recipe.micro_batch):
            with autocast(recipe.precision, device):
                error = batch.errors(net, sigma_data, part).mean()
                share = (part.stop - part.start) / recipe.batch
                loss = error * share if share < 1 else error
            loss.backward()
            total += loss.detach()
    return total


@dataclass(frozen=True)
class Batch:
    """Images with their noise, as training sees them."""

    index: Tensor  # of each image in its task, int64 [B]
    images: Tensor  # [B, C, H, W]
    sigma: Tensor  # noise levels [B]
    noise: Tensor  # of standard deviation 1, [B, C, H, W]
    labels: tuple[Tensor, ...]  # (classes [B],) or (classes [B], augmentation labels [B, LABEL])

    def errors(self, net: UNet2DModel, sigma_data: float, part: slice) -> Tensor:
        """Weighted squared errors of D of ``part`` of the images, [B, C, H, W]; their mean is what training lowers."""
        x, sigma, labels = self.images[part], self.sigma[part], tuple(label[part] for label in self.labels)
        weight = (sigma.square() + sigma_data**2) / (sigma * sigma_data).square()
        noisy = x + sigma.view(-1, 1, 1, 1) * self.noise[part]
        condition = labels[0] if len(labels) == 1 else (labels[0], labels[1])
        error = (denoise(net, noisy, sigma, condition, sigma_data) - x).square()
        return weight.view(-1, 1, 1, 1) * error


def drawn(recipe: EDMRecipe, task: Task, nimg: int) -> Batch:
    """The batch after ``nimg`` images."""
    index, rng, device = task.index(nimg, recipe.batch), task.noise(nimg), task.images.device
    sigma = (torch.randn(recipe.batch, generator=rng, device=device) * recipe.p_std + recipe.p_mean).exp()
    noise = torch.randn((recipe.batch, *task.shape), generator=rng, device=device)
    dropped = torch.rand(recipe.batch, generator=rng, device=device) < recipe.label_dropout
    flipped = torch.rand(recipe.batch, generator=rng, device=device) < (0.5 if recipe.flip else 0.0)
    x, y = task.images[index], task.labels[index]
    if recipe.flip:
        other = x.flip(3) if task.mirrored is None else task.mirrored[index]
        x = torch.where(flipped.view(-1, 1, 1, 1), other, x)
    labels = [torch.where(dropped, task.num_classes, y)]
    if recipe.augment:
        x, augmentation = augment(x, recipe.augment, rng)
        labels.append(augmentation)
    return Batch(index, x, sigma, noise, tuple(labels))
