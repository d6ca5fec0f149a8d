"""Shared by what is trained of a text-to-image pipeline: its base, the Subset as latents, and the loss of the noise.

The base's own weights never change: what is trained is beside them, and alone is in checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.text_recipes import BASES, NEED, TextRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.conditions import conditions
from synaug_ray.generators.diffusion import Task, to_task
from synaug_ray.generators.pipelines import open_pipeline, to_shape
from synaug_ray.training.distributed import Split
from synaug_ray.training.loop import SaveState, train_loop, warmup_then_constant, warmup_then_cosine
from synaug_ray.training.precision import autocast

ENCODED = 8  # images at once for the autoencoder


@dataclass(frozen=True)
class Lesson:
    """What is learnt from: the pipeline, the Subset as its latents, and the sentences of each class."""

    pipeline: Any
    schedule: DDPMScheduler  # of the noise in training: the levels of the pipeline's own
    task: Task
    sentences: tuple[tuple[str, ...], ...]  # of each class, one or more

    def of_class(self, label: int) -> Lesson:
        """The same from images of one class alone, in an order of their own."""
        task, own = self.task, self.task.labels == label
        mirrored = None if task.mirrored is None else task.mirrored[own]
        seed = derive_seed("class", task.seed, label)
        cut = replace(task, images=task.images[own], labels=task.labels[own], mirrored=mirrored, seed=seed)
        return replace(self, task=cut)

    def embeddings(self, sentences: list[str]) -> Tensor:
        """What the text encoder says of each, [B, tokens, D]."""
        return self.pipeline.encode_prompt(sentences, self.task.images.device, 1, False)[0]

    def prompts(self, labels: list[int], nimg: int) -> list[str]:
        """A sentence for each image of the batch after ``nimg`` images."""
        found = [self.sentences[label] for label in labels]
        seed = self.task.seed
        return [
            said[0] if len(said) == 1 else said[derive_seed("sentence", seed, nimg, i) % len(said)]
            for i, said in enumerate(found)
        ]


def lesson_of(
    recipe: TextRecipe, subset: ImageSet, classes: tuple[str, ...], seed: int, device: torch.device
) -> Lesson:
    """Open the base and encode the Subset.

    Raises:
        DataProblem: if the base is missing, has changed or cannot be used, or if its prompts do not fit the classes.
    """
    pipeline = open_base(recipe).to(device)
    said = conditions(recipe, {"prompt": ""}, classes)
    task = to_task(subset, len(classes), seed, device)
    mirrored = _latents(pipeline, task.images.flip(3), recipe.size) if recipe.flip else None
    latents = _latents(pipeline, task.images, recipe.size)
    schedule: Any = DDPMScheduler.from_config(pipeline.scheduler.config)
    sentences = tuple(s if isinstance(s, tuple) else (str(s),) for s in said)
    return Lesson(pipeline, schedule, replace(task, images=latents, mirrored=mirrored), sentences)


def open_base(recipe: TextRecipe) -> Any:
    """The pipeline of a recipe, frozen; raises as ``lesson_of``."""
    pipeline = open_pipeline(recipe.base, recipe.base_content)
    kind = type(pipeline).__name__
    if kind not in BASES:
        raise DataProblem(
            f"generators: {recipe.name}: base {recipe.base} is a {kind}; {NEED}", code="pipeline-not-a-text-base"
        )
    latent = pipeline.vae.config.latent_channels
    if (pipeline.unet.config.in_channels, pipeline.unet.config.out_channels) != (latent, latent):
        raise DataProblem(
            f"generators: {recipe.name}: the U-Net of {recipe.base} does not denoise the {latent} channels of its "
            "autoencoder's latents (it is one for inpainting, upscaling or depth); give a text-to-image pipeline",
            code="pipeline-not-a-text-base",
        )
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False).eval()
    return pipeline


def fit(
    recipe: TextRecipe,
    lessons: list[tuple[Lesson, nn.Module]],
    learnt: nn.Module,
    select: Any,
    split: Split,
    state: bytes | None,
    save: SaveState | None,
    num_real: int,
) -> tuple[nn.Module, int]:
    """Train ``learnt``; returns its exponential moving average, and the images seen. Raises as ``train_loop``.

    Args:
        lessons: each with the part of ``learnt`` that it trains; a step is a batch of each.
        select: called with such a part before its batch: the pipeline then uses it.
    """
    trained = [parameter for parameter in learnt.parameters() if parameter.requires_grad]
    adam = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)

    def step(nimg: int) -> tuple[Tensor, ...]:
        adam.zero_grad(set_to_none=True)
        losses = []
        for lesson, part in lessons:
            select(part)
            losses.append(backward(lesson, recipe, nimg, split))
        total = split.all_reduce(trained, torch.stack(losses).mean())
        for _, part in lessons:
            torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0)
        adam.step()
        return (total,)

    schedule = warmup_then_constant if recipe.schedule == "constant" else warmup_then_cosine
    rate = schedule(recipe.learning_rate, recipe.warmup_nimg, recipe.batch)
    modules = {"net": learnt}
    return train_loop(
        recipe, learnt, modules, {"adam": adam}, step, rate, num_real, state, save, remedy="lower learning_rate"
    )


def backward(lesson: Lesson, recipe: TextRecipe, nimg: int, split: Split) -> Tensor:
    """Add the gradients of this process's share of the batch after ``nimg`` images; returns the loss of the share."""
    task, device = lesson.task, lesson.task.images.device
    index, rng = task.index(nimg, recipe.batch), task.noise(nimg)
    level = torch.randint(len(lesson.schedule.alphas_cumprod), (recipe.batch,), generator=rng, device=device)
    noise = torch.randn((recipe.batch, *task.shape), generator=rng, device=device)
    x = task.images[index]
    if task.mirrored is not None:
        flipped = torch.rand(recipe.batch, generator=rng, device=device) < 0.5
        x = torch.where(flipped.view(-1, 1, 1, 1), task.mirrored[index], x)
    prompts = lesson.prompts(task.labels[index].tolist(), nimg)
    total = torch.zeros((), device=device)
    for part in split.slices(recipe.batch):
        with autocast(recipe.precision, device):
            error = noise_loss(lesson, x[part], noise[part], level[part], prompts[part])
            loss = error * ((part.stop - part.start) / recipe.batch)
        loss.backward()
        total += loss.detach()
    return total


