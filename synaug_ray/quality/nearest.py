"""Nearest neighbours by Euclidean distance, exact down to distance zero."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from synaug_ray.data.images import ImageSet, concatenate

CHUNK = 2**22  # distances per block: 16 MiB in float32


def pixels(images: ImageSet) -> NDArray[np.float32]:
    """Images as rows: uint8 [N, C, H, W] to float32 [N, C*H*W] in [0, 1]."""
    return images.images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def mirrored(images: ImageSet) -> ImageSet:
    """The images mirrored left to right."""
    return ImageSet(np.ascontiguousarray(images.images[..., ::-1]), images.labels)


def with_mirrored(images: ImageSet) -> ImageSet:
    """The images, then each of them mirrored: row i + N is row i mirrored."""
    return concatenate(images, mirrored(images))


def nearest(
    queries: NDArray[np.float32], points: NDArray[np.float32], k: int, device: torch.device, same: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The k nearest points of each query, the nearest first.

    Candidates are found by |q|^2 + |p|^2 - 2 qp in float32, whose error near zero is about 1e-3 |q|; their distances
    are then recomputed from the differences, so that the distance of an exact copy is exactly 0.

    Args:
        queries: float32 [Q, D].
        points: float32 [P, D].
        k: at most P; at most P - 1 if ``same``.
        same: whether the queries are the points; then none is its own neighbour.

    Returns:
        Distances, float64 [Q, k]; indices into ``points``, int64 [Q, k].
    """
    y = torch.from_numpy(points).to(device)
    middle = y.mean(0)
    y = y - middle
    square = y.square().sum(1)
    rows = max(1, CHUNK // len(points))
    wanted = min(k + 4, len(points) - same)
    distances, indices = [], []
    for start in range(0, len(queries), rows):
        x = torch.from_numpy(queries[start : start + rows]).to(device) - middle
        close = square - 2 * x @ y.T
        if same:
            at = torch.arange(len(x), device=device)
            close[at, start + at] = torch.inf
        index = close.topk(wanted, largest=False).indices
        exact = torch.stack([(x - y[index[:, j]]).double().square().sum(1) for j in range(wanted)], 1).sqrt()
        order = exact.argsort(dim=1, stable=True)[:, :k]
        distances.append(exact.gather(1, order).cpu().numpy())
        indices.append(index.gather(1, order).cpu().numpy())
    return np.concatenate(distances), np.concatenate(indices)
