"""What a file's tags say decides: exact pixels where there are 8 bits of grey or colour, else a refusal that says why."""

import io
import struct

import numpy as np
import pytest
from helpers.raw_images import png, pnm, tiff
from PIL import Image, ImageCms

from synaug_ray.data.decoding.decode import Bad, Decoded, decode
from synaug_ray.data.sources.base import Sample

RNG = np.random.default_rng(0)
GREY8, RGB8 = RNG.integers(0, 256, (5, 7), np.uint8), RNG.integers(0, 256, (5, 7, 3), np.uint8)
RGBA8 = np.dstack([RGB8, np.full((5, 7), 200, np.uint8)])


def one(content, mode=None):
    return decode(Sample("x", content, 1), None, mode, "crop")


def same(content, wanted, *remarks):
    found = one(content)
    assert isinstance(found, Decoded), found
    wanted = wanted[None] if wanted.ndim == 2 else wanted.transpose(2, 0, 1)
    assert (found.pixels == wanted).all() and found.remarks == remarks


def fault(content):
    found = one(content)
    assert isinstance(found, Bad), found
    return found.fault, found.why


def file(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


# --- TIFF -------------------------------------------------------------------------------------------------------

LAYOUTS = [
    pytest.param(options, id="-".join(options) or "plain")
    for options in (
        {},
        {"planar": True},
        {"big_endian": True},
        {"big": True},
        {"tile": 16},
        {"planar": True, "tile": 16},
        {"planar": True, "big_endian": True},
        {"planar": True, "big": True, "tile": 16},
    )
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_eight_bits_are_read_exactly_however_they_lie(layout):
    same(tiff(GREY8, **layout), GREY8)
    same(tiff(RGB8, **layout), RGB8)
    if not layout.get("planar"):
        same(tiff(GREY8, photometric=0, **layout), 255 - GREY8)  # white is 0


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4", "f4", "f8"])
def test_more_bits_are_refused_however_they_lie(layout, bands, dtype):
    """Pillow reads 16-bit planes as low and high bytes in turn, and halves 16-bit colour."""
    content = tiff(
        RNG.integers(0, 3_000, (5, 7, bands)).astype(dtype),
        extra=(2,) * (bands == 4),
        sample_format={"u": 1, "i": 2, "f": 3}[dtype[0]],
        **layout,
    )
    assert fault(content) == ("deep", f"{8 * int(dtype[1])} bits a sample")


def test_twelve_bits_are_more_than_eight():
    assert fault(tiff(np.zeros((4, 6), np.uint8), bits=12)) == ("deep", "12 bits a sample")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bands", [1, 3])
def test_signed_bytes_are_not_read_as_unsigned(layout, bands):
    content = tiff(RNG.integers(-100, 100, (5, 7, bands)).astype("i1"), sample_format=2, **layout)
    assert fault(content) == ("form", "samples are signed integers")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bands,colour", [(2, 1), (5, 1), (4, 3), (5, 3), (8, 3)])
def test_bands_beside_the_colours_are_not_left_out(layout, bands, colour):
    pixels = RNG.integers(0, 256, (5, 7, bands), np.uint8)
    assert fault(tiff(pixels, 2 if colour == 3 else 1, extra=(0,) * (bands - colour), **layout)) == (
        "bands",
        f"{bands} bands: {colour} and {bands - colour} more, none of which is marked as transparency",
    )
    if bands == 4:  # and where the file does not say at all what the fourth is
        assert fault(tiff(pixels, 2, **layout))[0] == "bands"


def test_transparency_and_more_bands():
    assert fault(tiff(RNG.integers(0, 256, (5, 7, 5), np.uint8), 2, extra=(2, 0)))[0] == "bands"


def test_few_bits_are_scaled_and_said():
    bits = np.array([[0b00011011, 0b11100100]], np.uint8)
    same(tiff(bits, bits=2), np.array([[0, 1, 2, 3, 3, 2, 1, 0]], np.uint8) * 85, "shallow")
    same(tiff(np.array([[0x0F, 0xA5]], np.uint8), bits=4), np.array([[0, 15, 10, 5]], np.uint8) * 17, "shallow")
    same(tiff(np.array([[0b10100000]], np.uint8), bits=1), np.array([[1, 0, 1, 0, 0, 0, 0, 0]], np.uint8) * 255)
    assert fault(tiff(bits, bits=2, planar=True))[0] == "form"  # Pillow would not unpack them
    assert fault(tiff(GREY8, photometric=0, planar=True))[0] == "form"  # nor turn these


@pytest.mark.parametrize("photometric,why", [(4, "a transparency mask"), (32803, "a camera's"), (34892, "a camera")])
def test_what_is_no_picture_yet(photometric, why):
    found = fault(tiff(GREY8, photometric))
    assert found[0] == "form" and why in found[1]


def test_black_and_white_are_not_guessed():
    """A required tag; without it Pillow takes 0 for white."""
    content = tiff(GREY8)
    at = content.index(struct.pack("<HHI", 262, 3, 1))
    other = content[:at] + struct.pack("<HHI", 261, 3, 1) + content[at + 8 :]
    assert fault(other) == ("form", "no tag says whether 0 is black or white")


def test_a_palette_of_a_tiff():
    table = RNG.integers(0, 256, (256, 3), np.uint8)
    same(tiff(GREY8, 3, t320=(table.T.astype(int) * 257).ravel().tolist()), table[GREY8])


def test_printers_colours_are_converted_and_said():
    inks = np.dstack([RGB8, GREY8])
    c, m, y, k = (inks[..., i].astype(float) for i in range(4))
    wanted = np.stack([(255 - ink) * (255 - k) / 255 for ink in (c, m, y)])
    for content in (tiff(inks, 5), tiff(inks, 5, planar=True), tiff(inks, 5, big_endian=True)):
        found = one(content)
        assert isinstance(found, Decoded) and found.remarks == ("converted",)
        assert np.abs(found.pixels - wanted).max() <= 1.5


@pytest.mark.parametrize("mode", ["rgb", "gray"])
def test_lab_is_converted_and_said(mode):
    grey = np.dstack([GREY8, np.zeros((5, 7, 2), np.uint8)])  # L* of 0..255, a* and b* of 0
    found = one(tiff(grey, 8), mode)
    assert isinstance(found, Decoded) and found.remarks == ("converted",)
    assert np.ptp(found.pixels.astype(int), axis=0).max() <= 3  # neutral
    order = np.argsort(GREY8.ravel(), kind="stable")
    assert (np.diff(found.pixels[0].ravel()[order].astype(int)) >= -1).all()  # brighter stays brighter


# --- PNG, PNM, JPEG, BMP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour,bands", [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_of_any_png(colour, bands):
    pixels = RNG.integers(0, 65_536, (5, 7, bands))
    assert fault(png(pixels, colour, 16))[0] == "deep"


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_grey_and_palettes_of_few_bits(depth):
    numbers = RNG.integers(0, 2**depth, (5, 7))
    grey = (numbers * 255 // (2**depth - 1)).astype(np.uint8)
    same(png(numbers, 0, depth), grey, *(("shallow",) if depth in (2, 4) else ()))
    table = RNG.integers(0, 256, (2**depth, 3), np.uint8)
    same(png(numbers, 3, depth, PLTE=table.tobytes()), table[numbers])


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("maxval", [1, 15, 100, 200, 255, 256, 1_023, 65_535])
def test_a_pnm_says_its_largest_value(shape, maxval, plain):
    """48-bit PPM: Pillow scales 16-bit colour to 8 bits without a word."""
    numbers = RNG.integers(0, maxval + 1, shape)
    content = pnm(numbers, maxval, plain)
    if maxval > 255:
        assert fault(content)[0] == "deep"
    else:
        wanted = np.round(numbers * 255 / maxval).astype(np.uint8)
        same(content, wanted, *(("shallow",) if maxval < 255 else ()))


def test_a_cmyk_jpeg_needs_adobes_marker():
    inks = np.full((16, 16, 4), (200, 100, 50, 20), np.uint8)
    content = file(Image.frombytes("CMYK", (16, 16), inks.tobytes()), "JPEG", quality=95)
    found = one(content)
    assert isinstance(found, Decoded) and found.remarks == ("converted",)
    assert np.abs(found.pixels[:, 8, 8].astype(int) - [51, 143, 189]).max() < 8  # (255 - ink) (255 - k) / 255
    at = content.index(b"\xff\xee")
    without = content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]
    assert fault(without) == ("form", "CMYK without Adobe's marker, which says whether 0 is ink or paper")


def test_a_bmp_of_sixteen_bits_a_pixel_has_few_bits_a_sample():
    colours = np.array([[0, 0xFFFF, 0xF800, 0x07E0]], "<u2")
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    head = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, 16, 3, 8, 0, 0, 0, 0)
    bmp = b"BM" + struct.pack("<IHHI", 14 + 40 + 12 + 8, 0, 0, 66) + head + masks + colours.tobytes()
    same(bmp, np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0]]], np.uint8), "shallow")


