"""DDPM: a class-conditional diffusion generator that predicts the noise at discrete noise levels.

The loss and the linear noise schedule are those of Ho et al., arXiv 2006.11239 (eq. 14, section 4), the cosine schedule
that of Nichol and Dhariwal, arXiv 2102.09672 (eq. 17). Sampling is by DDIM (Song et al., arXiv 2010.02502) or
ancestral, with diffusers' schedulers.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import mse_loss

from synaug_ray.config.generator_recipes import DDPMRecipe
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.diffusion import Task, fit, guided, initialise, network, to_device, to_task
from synaug_ray.generators.guide import labels_of, starts_of
from synaug_ray.generators.samplers import image_streams, sample_in_batches
from synaug_ray.training.checkpoint import pipeline_files, unet_from_files
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState
from synaug_ray.training.precision import autocast

BETAS = {"cosine": "squaredcos_cap_v2", "linear": "linear"}  # our names of noise schedules -> diffusers'


@dataclass(frozen=True)
class DDPMGenerator:
    """A trained generator: its network, its noise schedule, and its Subset's class counts."""

    net: UNet2DModel
    class_counts: NDArray[np.int64]  # of the Subset, [K]
    shape: tuple[int, int, int]  # (channels, height, width)
    betas: str  # a key of BETAS
    levels: int  # number of noise levels

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool; see ``base.Generator.sample``.

        Each image has its own random stream: for its initial noise and, in ancestral sampling, that of every step.
        """
        net = to_device(self.net, device).eval()
        scheduler: Any = {"ddim": DDIMScheduler, "ddpm": DDPMScheduler}[sampler.family](
            **_levels(self.betas, self.levels)
        )

        starts = starts_of(sampler, real, self.class_counts, index, device)

        def make(rows: list[int], labels: Tensor) -> Tensor:
            streams = image_streams(seed, rows)
            x = torch.stack([torch.randn(self.shape, generator=stream) for stream in streams]).to(device)
            scheduler.set_timesteps(
                sampler.steps
            )  # kept on the CPU, which would otherwise wait for the GPU to read them
            left = scheduler.timesteps[sampler.steps - sampler.steps_taken :]
            if starts is not None:
                x = scheduler.add_noise(starts(rows), x, left[:1]) if len(left) else starts(rows)
            for t in left:

                def predict(x: Tensor, labels: Tensor, t: Tensor = t) -> Tensor:
                    level = torch.full((len(x),), int(t), device=x.device)
                    return net(x, level, class_labels=labels).sample.float()  # type: ignore[arg-type]

                kept = float(scheduler.alphas_cumprod[int(t)])
                guidance = sampler.guidance_at(math.sqrt((1 - kept) / kept) if kept > 0 else math.inf)
                eps = guided(predict, x, labels, len(self.class_counts), guidance)
                x = scheduler.step(eps, t, x, generator=streams).prev_sample
            return x

        return sample_in_batches(
            make, sampler, self.class_counts, index, self.shape, device, labels_of(sampler, real, index)
        )

    def files(self) -> dict[str, bytes]:
        """The generator's files by relative path, in a format that ``DiffusionPipeline.from_pretrained`` loads."""
        extra = {
            "family": "ddpm",
            "class_counts": self.class_counts.tolist(),
            "shape": list(self.shape),
            "betas": self.betas,
            "levels": self.levels,
        }
        return pipeline_files(self.net, DDIMScheduler(**_levels(self.betas, self.levels))) | {
            "synaug.json": json.dumps(extra).encode()
        }


def from_files(files: dict[str, bytes]) -> DDPMGenerator:
    """The inverse of ``DDPMGenerator.files``."""
    extra = json.loads(files["synaug.json"])
    shape = extra["shape"]
    return DDPMGenerator(
        unet_from_files(files),
        np.array(extra["class_counts"], dtype=np.int64),
        (shape[0], shape[1], shape[2]),
        extra["betas"],
        extra["levels"],
    )


def train(
    recipe: DDPMRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[DDPMGenerator, int]:
    """Train on ``subset`` alone; see ``base.Family.train``."""
    task = to_task(subset, len(classes), seed, device)
    scheduler = DDPMScheduler(**_levels(recipe.betas, recipe.levels))

    def backward(net: UNet2DModel, nimg: int) -> Tensor:
        return _backward(net, recipe, task, scheduler, nimg, split)

    net = initialise(lambda: network(recipe, task.shape, len(classes)), seed, device)
    net, nimg = fit(recipe, net, backward, len(subset), split, state, save)
    counts = np.bincount(subset.labels, minlength=len(classes))
    return DDPMGenerator(net, counts, task.shape, recipe.betas, recipe.levels), nimg


def _backward(
    net: UNet2DModel, recipe: DDPMRecipe, task: Task, scheduler: DDPMScheduler, nimg: int, split: Split
) -> Tensor:
    """Add the gradients of this process's share of a batch; returns the loss of the share.

    The loss is the mean squared error of the predicted noise, at uniformly drawn levels (arXiv 2006.11239, eq. 14).
    """
    index, rng, device = task.index(nimg, recipe.batch), task.noise(nimg), task.images.device
    level = torch.randint(recipe.levels, (recipe.batch,), generator=rng, device=device)
    noise = torch.randn((recipe.batch, *task.shape), generator=rng, device=device)
    dropped = torch.rand(recipe.batch, generator=rng, device=device) < recipe.label_dropout
    flipped = torch.rand(recipe.batch, generator=rng, device=device) < (0.5 if recipe.flip else 0.0)
    x = task.images[index]
    x = torch.where(flipped.view(-1, 1, 1, 1), x.flip(3), x)
    y = torch.where(dropped, task.num_classes, task.labels[index])
    noisy, total = scheduler.add_noise(x, noise, level), torch.zeros((), device=device)  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
        torch.manual_seed(task.dropout(nimg, split.rank))
        for part in split.slices(recipe.batch):
            with autocast(recipe.precision, device):
                eps = net(noisy[part], level[part], class_labels=y[part]).sample  # type: ignore[arg-type]
                error = mse_loss(eps.float(), noise[part])
                share = (part.stop - part.start) / recipe.batch
                loss = error * share if share < 1 else error
            loss.backward()
            total += loss.detach()
    return total


def _levels(betas: str, levels: int) -> dict[str, Any]:
    """Arguments of diffusers' schedulers; "trailing" starts sampling at pure noise however few steps there are."""
    return {
        "num_train_timesteps": levels,
        "beta_schedule": BETAS[betas],
        "clip_sample": True,
        "timestep_spacing": "trailing",
    }
