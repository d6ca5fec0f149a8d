"""Transparent images: the opacity of each pixel, and drawing an image on a background (``data.ground``).

The colour of a fully transparent pixel depends on the program that wrote it: it is often black, sometimes the part of
the picture that was cut away. It must not be visible.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from synaug_ray.data.decoding.pixel_format import GREY, Remark

GROUNDS = {"white": 255, "gray": 128, "black": 0}
_SCALES = {
    "L;2": 85,
    "L;4": 17,
}  # factor from the values of a packed PNG, in which its transparent grey is given, to 0..255


def key_scale(image: Image.Image) -> int:
    """The factor for the transparent grey of an open PNG; it is in the header, which copies of the image lack."""
    raws = [a[0] if isinstance(a, tuple) else a for *_, a in getattr(image, "tile", ())]
    return _SCALES.get(str(raws[0]), 1) if raws else 1


def opacity(image: Image.Image, scale: int = 1) -> Image.Image | None:
    """The opacity of each pixel, 0 to 255 (mode L); None if all pixels are opaque.

    Args:
        scale: the result of ``key_scale``.
    """
    alpha = _alpha(image, scale)
    return None if alpha is None or alpha.getextrema() == (255, 255) else alpha


def _alpha(image: Image.Image, scale: int) -> Image.Image | None:
    if image.mode in ("La", "RGBa"):
        return image.getchannel("a")
    if image.mode in ("LA", "PA", "RGBA"):
        return image.getchannel("A")
    key = image.info.get("transparency")
    if key is None:
        return None
    if image.mode == "P":
        table = np.full(256, 255, np.uint8)
        if isinstance(key, bytes):
            table[: len(key)] = np.frombuffer(key, np.uint8)[:256]
        else:
            table[key & 255] = 0
        return Image.fromarray(table[np.asarray(image)])
    pixels = np.asarray(image.convert("L") if image.mode == "1" else image)
    if image.mode == "RGB" and isinstance(key, tuple):
        hidden = (pixels == np.array([part & 255 for part in key], np.uint8)).all(axis=2)
    elif image.mode in ("1", "L") and isinstance(key, int):
        hidden = pixels == ((255 if key else 0) if image.mode == "1" else (key * scale) & 255)
    else:
        return None
    return Image.fromarray(np.where(hidden, 0, 255).astype(np.uint8))


def solid(image: Image.Image) -> Image.Image:
    """The colours without transparency, in mode L or RGB."""
    if image.mode in ("La", "RGBa"):  # multiplied by the opacity
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    return image.convert("L" if image.mode in GREY else "RGB")


def draw_on(ground: int, image: Image.Image, alpha: Image.Image) -> Image.Image:
    """The image on a background of one grey value; mode L or RGB."""
    colours = solid(image)
    behind = Image.new(colours.mode, colours.size, ground if colours.mode == "L" else (ground,) * 3)
    return Image.composite(colours, behind, alpha)


def drawn(image: Image.Image, alpha: Image.Image) -> tuple[Remark, ...]:
    """Remarks on an image that was drawn on a background."""
    if not alpha.getbbox():
        return ("drawn", "clear")
    bands = [image.getchannel(band).getextrema() for band in image.getbands()]
    return ("drawn", "lost") if all(low == high for low, high in bands) else ("drawn",)
