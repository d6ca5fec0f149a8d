"""Samplers, which solve a denoiser's probability-flow ODE, and noise for each image.

With ``sigma`` as time, ``dx/dsigma = (x - D(x; sigma)) / sigma`` (Karras et al., arXiv 2206.00364, eq. 1,
sigma(t) = t). The initial noise of each image has its own seed, so image i is the same in any batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synaug_ray.common.errors import Collapsed, Diverged
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import class_sequence
from synaug_ray.training.precision import autocast

Denoise = Callable[[Tensor, float], Tensor]  # (x [B, C, H, W], sigma) -> D(x; sigma) [B, C, H, W]


def noise_levels(recipe: SamplerRecipe) -> list[float]:
    """``steps`` levels from sigma_max to sigma_min, then 0 (Karras et al., eq. 5).

    With a strength below 1, that share of them, from that share of the way from sigma_min to sigma_max.
    """
    if recipe.strength == 1:
        i = torch.arange(recipe.steps, dtype=torch.float64) / (recipe.steps - 1)
    else:
        i = torch.linspace(1 - recipe.strength, 1, recipe.steps_taken, dtype=torch.float64)
    high, low = recipe.sigma_max ** (1 / recipe.rho), recipe.sigma_min ** (1 / recipe.rho)
    return [*((high + i * (low - high)) ** recipe.rho).tolist(), 0.0]


def euler(denoise: Denoise, x: Tensor, sigmas: list[float]) -> Tensor:
    """Euler's method: first order, one evaluation per step."""
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        x = x + (after - sigma) * (x - denoise(x, sigma)) / sigma
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: list[float]) -> Tensor:
    """Heun's method: second order, two evaluations per step except the last (Karras et al., algorithm 1)."""
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        slope = (x - denoise(x, sigma)) / sigma
        ahead = x + (after - sigma) * slope
        if after > 0:
            slope = (slope + (ahead - denoise(ahead, after)) / after) / 2
        x = x + (after - sigma) * slope
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: list[float]) -> Tensor:
    """DPM-Solver++ (2M): second order, one evaluation per step (Lu et al., arXiv 2211.01095, algorithm 2)."""
    before: tuple[Tensor, float] | None = None
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        denoised = denoise(x, sigma)
        if after == 0:
            return denoised
        estimate = denoised
        if before is not None:
            previous, h_before = before
            r = h_before / _log_ratio(sigma, after)
            estimate = denoised + (denoised - previous) / (2 * r)
        h = _log_ratio(sigma, after)
        before = (denoised, h)
        x = (after / sigma) * x + (1 - after / sigma) * estimate
    return x


def dpmpp_3m(denoise: Denoise, x: Tensor, sigmas: list[float]) -> Tensor:
    """Multistep DPM-Solver++ of third order, with a parabola through the last three D; one evaluation per step.

    In lambda = -ln sigma, the ODE's solution is ``x(h) = e^-h x(0) + int_0^h e^(t-h) D(t) dt`` (Lu et al.,
    arXiv 2211.01095, eq. 9 with alpha = 1), and the integral of a parabola is exact. The first two steps have
    fewer points, and are those of 2M.
    """
    before: list[tuple[Tensor, float]] = []  # (D, the step in lambda taken from there), the latest first
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        denoised = denoise(x, sigma)
        if after == 0:
            return denoised
        h = _log_ratio(sigma, after)
        step = (after / sigma) * x - math.expm1(-h) * denoised
        if before:
            (d1, h1), *older = before
            first = slope = (denoised - d1) / h1
            if older:
                d2, h2 = older[0]
                bend = (first - (d1 - d2) / h2) / (h1 + h2)  # half the second derivative
                slope = first + h1 * bend
                step = step + (h * h - 2 * (h + math.expm1(-h))) * bend
            step = step + (h + math.expm1(-h)) * slope
        before = [(denoised, h), *before[:1]]
        x = step
    return x


def _log_ratio(sigma: float, after: float) -> float:
    """The step in lambda = -ln sigma."""
    return float(torch.log(torch.tensor(sigma / after, dtype=torch.float64)))


