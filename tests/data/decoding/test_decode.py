"""One image: sizes, modes, what a camera and an archive leave in a file, and files that are no images."""

import io
import struct
import zlib

import numpy as np
import pytest
from helpers.image_files import encoded, pixels
from PIL import Image

from synaug_ray.data.decoding import decode as decoding
from synaug_ray.data.decoding.decode import Bad, Decoded, decode, fit
from synaug_ray.data.sources.base import Sample


def one(content, size=None, mode=None, resize="crop"):
    return decode(Sample("x", content, 1), size, mode, resize)


def whole(content, *args, **kwargs):
    found = one(content, *args, **kwargs)
    assert isinstance(found, Decoded), found
    return found.pixels


def bad(content):
    found = one(content)
    assert isinstance(found, Bad), found
    return found.fault, found.why


def file(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


# --- sizes ------------------------------------------------------------------------------------------------------


def test_nothing_is_changed_where_nothing_is_asked():
    grey, colour = pixels(0), pixels(1, channels=3)
    assert (whole(grey) == grey[None]).all()
    assert (whole(colour) == colour.transpose(2, 0, 1)).all()
    assert (whole(encoded(0)) == grey[None]).all()  # from a PNG too
    assert (whole(colour, size=8, mode="rgb") == colour.transpose(2, 0, 1)).all()


def test_shrinking_by_a_whole_factor_is_the_mean_of_blocks():
    colour = pixels(3, (12, 12), 3)
    means = colour.reshape(4, 3, 4, 3, 3).mean((1, 3)).transpose(2, 0, 1)
    assert np.abs(whole(colour, size=4) - means).max() <= 1  # Pillow rounds rows, then columns


def test_shrinking_by_another_factor_skips_no_pixel():
    """A thin white line stays visible wherever it lies; taking the nearest pixel would lose it now and then."""
    for column in range(28):
        image = np.zeros((28, 28), np.uint8)
        image[:, column] = 255
        assert 40 < whole(image, size=20)[0].max(axis=1).min() < 256


def test_crop_takes_the_middle():
    wide = np.zeros((4, 10), np.uint8)
    wide[:, 3:7] = pixels(0, (4, 4))
    assert (whole(wide, size=4) == pixels(0, (4, 4))[None]).all()
    assert (whole(wide.T, size=4) == pixels(0, (4, 4)).T[None]).all()


def test_pad_keeps_all_of_it_between_black_bars():
    wide = pixels(0, (4, 8)) // 2 + 100
    small = whole(wide, size=8, resize="pad")[0]
    assert (small[2:6] == wide).all() and not small[:2].any() and not small[6:].any()
    assert (whole(wide, size=4, resize="pad")[0][[0, 3]] == 0).all()  # 4 x 2, a row above and one below


def test_pad_of_a_hair_is_no_bomb():
    """Padding before scaling would need 10,000 x 10,000 pixels."""
    assert whole(np.full((1, 10_000), 255, np.uint8), size=8, resize="pad").sum() == 8 * 255


def test_stretch_takes_all_of_it_to_the_edges():
    tall = pixels(0, (8, 4))
    assert np.abs(whole(tall, size=4, resize="stretch")[0] - tall.reshape(4, 2, 4).mean(1)).max() <= 0.5
    assert whole(tall, size=6, resize="stretch").shape == (1, 6, 6)


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [1, 3, 8, 11])
def test_every_way_gives_the_size_and_leaves_squares_alike(resize, size):
    for shape in ((8, 8), (5, 9), (9, 5), (1, 7)):
        assert whole(pixels(0, shape), size=size, resize=resize).shape == (1, size, size)
    square = Image.fromarray(pixels(0))
    assert fit(square, size, resize).tobytes() == fit(square, size, "crop").tobytes()


# --- modes ------------------------------------------------------------------------------------------------------


