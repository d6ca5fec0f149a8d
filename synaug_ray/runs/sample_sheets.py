"""Sample sheets: real beside synthetic beside the nearest training image, to look at."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synaug_ray.data.images import ImageSet


@dataclass(frozen=True)
class Sheets:
    """PNG bytes, one row a class, ``columns`` images a row, native pixels."""

    columns: int
    real: bytes
    synthetic: bytes
    nearest: bytes


def sheets(real: ImageSet, synthetic: ImageSet, num_classes: int, columns: int = 8) -> Sheets:
    """The first images of each class, and under each synthetic one its nearest real one in pixels (L2).

    Classes with fewer images leave the rest of their row grey; without real ones, so are these sheets.
    """
    picked = _grid(synthetic.labels, num_classes, columns)
    flat = real.images.reshape(len(real), int(np.prod(real.images.shape[1:]))).astype(np.float32)
    nearest = np.full_like(picked, -1)
    for place, index in np.ndenumerate(picked):
        if index >= 0 and len(real):
            one = synthetic.images[index].reshape(-1).astype(np.float32)
            nearest[place] = int(np.argmin(((flat - one) ** 2).sum(1)))
    return Sheets(
        columns,
        _png(real.images, _grid(real.labels, num_classes, columns)),
        _png(synthetic.images, picked),
        _png(real.images, nearest),
    )


def _grid(labels: NDArray[np.int64], num_classes: int, columns: int) -> NDArray[np.int64]:
    grid = np.full((num_classes, columns), -1, dtype=np.int64)
    for c in range(num_classes):
        found = np.flatnonzero(labels == c)[:columns]
        grid[c, : len(found)] = found
    return grid


def _png(images: NDArray[np.uint8], grid: NDArray[np.int64]) -> bytes:
    from PIL import Image

    channels, h, w = images.shape[1:]
    sheet = np.full((grid.shape[0] * (h + 1), grid.shape[1] * (w + 1), channels), 128, np.uint8)
    for (row, column), index in np.ndenumerate(grid):
        if index >= 0:
            y, x = row * (h + 1), column * (w + 1)
            sheet[y : y + h, x : x + w] = images[index].transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(buffer, "PNG")
    return buffer.getvalue()
