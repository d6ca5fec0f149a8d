"""Checks a file's tags for pixel formats that Pillow would silently truncate or drop, and for conversions.

Pillow returns 8 bits of grey or colour for any file: it truncates 16-bit samples, reads signed ones as unsigned, and
ignores additional bands. So the tags are checked before a pixel is decoded.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from PIL import Image, TiffImagePlugin

GREY = ("1", "L", "LA", "La")  # Pillow's modes without colour
Fault = Literal["unreadable", "deep", "form", "bands", "large", "frames"]
Remark = Literal["drawn", "clear", "lost", "shallow", "converted", "profile"]

# TIFF 6.0 and its Technical Notes; Adobe Photoshop TIFF; libtiff's tiff.h
_BITS, _PHOTOMETRIC, _FILL_ORDER, _BANDS, _PLANAR, _EXTRA, _FORMAT = 258, 262, 266, 277, 284, 338, 339
_ALPHA = (1, 2, 999)  # associated, unassociated, Corel Draw's
_OF_COLOUR = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}  # photometric interpretation -> bands of its colour
_OTHER = {  # photometric interpretations that are not read
    4: "a transparency mask",
    9: "ICCLab",
    10: "ITULab",
    32803: "raw samples of a camera's colour filter",
    32844: "LogL",
    32845: "LogLuv",
    34892: "raw samples of a camera",
}
_FORMATS = {2: "signed integers", 3: "floating-point numbers", 5: "complex integers", 6: "complex numbers"}


_NOT_READ = (  # offset, bytes there -> what the file is
    (0, b"GIF8", "a GIF; convert it to PNG"),
    (4, b"ftypavif", "an AVIF; convert it to PNG"),
    (4, b"ftyphe", "a HEIC; convert it to PNG"),
    (4, b"jP  \r\n", "a JPEG 2000; convert it to PNG"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000; convert it to PNG"),
    (128, b"DICM", "a DICOM file; convert it to 8-bit PNG"),
    (0, b"\x93NUMPY", "a NumPy array; use npz:FILE"),
    (0, b"%PDF", "a PDF; convert its pages to PNG"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; fetch the file with git lfs pull"),
    (0, b"<svg", "an SVG drawing; convert it to PNG"),
    (0, b"<!DOCTYPE html", "a web page, perhaps of a failed download"),
    (0, b"<html", "a web page, perhaps of a failed download"),
)


class Wrong(NamedTuple):
    """A fault, with a short explanation."""

    fault: Fault
    why: str


def fault_of(image: Image.Image) -> Wrong | None:
    """Why the samples of an open image cannot be read correctly, if so; only its header is read."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        wrong = tiff_fault(image.tag_v2)
        if wrong is not None:
            return wrong
    if image.mode.startswith(("I", "F")):
        return Wrong("deep", image.mode)
    for tile in getattr(image, "tile", ()):
        codec, _, _, arguments = tile
        raw = arguments[0] if isinstance(arguments, tuple) else arguments
        if image.format == "PPM" and codec != "raw" and _maxval(arguments) > 255:
            return Wrong("deep", f"maxval {_maxval(arguments)}")
        if image.format != "BMP" and ";16" in str(raw):  # BMP's BGR;16 has 5, 6 and 5 bits
            return Wrong("deep", f"16-bit {image.mode}")
    if image.format in ("JPEG", "MPO") and image.mode == "CMYK" and "adobe" not in image.info:
        return Wrong("form", "CMYK without Adobe's marker, which says whether 0 is ink or paper")
    return None


def tiff_fault(tags: Mapping[int, Any]) -> Wrong | None:
    """The same for the tags of a TIFF, including TIFFs for which Pillow has no mode."""
    bits = _numbers(tags.get(_BITS, 1))
    photometric = int(tags.get(_PHOTOMETRIC, 0))
    bands = int(tags.get(_BANDS, len(bits)))
    deep = max(bits)
    if deep > 8:
        return Wrong("deep", f"{deep} bits a sample")
    formats = [code for code in _numbers(tags.get(_FORMAT, 1)) if code not in (1, 4)]  # unsigned; not stated
    if formats:
        return Wrong("form", f"samples are {_FORMATS.get(formats[0], f'of format {formats[0]}')}")
    if _PHOTOMETRIC not in tags and tags.get(259) != 6:  # old-style JPEG is YCbCr without saying so
        return Wrong("form", "no tag says whether 0 is black or white")
    if photometric not in _OF_COLOUR:
        return Wrong("form", _OTHER.get(photometric, f"photometric interpretation {photometric}"))
    colour, extra = _OF_COLOUR[photometric], _numbers(tags.get(_EXTRA, ()))
    if photometric == 6 and bands == 1:  # the Y of YCbCr alone
        colour = 1
    more = bands - colour
    if more > 0 and not (more == 1 and extra and extra[0] in _ALPHA):
        stated = (
            "none of which is marked as transparency"
            if not set(extra) & set(_ALPHA)
            else "one of which is transparency"
        )
        return Wrong("bands", f"{bands} bands: {colour} and {more} more, {stated}")
    if tags.get(_PLANAR, 1) == 2 and (photometric == 0 or min(bits) < 8 or tags.get(_FILL_ORDER, 1) == 2):
        return Wrong("form", "planes of inverted or packed samples")  # Pillow reads them as plain ones
    return None


def unidentified(content: Path | bytes) -> Wrong | None:
    """The fault of a TIFF for which Pillow has no mode, by its tags, or the format of a file that is not read.

    None for unknown files and damaged ones.
    """
    try:
        with io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as file:
            start = file.read(132)
            if named := next((name for at, mark, name in _NOT_READ if start[at:].startswith(mark)), ""):
                return Wrong("unreadable", named)
            file.seek(0)
            header = file.read(8)
            if header[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                return None
            header += file.read(8) if header[2:3] == b"+" or header[3:4] == b"+" else b""
            tags = TiffImagePlugin.ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
            return tiff_fault(tags)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return None


def remarks_of(image: Image.Image) -> tuple[Remark, ...]:
    """How pixel values are converted to 8 bits of grey or RGB, for conversions that would otherwise go unnoticed."""
    found: list[Remark] = []
    for codec, _, _, arguments in getattr(image, "tile", ()):
        raw = str(arguments[0] if isinstance(arguments, tuple) else arguments)
        packed = raw.startswith(("L;2", "L;4", "BGR;15", "BGR;16"))
        if packed or (image.format == "PPM" and codec != "raw" and _maxval(arguments) not in (0, 255)):
            found.append("shallow")
            break
    if image.mode in ("CMYK", "LAB"):
        found.append("converted")
    profile = image.info.get("icc_profile") or b""
    if profile and image.mode not in GREY and b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile:
        found.append("profile")
    return tuple(found)


def _maxval(arguments: Any) -> int:
    """The maximum value that a PPM declares."""
    last = arguments[-1] if isinstance(arguments, tuple) else 0
    return last if isinstance(last, int) else 0


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(map(int, value)) if isinstance(value, (tuple, list)) else (int(value),)