SAMPLERS: dict[str, Callable[[Denoise, Tensor, list[float]], Tensor]] = {
    "euler": euler,
    "heun": heun,
    "dpmpp-2m": dpmpp_2m,
    "dpmpp-3m": dpmpp_3m,
}


def image_streams(seed: int, index: list[int]) -> list[torch.Generator]:
    """A random number generator for each image, on the CPU; a function of (seed, the image's index) alone."""
    return [torch.Generator().manual_seed(derive_seed("image", seed, i)) for i in index]


def image_noise(seed: int, index: list[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 [len(index), *shape] on the CPU; row k is a function of (seed, index[k])."""
    return torch.stack([torch.randn(shape, generator=stream) for stream in image_streams(seed, index)])


def sample_in_batches(
    make: Callable[[list[int], Tensor], Tensor],
    sampler: SamplerRecipe,
    class_counts: NDArray[np.int64],
    index: range,
    shape: tuple[int, int, int],
    device: torch.device,
    labels: NDArray[np.int64] | None = None,
) -> ImageSet:
    """Images ``index`` of a pool, labelled in the Subset's class proportions unless ``labels`` are given.

    Batches have ``sampler.batch`` images, the last one padded, because a network's results can
    depend on the batch size in the last bits.

    Args:
        make: (indices, labels int64 [B] on the device) -> images [B, C, H, W] from -1 (black) to 1 (white).
        class_counts: of the Subset, [K].
        labels: of these images, int64 [len(index)].

    Raises:
        Diverged: if a pixel is not finite: conversion to uint8 would silently make it some grey.
        Collapsed: if all images are identical, or each has a single colour.
    """
    if labels is None:
        labels = class_sequence(class_counts, index.stop)[index.start :]
    return _checked(ImageSet(_pixels(make, sampler, index, labels, shape, device), labels), index)


def sample_by_class(
    make: Callable[[int], Callable[[list[int], Tensor], Tensor]],
    sampler: SamplerRecipe,
    class_counts: NDArray[np.int64],
    index: range,
    shape: tuple[int, int, int],
    device: torch.device,
    labels: NDArray[np.int64] | None = None,
) -> ImageSet:
    """As ``sample_in_batches``, of a generator with a network for each class; a batch has images of one class.

    Batches are smaller by the number of classes: padded ones of the whole size would take as many times as long.

    Args:
        make: class -> what makes its images.
    """
    if labels is None:
        labels = class_sequence(class_counts, index.stop)[index.start :]
    few = sampler.model_copy(update={"batch": min(sampler.batch // len(class_counts) + 2, sampler.batch)})
    out = np.empty((len(index), *shape), np.uint8)
    for label in np.unique(labels):
        at = np.flatnonzero(labels == label)
        out[at] = _pixels(make(int(label)), few, [index[i] for i in at], labels[at], shape, device)
    return _checked(ImageSet(out, labels), index)


def _pixels(
    make: Callable[[list[int], Tensor], Tensor],
    sampler: SamplerRecipe,
    index: Sequence[int],
    labels: NDArray[np.int64],
    shape: tuple[int, int, int],
    device: torch.device,
) -> NDArray[np.uint8]:
    out = np.empty((len(index), *shape), np.uint8)
    for start in range(0, len(index), sampler.batch):
        rows = np.arange(start, start + sampler.batch).clip(max=len(index) - 1)
        with torch.inference_mode(), autocast(sampler.precision, device):
            x = make([index[r] for r in rows], torch.from_numpy(labels[rows]).to(device))
            if not bool(torch.isfinite(x).all()):
                raise Diverged(f"images of the pool from number {index[start]:,} on have pixels that are not finite")
            pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
        kept = min(sampler.batch, len(index) - start)
        out[start : start + kept] = pixels[:kept]
    return out


def _checked(images: ImageSet, index: range) -> ImageSet:
    """The images; raises Collapsed as ``sample_in_batches`` says."""
    out, shape = images.images, images.images.shape[1:]
    if len(out) > 1 and (out == out[0]).all():
        raise Collapsed(f"all {len(out):,} images of the pool from number {index.start:,} on are identical")
    if len(out) > 1 and shape[1] * shape[2] > 1 and (out == out[:, :, :1, :1]).all():
        raise Collapsed(f"all {len(out):,} images of the pool from number {index.start:,} on have a single colour each")
    return images
