"""Makes copies changed in ways that occur in practice, as known duplicates to test the search with."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # [C, S, S]


def _picture(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))


def _pixels(picture: Image.Image) -> Pixels:
    values = np.asarray(picture)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _jpeg(quality: int) -> Callable[[Pixels, np.random.Generator], Pixels]:
    def encode(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        file = io.BytesIO()
        _picture(pixels).save(file, "JPEG", quality=quality)
        return _pixels(Image.open(file))

    return encode


def _mirror(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return pixels[:, :, ::-1].copy()


def _shift(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """By up to a sixteenth of the width along each axis (at least a pixel), edges repeated."""
    size = pixels.shape[-1]
    most = max(1, round(size / 16))
    x, y = rng.integers(0, 2 * most + 1, 2)
    return np.pad(pixels, ((0, 0), (most, most), (most, most)), mode="edge")[:, y : y + size, x : x + size].copy()


def _tone(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Contrast by 0.7 to 1.3, brightness by up to 25 grey levels."""
    values = (pixels.astype(np.float64) - 128) * rng.uniform(0.7, 1.3) + 128 + rng.uniform(-25, 25)
    return np.clip(values, 0, 255).astype(np.uint8)


def _crop(share: float) -> Callable[[Pixels, np.random.Generator], Pixels]:
    def cut(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        size = pixels.shape[-1]
        x, y = rng.uniform(0, size * (1 - share), 2)
        box = (x, y, x + size * share, y + size * share)
        return _pixels(_picture(pixels).resize((size, size), Image.Resampling.BICUBIC, box=box))

    return cut


def _resize(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """To three quarters of the size and back."""
    size = pixels.shape[-1]
    small = _picture(pixels).resize((size * 3 // 4, size * 3 // 4), Image.Resampling.BICUBIC)
    return _pixels(small.resize((size, size), Image.Resampling.BICUBIC))


def _turn(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return _pixels(_picture(pixels).rotate(rng.uniform(-5, 5), Image.Resampling.BICUBIC))


def _several(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    for name in ("mirrored", "cropped to 90%", "brightness, contrast", "JPEG 75"):
        pixels = CHANGES[name](pixels, rng)
    return pixels


CHANGES: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "JPEG 75": _jpeg(75),
    "JPEG 40": _jpeg(40),
    "mirrored": _mirror,
    "shifted": _shift,
    "brightness, contrast": _tone,
    "resized": _resize,
    "cropped to 90%": _crop(0.9),
    "cropped to 80%": _crop(0.8),
    "turned by 5 degrees": _turn,
    "mirrored, cropped, toned, JPEG": _several,
}


def changed(images: NDArray[np.uint8], change: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Copies of uint8 images [N, C, S, S], each changed independently; ``change`` is a key of ``CHANGES``."""
    return np.stack([CHANGES[change](pixels, rng) for pixels in images])
