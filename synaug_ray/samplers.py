"""Samplers of the probability-flow ODE of a denoiser, and the noise of one image.

With ``sigma`` as time, ``dx/dsigma = (x - D(x; sigma)) / sigma`` (Karras et al., arXiv 2206.00364, eq. 1,
sigma(t) = t). Each image starts from noise of its own seed, so image i is the same in any batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from synaug_ray.keys import derive_seed
from synaug_ray.recipes import SamplerRecipe

Denoise = Callable[[Tensor, float], Tensor]  # (x [B, C, H, W], sigma) -> D(x; sigma) [B, C, H, W]


def noise_levels(recipe: SamplerRecipe) -> list[float]:
    """``steps`` levels from sigma_max to sigma_min, then 0 (Karras et al., eq. 5)."""
    i = torch.arange(recipe.steps, dtype=torch.float64) / (recipe.steps - 1)
    high, low = recipe.sigma_max ** (1 / recipe.rho), recipe.sigma_min ** (1 / recipe.rho)
    return [*((high + i * (low - high)) ** recipe.rho).tolist(), 0.0]


def euler(denoise: Denoise, x: Tensor, sigmas: list[float]) -> Tensor:
    """First order, one evaluation a step."""
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        x = x + (after - sigma) * (x - denoise(x, sigma)) / sigma
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: list[float]) -> Tensor:
    """Second order, two evaluations a step but the last (Karras et al., algorithm 1)."""
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        slope = (x - denoise(x, sigma)) / sigma
        ahead = x + (after - sigma) * slope
        if after > 0:
            slope = (slope + (ahead - denoise(ahead, after)) / after) / 2
        x = x + (after - sigma) * slope
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: list[float]) -> Tensor:
    """Second order, one evaluation a step: DPM-Solver++ (2M) (Lu et al., arXiv 2211.01095, algorithm 2)."""
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


def _log_ratio(sigma: float, after: float) -> float:
    """The step in lambda = -ln sigma."""
    return float(torch.log(torch.tensor(sigma / after, dtype=torch.float64)))


SAMPLERS: dict[str, Callable[[Denoise, Tensor, list[float]], Tensor]] = {
    "euler": euler, "heun": heun, "dpmpp-2m": dpmpp_2m,
}


def image_noise(seed: int, index: list[int], shape: tuple[int, int, int]) -> Tensor:
    """Standard normal float32 [len(index), C, H, W] on the CPU; row k is a function of (seed, index[k])."""
    rows = [torch.randn(shape, generator=torch.Generator().manual_seed(derive_seed("image", seed, i)))
            for i in index]
    return torch.stack(rows)