def test_grey_repeated_into_colour_is_the_same_picture_and_back():
    grey = pixels(0)
    assert (whole(grey, mode="rgb") == np.repeat(grey[None], 3, axis=0)).all()
    assert (whole(np.repeat(grey[..., None], 3, axis=2), mode="gray") == grey).all()


@pytest.mark.parametrize(
    "mode,channels", [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("CMYK", 3)]
)
def test_modes_without_a_wish(mode, channels):
    image = Image.fromarray(pixels(0, channels=3)).convert(mode)
    found = one(file(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert isinstance(found, Decoded) and len(found.pixels) == channels and found.mode == mode


# --- more than eight bits ---------------------------------------------------------------------------------------


def test_sixteen_bits_of_grey_would_lose_detail():
    assert bad(file(Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1_000)))[0] == "deep"
    assert bad(file(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF"))[0] == "deep"


def test_sixteen_bits_of_colour_too_though_pillow_does_not_say():
    """A PNG of 16 bits a channel, built by hand: Pillow opens it as plain RGB and drops half of it."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + bytes(2 * 6) for _ in range(2))
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    assert Image.open(io.BytesIO(png)).mode == "RGB"
    assert bad(png)[0] == "deep"


# --- what files carry -------------------------------------------------------------------------------------------


def test_a_photo_is_turned_as_its_camera_was_held():
    """EXIF's Orientation 6: the camera lay on its side."""
    image = Image.fromarray(pixels(0, (4, 6)))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = whole(file(image, "PNG", exif=exif))
    assert (turned[0] == np.rot90(pixels(0, (4, 6)), -1)).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_no_reason_to_lose_an_image():
    assert whole(file(Image.fromarray(pixels(0)), "JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff")).shape == (1, 8, 8)


def test_several_frames_are_not_one_image():
    frames = [Image.fromarray(pixels(i)) for i in range(3)]
    assert bad(file(frames[0], "TIFF", save_all=True, append_images=frames[1:])) == ("frames", "3 frames")
    assert bad(file(frames[0], "PNG", save_all=True, append_images=frames[1:]))[0] == "frames"


# --- files that are no images -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no image",
        encoded(0)[:40],
        encoded(0)[:70],
        b"\x89PNG\r\n\x1a\n",
        encoded(0, form="JPEG")[:200],
        b"BM" + bytes(60),
    ],
)
def test_what_cannot_be_read(content):
    fault, why = bad(content)
    assert fault == "unreadable" and why and "\n" not in why and "BytesIO" not in why


@pytest.mark.parametrize("form", ["GIF", "ICO", "EPS", "PDF"])
def test_formats_that_are_not_on_the_list(form):
    """EPS would start Ghostscript."""
    assert bad(file(Image.fromarray(pixels(0, (16, 16), 3)), form))[0] == "unreadable"


@pytest.mark.parametrize("width,height", [(40_000, 40_000), (10_000, 9_000)])
def test_a_small_file_that_unpacks_to_a_huge_image_is_not_unpacked(width, height):
    """A PNG of 100 bytes that claims 1.6 billion pixels, and one between Pillow's warning and its error."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )
    assert len(bomb) < 100
    with pytest.warns(Image.DecompressionBombWarning) if width < 20_000 else _nothing():
        fault, why = bad(bomb)
    assert fault == "large" and ("10000 x 9000" in why or "1600000000 pixels" in why)


def _nothing():
    import contextlib

    return contextlib.nullcontext()


def test_the_limit_is_pillows():
    assert decoding.MAX_PIXELS == Image.MAX_IMAGE_PIXELS


def test_damage_anywhere_is_told_or_harmless():
    """Every byte of a small PNG and a small JPEG flipped in turn: an image or a sentence, never anything else."""
    for form in ("PNG", "JPEG"):
        content = encoded(0, form=form)
        for at in range(0, len(content), 3):
            damaged = bytearray(content)
            damaged[at] ^= 0xFF
            found = one(bytes(damaged))
            assert isinstance(found, Bad) or found.pixels.dtype == np.uint8