def noise_loss(lesson: Lesson, x: Tensor, noise: Tensor, level: Tensor, prompts: Iterable[str]) -> Tensor:
    """Mean squared error of what the U-Net predicts of latents with noise: what the pipeline's scheduler takes.

    Args:
        x, noise: [B, C, h, w].
        level: the scheduler's steps, int64 [B].
        prompts: a sentence for each.
    """
    schedule: Any = lesson.schedule
    words = lesson.embeddings(list(prompts))
    predicted = lesson.pipeline.unet(schedule.add_noise(x, noise, level), level, encoder_hidden_states=words).sample
    kind = schedule.config.prediction_type
    aim = {
        "epsilon": lambda: noise,
        "sample": lambda: x,
        "v_prediction": lambda: schedule.get_velocity(x, noise, level),
    }
    return mse_loss(predicted.float(), aim[kind]())


def pointer_of(recipe: TextRecipe, lesson: Lesson, subset: ImageSet, counts: NDArray[np.int64]) -> dict[str, Any]:
    """The fields of the ``PretrainedGenerator`` that asks the base as it was trained."""
    c, h, w = subset.images.shape[1:]
    return {
        "pipeline": recipe.base,
        "content": recipe.base_content,
        "conditions": tuple(s[0] if len(s) == 1 else s for s in lesson.sentences),
        "class_counts": counts,
        "shape": (int(c), int(h), int(w)),
        "size": recipe.size,
    }


@torch.no_grad()
def _latents(pipeline: Any, images: Tensor, size: int | None) -> Tensor:
    """The means that the pipeline's autoencoder gives of images [N, C, H, W] in [-1, 1], scaled as its own are."""
    coder = pipeline.vae
    side = size or pipeline.unet.config.sample_size * 2 ** (len(coder.config.block_out_channels) - 1)
    shape = (coder.config.in_channels, side, side)
    parts = (to_shape((part + 1) / 2, shape) * 2 - 1 for part in images.split(ENCODED))
    return torch.cat([coder.encode(part).latent_dist.mode() for part in parts]) * coder.config.scaling_factor
