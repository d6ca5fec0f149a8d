"""The distance of two images after correction for shift, crop, brightness and contrast.

The grey images are registered by Gauss-Newton steps (Lucas and Kanade, IJCAI 1981) from coarse to fine, over shift and
scale along each axis, with gain and offset fitted at every step (Baker and Matthews, IJCV 56, 2004). The distance is
then computed from the colour images.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

NOISE = 1.0  # grey levels of noise in any image: flat images have little else and cannot be distinguished
REACH = 0.25  # largest shift in half widths, and largest change of scale: 12% of the width in each direction
STEPS = (5, 3, 2)  # Gauss-Newton steps at a quarter of the size, at half of it and at full size
MARGIN = 0.15  # largest change in one step, so that a poor linearisation cannot move a pair out of reach


def aligned_distance(first: Tensor, second: Tensor) -> Tensor:
    """Distances of pairs of images: ``sqrt(1 - correlation)`` over their overlap after the best alignment.

    Args:
        first, second: float32 [B, C, S, S], grey levels 0..255.

    Returns:
        float32 [B]: 0.001 for identical images, about 1 for unrelated ones; never more than without alignment.
    """
    grey, moving = first.mean(1, keepdim=True), second.mean(1, keepdim=True)
    size, warp = first.shape[-1], first.new_zeros(len(first), 4)
    sizes = [size // 4, size // 2, size] if size >= 28 else [size // 2, size] if size >= 16 else [size]
    for at, steps in zip(sizes, STEPS, strict=False):
        warp = _register(_shrunk(grey, at), _shrunk(moving, at), warp, steps)
    unmoved = _correlation(first, second, torch.ones_like(grey))
    return (1 - torch.maximum(_correlation(first, *_warped(second, warp)[:2]), unmoved)).clamp(min=1e-6).sqrt()


def _shrunk(images: Tensor, size: int) -> Tensor:
    return images if images.shape[-1] == size else interpolate(images, size=(size, size), mode="area")


def _warped(images: Tensor, warp: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Images moved by ``warp`` [B, 4] (shift x, y in half widths; scale x, y less one), mask of the overlap, grid.

    x and y are independent, so the grid is made from its two axes: ``affine_grid`` took an eighth of the total time.
    """
    size = images.shape[-1]
    axis = (torch.arange(size, dtype=warp.dtype) * 2 + 1) / size - 1
    x, y = (axis * (1 + warp[:, k + 2, None]) + warp[:, k, None] for k in (0, 1))
    grid = torch.stack([x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], 3)
    inside = ((y.abs() <= 1).float()[:, :, None] * (x.abs() <= 1).float()[:, None, :])[:, None]
    return grid_sample(images, grid, padding_mode="border", align_corners=False), inside, grid


def _centred(values: Tensor, inside: Tensor) -> Tensor:
    """Values less the mean of each channel over ``inside``; zero elsewhere."""
    kept = values * inside
    return kept - inside * (kept.sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True))


def _correlation(first: Tensor, second: Tensor, inside: Tensor) -> Tensor:
    a, b = _centred(first, inside), _centred(second, inside)
    noise = inside.sum((1, 2, 3)) * first.shape[1] * NOISE**2
    return (a * b).sum((1, 2, 3)) / (((a * a).sum((1, 2, 3)) + noise) * ((b * b).sum((1, 2, 3)) + noise)).sqrt()


def _register(fixed: Tensor, moving: Tensor, warp: Tensor, steps: int) -> Tensor:
    """The best of the warps visited by ``steps`` steps from ``warp``, [B, 4]."""
    best, value = warp, warp.new_full((len(warp),), -2.0)
    size = fixed.shape[-1]
    for step in range(steps + 1):
        moved, inside, grid = _warped(moving, warp)
        correlation = _correlation(fixed, moved, inside)
        better = correlation > value
        value, best = torch.where(better, correlation, value), torch.where(better[:, None], warp, best)
        if step == steps:
            break
        inside = inside.clone()
        inside[:, :, [0, -1]] = 0  # differences wrap around there
        inside[:, :, :, [0, -1]] = 0
        dx = (moved.roll(-1, 3) - moved.roll(1, 3)) * (size / 4)  # per half width
        dy = (moved.roll(-1, 2) - moved.roll(1, 2)) * (size / 4)
        columns = torch.cat([moved, dx, dy, dx * grid[:, None, :, :, 0], dy * grid[:, None, :, :, 1]], 1)
        j = _centred(columns, inside).flatten(2)
        normal = j @ j.transpose(1, 2)
        diagonal = normal.diagonal(dim1=1, dim2=2)
        normal = normal + torch.diag_embed(0.01 * diagonal + 0.001 * diagonal.mean(1, keepdim=True) + 0.001)
        gain, change = torch.linalg.solve(normal, j @ _centred(fixed, inside).flatten(1)[:, :, None])[..., 0].split(
            [1, 4], 1
        )
        warp = (warp + (change / gain.clamp(min=0.25)).clamp(-MARGIN, MARGIN)).clamp(-REACH, REACH)
    return best
