"""Decodes one image of any size and mode to pixels of the wanted size and mode."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from synaug_ray.data.decoding.pixel_format import GREY, Fault, Remark, fault_of, remarks_of, unidentified
from synaug_ray.data.decoding.transparency import GROUNDS, draw_on, drawn, key_scale, opacity, solid
from synaug_ray.data.sources.base import Sample

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM")  # other formats run programs that we do not trust (EPS)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MAX_PIXELS = 89_478_485  # the limit at which Pillow warns; a small file can unpack to any size


@dataclass(frozen=True)
class Bad:
    """An image that cannot be used, and why."""

    name: str
    fault: Fault
    why: str


@dataclass(frozen=True)
class Decoded:
    """``pixels``: uint8 [C, H, W]; ``size`` (width, height) and ``mode`` are the original ones.

    ``remarks`` are conversions of pixel values that the mode does not show.
    """

    pixels: NDArray[np.uint8]
    label: int
    group: str | None
    size: tuple[int, int]
    mode: str
    remarks: tuple[Remark, ...] = ()
    name: str = ""  # the sample's


def decode(
    sample: Sample,
    size: int | None,
    mode: Literal["rgb", "gray"] | None,
    resize: Literal["crop", "pad", "stretch"],
    ground: Literal["white", "gray", "black"] | None = None,
) -> Decoded | Bad:
    """Read one image, rotate it by its EXIF orientation, and convert it to ``size`` and ``mode`` if these are given.

    Only pixels are kept: EXIF and other metadata are dropped, palettes are resolved. A transparent image is drawn on
    ``ground`` (None: white), since the colours of transparent pixels are meaningless. The pixels of a fully opaque
    image do not change.
    """
    try:
        image, label = _open(sample)
        with image:
            fault = _fault(sample.name, image)
            if fault is not None:
                return fault
            found, remarks, scale = image.mode, remarks_of(image), key_scale(image)
            if isinstance(sample.content, (Path, bytes)):
                image = _upright(image)
            whole = image.size
            alpha = opacity(image, scale)
            image.info.pop("transparency", None)  # otherwise Pillow warns about transparency that was already applied
            if alpha is not None:
                image = draw_on(GROUNDS[ground or "white"], image, alpha)
                remarks += drawn(image, alpha)
            elif image.mode in ("La", "RGBa", "LAB"):  # Pillow cannot convert these to grey
                image = solid(image)
            target = {"rgb": "RGB", "gray": "L", None: "L" if found in GREY else "RGB"}[mode]
            image = image if image.mode == target else image.convert(target)
            pixels = np.asarray(image if size is None else fit(image, size, resize))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # Pillow checked before we did
        return Bad(sample.name, "large", _short(error))
    except Exception as error:  # decoders can raise anything for damaged bytes; it always means "unreadable"
        wrong = unidentified(sample.content) if isinstance(sample.content, (Path, bytes)) else None
        if wrong is not None:
            return Bad(sample.name, *wrong)
        return Bad(sample.name, "unreadable", _short(error))
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return Decoded(np.ascontiguousarray(pixels), label, sample.group, whole, found, remarks, sample.name)


def fit(image: Image.Image, size: int, resize: Literal["crop", "pad", "stretch"]) -> Image.Image:
    """``size`` x ``size`` pixels: the centre (crop), the whole image between black bars (pad), or stretched.

    Shrinking by an integer factor averages blocks of pixels. Other scaling is bicubic; when shrinking, Pillow widens
    the filter so that all pixels count.
    """
    width, height = image.size
    if resize == "crop" and width != height:
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    if resize == "pad" and width != height:
        longer = max(width, height)
        inner = (max(1, round(width * size / longer)), max(1, round(height * size / longer)))
        padded = Image.new(image.mode, (size, size))
        padded.paste(_scaled(image, inner), ((size - inner[0]) // 2, (size - inner[1]) // 2))
        return padded
    return _scaled(image, (size, size))


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    whole = all(old % new == 0 for old, new in zip(image.size, size, strict=True))
    return image.resize(size, Image.Resampling.BOX if whole else Image.Resampling.BICUBIC)


def _open(sample: Sample) -> tuple[Image.Image, int]:
    content = sample.content
    if isinstance(content, (bytes, Path)):
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        assert sample.label is not None
        return Image.open(file, formats=FORMATS), sample.label
    if isinstance(content, np.ndarray):
        assert sample.label is not None
        return Image.fromarray(content), sample.label
    return content()


def _fault(name: str, image: Image.Image) -> Bad | None:
    """Faults that the header shows; nothing is decoded before this check."""
    if image.width * image.height > MAX_PIXELS:
        return Bad(name, "large", f"{image.width} x {image.height}")
    wrong = fault_of(image)
    if wrong is not None:
        return Bad(name, *wrong)
    # the second frame of a phone's JPEG (MPO) is a preview or a depth map
    if image.format != "MPO" and getattr(image, "is_animated", False):
        return Bad(name, "frames", f"{getattr(image, 'n_frames', 'several')} frames")
    return None


def _upright(image: Image.Image) -> Image.Image:
    try:
        turned = image.getexif().get(0x0112, 1) != 1  # EXIF's Orientation
    except Exception:  # with broken EXIF the orientation is unknown, but the pixels may be intact
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _short(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    # Pillow repeats the name of the file or buffer, which the message already has
    text = "not an image of a known format" if "cannot identify image file" in lines[0] else lines[0]
    return (text or type(error).__name__)[:120]