def test_a_profile_other_than_srgb_is_said():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = srgb.replace(b"sRGB", b"Mine").replace("sRGB".encode("utf-16-be"), "Mine".encode("utf-16-be"))
    for form in ("PNG", "TIFF"):
        same(file(Image.fromarray(RGB8), form, icc_profile=srgb), RGB8)
        same(file(Image.fromarray(RGB8), form, icc_profile=other), RGB8, "profile")
        same(file(Image.fromarray(GREY8), form, icc_profile=other), GREY8)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_several_frames_in_any_format(form):
    frames = [Image.fromarray(RNG.integers(0, 256, (5, 7, 3), np.uint8)) for _ in range(3)]
    assert fault(file(frames[0], form, save_all=True, append_images=frames[1:])) == ("frames", "3 frames")


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_way_to_hold_a_camera(form, orientation):
    """Pillow turns TIFFs by itself, and must not be followed by a second turn."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {1: GREY8, 2: GREY8[:, ::-1], 3: GREY8[::-1, ::-1], 4: GREY8[::-1], 5: GREY8.T, 6: np.rot90(GREY8, -1),
              7: np.rot90(GREY8, 2).T, 8: np.rot90(GREY8)}[orientation]  # fmt: skip
    same(file(Image.fromarray(GREY8), form, exif=exif), turned)


@pytest.mark.parametrize(
    "content,said",
    [
        (b"GIF89a", "a GIF; convert"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000; convert"),
        (b"\0\0\0\x18ftypheic", "a HEIC; convert"),
        (b"\0" * 128 + b"DICM", "a DICOM file; convert"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS; fetch"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"", "not an image of a known format"),
    ],
)
def test_what_is_in_a_file_that_is_not_read(content, said):
    kind, why = fault(content)
    assert kind == "unreadable" and why.startswith(said)
