"""The peers of ``gpu.py``: the same networks trained and sampled by loops written for speed alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from synaug_ray.classifiers.models import build
from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.recipes import ClassifierRecipe, SamplerRecipe
from synaug_ray.data.images import Dataset, ImageSet
from synaug_ray.generators.diffusion import network
from synaug_ray.generators.samplers import noise_levels
from synaug_ray.training.precision import autocast

Step = Callable[[], object]


def edm_network(recipe: EDMRecipe, shape: tuple[int, int, int], device: torch.device) -> Any:
    torch.manual_seed(0)
    net: Any = network(recipe, shape, 10, recipe.noise_frequencies == "rising")
    return net.to(device, memory_format=torch.channels_last)


def edm_step(recipe: EDMRecipe, shape: tuple[int, int, int], device: torch.device, compiled: bool = False) -> Step:
    """EDM's loss on random images, Adam, gradients clipped, and an average of the weights."""
    net = edm_network(recipe, shape, device).train()
    average = [p.detach().clone() for p in net.parameters()]
    if compiled:
        net.compile()
    adam = torch.optim.Adam(net.parameters(), lr=recipe.learning_rate, fused=True)
    images, labels = torch.randn(2_000, *shape, device=device), torch.arange(2_000, device=device) % 10

    def step() -> None:
        index = torch.randint(2_000, (recipe.batch,), device=device)
        x, y, s = (
            images[index],
            labels[index],
            torch.randn(recipe.batch, 1, 1, 1, device=device).mul(1.2).sub(1.2).exp(),
        )
        noisy, total = x + s * torch.randn_like(x), s.square() + 0.25
        with autocast(recipe.precision, device):
            raw = net((noisy * total.rsqrt()), s.flatten().log() / 4, class_labels=y).sample
        error = 0.25 / total * noisy + 0.5 * s * total.rsqrt() * raw.float() - x
        (total / (0.5 * s).square() * error.square()).mean().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        adam.zero_grad()
        torch._foreach_lerp_(average, list(net.parameters()), 0.01)

    return step


def edm_sampler(net: Any, sampler: SamplerRecipe, shape: tuple[int, int, int], device: torch.device) -> Step:
    """DPM-Solver++ (2M) with guidance, to uint8 on the CPU."""
    sigmas, guidance = noise_levels(sampler), sampler.guidance
    labels = torch.arange(sampler.batch, device=device) % 10
    both = torch.cat([labels, torch.full_like(labels, 10)])

    @torch.inference_mode()
    def step() -> Tensor:
        x = torch.randn(sampler.batch, *shape, device=device) * sigmas[0]
        before: tuple[Tensor, float] | None = None
        with autocast(sampler.precision, device):
            for s, after in zip(sigmas, sigmas[1:], strict=False):
                total, twice = s * s + 0.25, torch.cat([x, x]) if guidance != 1 else x
                level = torch.full((len(twice),), s, device=device).log() / 4
                raw = net(twice * total**-0.5, level, class_labels=both[: len(twice)]).sample.float()
                found = 0.25 / total * twice + 0.5 * s * total**-0.5 * raw
                if guidance != 1:
                    given, free = found.chunk(2)
                    found = free + guidance * (given - free)
                if after == 0:
                    x = found
                    break
                h = math.log(s / after)
                ahead = found if before is None else found + (found - before[0]) * h / (2 * before[1])
                before, x = (found, h), after / s * x + (1 - after / s) * ahead
        return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()

    return step


def classifier_step(recipe: ClassifierRecipe, images: ImageSet, device: torch.device, compiled: bool) -> Step:
    """After airbench (arXiv 2404.00498): all images on the device in bf16, flipped and shifted in batches, SGD."""
    _, step = _classifier(recipe, images, device, compiled, 10)
    return step


def trained_accuracy(recipe: ClassifierRecipe, data: Dataset, device: torch.device) -> float:
    """Of the test images, after ``recipe.nimg`` images and a learning rate that falls linearly."""
    net, step = _classifier(recipe, data.train, device, False, len(data.classes))
    steps = max(1, recipe.nimg // recipe.batch)
    for i in range(steps):
        step(recipe.optimiser.learning_rate * min((i + 1) / (0.1 * steps), 1 - i / steps))
    right = 0
    with torch.inference_mode(), autocast(recipe.precision, device):
        for start in range(0, len(data.test), 1_000):
            part = slice(start, start + 1_000)
            x = torch.from_numpy(data.test.images[part]).to(device).float().div(127.5).sub(1)
            right += int((net.eval()(x).argmax(1).cpu() == torch.from_numpy(data.test.labels[part])).sum())
    return right / len(data.test)


def _classifier(
    recipe: ClassifierRecipe, images: ImageSet, device: torch.device, compiled: bool, num_classes: int
) -> tuple[nn.Module, Callable[..., None]]:
    c, h, w = (int(n) for n in images.images.shape[1:])
    net = build(recipe, (c, h, w), num_classes, 0)
    net = net.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    if compiled:
        net.compile()
    o, shift = recipe.optimiser, recipe.shift
    sgd = torch.optim.SGD(
        net.parameters(), o.learning_rate, o.momentum, weight_decay=o.weight_decay, nesterov=True, fused=True
    )
    pixels = torch.from_numpy(images.images).to(device).float().div(127.5).sub(1)
    x = pad(pixels, [shift] * 4).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(images.labels).to(device)
    rows, columns = torch.arange(h, device=device), torch.arange(w, device=device)

    def step(rate: float | None = None) -> None:
        if rate is not None:
            sgd.param_groups[0]["lr"] = rate
        index = torch.randint(len(x), (recipe.batch,), device=device)
        down, right = (torch.randint(2 * shift + 1, (recipe.batch, 1, 1), device=device) for _ in range(2))
        flip = torch.rand(recipe.batch, 1, 1, device=device) < 0.5
        across = torch.where(flip, columns.flip(0), columns) + right
        batch = x[index[:, None, None], :, rows[:, None] + down, across].permute(0, 3, 1, 2)
        with autocast(recipe.precision, device):
            out = net(batch)
        cross_entropy(out.float(), y[index]).backward()
        sgd.step()
        sgd.zero_grad()

    return net, step
