"""Transparent images: drawn on the ground that is named, else on white; what lies under alpha 0 is never seen."""

import io
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.image_files import read, refused
from helpers.raw_images import png, pnm, tiff
from PIL import Image

from synaug_ray import grid
from synaug_ray.common.keys import content_key
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.decode import Decoded, decode
from synaug_ray.data.decoding.transparency import GROUNDS
from synaug_ray.data.identify import identify
from synaug_ray.data.load import load, settled
from synaug_ray.data.sources.base import Sample

RNG = np.random.default_rng(0)
RGB, GREY = RNG.integers(0, 256, (6, 8, 3), np.uint8), RNG.integers(0, 256, (6, 8), np.uint8)
ALPHA = RNG.integers(0, 256, (6, 8), np.uint8)
ALPHA[0], ALPHA[1] = 0, 255
NUMBERS = np.arange(48).reshape(6, 8) % 16
TABLE = RNG.integers(0, 256, (16, 3), np.uint8)
TABLE_ALPHA = RNG.integers(0, 256, 10).astype(np.uint8)  # of the first ten colours; the rest are opaque
TABLE_ALPHA[0] = 0


def one(content, ground=None, mode=None, size=None):
    return decode(Sample("x", content, 1), size, mode, "crop", ground)


def pixels(content, *args, **kwargs):
    found = one(content, *args, **kwargs)
    assert isinstance(found, Decoded), found
    return found.pixels


def file(array, form, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, form, **options)
    return buffer.getvalue()


def premultiplied(colours, alpha):
    a = alpha if colours.ndim == 2 else alpha[..., None]
    return np.round(colours.astype(float) * a / 255).astype(np.uint8)


def keyed(colours, key):
    hidden = (colours == key).all(axis=-1) if colours.ndim == 3 else colours == key
    return np.where(hidden, 0, 255).astype(np.uint8)


def words(*values):
    return np.array(values, ">u2").tobytes()


_TABLE_OPACITY = np.concatenate([TABLE_ALPHA, np.full(6, 255, np.uint8)])
_FOUR = NUMBERS.astype(np.uint8)
_COLORMAP = (np.vstack([TABLE, np.zeros((240, 3))]).T.astype(int) * 257).ravel().tolist()
KEY = RGB[2, 3]
CASES = {  # name: the file, its colours, its opacity, and by how much rounding may differ
    "PNG RGBA": (file(np.dstack([RGB, ALPHA]), "PNG"), RGB, ALPHA, 1),
    "PNG LA": (png(np.dstack([GREY, ALPHA]), 4), GREY, ALPHA, 1),
    "PNG palette": (png(NUMBERS, 3, 4, PLTE=TABLE.tobytes(), tRNS=TABLE_ALPHA.tobytes()), TABLE[NUMBERS],
                    _TABLE_OPACITY[NUMBERS], 1),
    "PNG RGB with a key": (png(RGB, 2, tRNS=words(*KEY)), RGB, keyed(RGB, KEY), 0),
    "PNG grey with a key": (png(GREY, 0, tRNS=words(GREY[2, 2])), GREY, keyed(GREY, GREY[2, 2]), 0),
    "PNG 4-bit grey with a key": (png(NUMBERS, 0, 4, tRNS=words(5)), _FOUR * 17, keyed(NUMBERS, 5), 0),
    "PNG 2-bit grey with a key": (png(NUMBERS % 4, 0, 2, tRNS=words(3)), _FOUR % 4 * 85, keyed(NUMBERS % 4, 3), 0),
    "PNG 1-bit grey with a key": (png(NUMBERS % 2, 0, 1, tRNS=words(1)), _FOUR % 2 * 255, keyed(NUMBERS % 2, 1), 0),
    "WebP": (file(np.dstack([RGB, ALPHA]), "WEBP", lossless=True, exact=True), RGB, ALPHA, 1),
    "TIFF": (tiff(np.dstack([RGB, ALPHA]), extra=(2,)), RGB, ALPHA, 1),
    "TIFF planes": (tiff(np.dstack([RGB, ALPHA]), extra=(2,), planar=True), RGB, ALPHA, 1),
    "TIFF palette": (tiff(np.dstack([NUMBERS.astype(np.uint8), ALPHA]), 3, extra=(2,), t320=_COLORMAP), TABLE[NUMBERS],
                     ALPHA, 1),
    "TIFF grey": (tiff(np.dstack([GREY, ALPHA]), 1, extra=(2,)), GREY, ALPHA, 1),
    "TIFF premultiplied": (tiff(np.dstack([premultiplied(RGB, ALPHA), ALPHA]), extra=(1,)), RGB, ALPHA, 2),
    "TIFF grey premultiplied": (tiff(np.dstack([premultiplied(GREY, ALPHA), ALPHA]), 1, extra=(1,)), GREY, ALPHA, 2),
}  # fmt: skip


def over(ground, colours, alpha):
    """The oracle: alpha compositing in floating point, [H, W(, 3)]."""
    share = (alpha if colours.ndim == 2 else alpha[..., None]) / 255
    return colours * share + ground * (1 - share)


def channels_first(array):
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", CASES)
def test_it_is_drawn_on_the_ground(name, ground):
    content, colours, alpha, off = CASES[name]
    found = one(content, ground)
    assert isinstance(found, Decoded) and "drawn" in found.remarks
    assert np.abs(found.pixels - channels_first(over(GROUNDS[ground], colours, alpha))).max() <= off
    hidden = found.pixels[:, alpha == 0]
    assert hidden.size and (hidden == GROUNDS[ground]).all()
    grey = pixels(content, ground, "gray")
    assert (grey[:, alpha == 0] == GROUNDS[ground]).all() and len(grey) == 1


@pytest.mark.parametrize("name", CASES)
def test_the_ground_is_white_unless_another_is_named(name):
    assert (pixels(CASES[name][0]) == pixels(CASES[name][0], "white")).all()


OPAQUE = np.full((6, 8), 255, np.uint8)


@pytest.mark.parametrize("ground", [None, "white", "black"])
@pytest.mark.parametrize(
    "with_alpha,without",
    [
        (file(np.dstack([RGB, OPAQUE]), "PNG"), file(RGB, "PNG")),
        (png(np.dstack([GREY, OPAQUE]), 4), file(GREY, "PNG")),
        (png(NUMBERS, 3, 4, PLTE=TABLE.tobytes(), tRNS=bytes([255] * 16)), png(NUMBERS, 3, 4, PLTE=TABLE.tobytes())),
        (png(RGB, 2, tRNS=words(*[int(v) for v in next(c for c in np.ndindex(9, 9, 9) if not (RGB == c).all(-1).any())])),
         png(RGB, 2)),  # a key that no pixel has
        (png(NUMBERS, 0, 4, tRNS=words(99)), png(NUMBERS, 0, 4)),
        (file(np.dstack([RGB, OPAQUE]), "WEBP", lossless=True), file(RGB, "PNG")),
        (tiff(np.dstack([RGB, OPAQUE]), extra=(2,)), tiff(RGB)),
        (tiff(np.dstack([RGB, OPAQUE]), extra=(1,)), tiff(RGB)),
        (tiff(np.dstack([GREY, OPAQUE]), 1, extra=(1,)), tiff(GREY)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode,size", [(None, None), ("gray", None), ("rgb", 4)])
def test_what_is_opaque_everywhere_is_the_same_to_the_bit(with_alpha, without, ground, mode, size):
    assert (pixels(with_alpha, ground, mode, size) == pixels(without, None, mode, size)).all()


def test_hidden_colours_do_not_shine_through_when_it_shrinks():
    """Half a picture in red is hidden; where it is scaled down before it is drawn, its rim turns pink."""
    red = np.zeros((16, 16, 4), np.uint8)
    red[:, :8], red[:, 8:] = (255, 0, 0, 0), (0, 0, 0, 255)
    small = pixels(file(red, "PNG"), "white", size=5)
    assert np.ptp(small.astype(int), axis=0).max() == 0


def test_a_turned_camera_and_transparency():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file(np.dstack([RGB, ALPHA]), "PNG", exif=exif)
    wanted = np.rot90(over(255, RGB, ALPHA), -1).transpose(2, 0, 1)
    assert np.abs(pixels(content, "white") - wanted).max() <= 1


def test_nothing_to_be_seen_at_all_is_said():
    found = one(file(np.dstack([RGB, 0 * ALPHA]), "PNG"), "white")
    assert isinstance(found, Decoded) and found.remarks == ("drawn", "clear") and (found.pixels == 255).all()


@pytest.mark.parametrize("form", ["RGBA", "LA"])
def test_white_on_white_is_said_to_be_lost(form):
    image = np.dstack([np.full((6, 8, len(form) - 1), 255, np.uint8), ALPHA])
    content = png(image, {"RGBA": 6, "LA": 4}[form])
    assert one(content).remarks == ("drawn", "lost") and one(content, "black").remarks == ("drawn",)
    assert (pixels(content, "black")[0] == ALPHA).all()


# --- a whole data set -------------------------------------------------------------------------------------------


def shapes(root, fill=(0, 0, 0, 255), ground=(0, 0, 0, 0), count=20):
    """Black shapes on a transparent ground, whose hidden colour is black too."""
    for kind in ("bar", "box"):
        for i in range(count):
            image = np.full((16, 16, 4), ground, np.uint8)
            image[2 + i % 10 :][: 2 + 4 * (kind == "box"), i // 10 * 3 :][:, :6] = fill
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(root / kind / f"{i:02}.png")
    return f"folder:{root}"


def whole(data):
    return np.concatenate([part.images for part in (data.train, data.val, data.test)])


def test_shapes_on_a_transparent_ground(tmp_path, cache):
    """Read as their hidden colours they are 40 times the same black image."""
    data = read(shapes(tmp_path / "shapes"), cache, mode="gray")
    images = whole(data)
    assert len(np.unique(images.reshape(40, -1), axis=0)) == 40 and images.max() == 255 and images.min() == 0
    assert data.notes[-1] == "40 images are partly transparent and are drawn on white (data.ground)"
    black = read(shapes(tmp_path / "white", (255,) * 4), cache, mode="gray", ground="black")
    assert black.train.images.max() == 255 and black.notes[-1].endswith("drawn on black (data.ground)")


def test_images_of_which_some_are_transparent_are_other_data_than_their_hidden_colours(tmp_path, cache):
    """What was made of the hidden colours stands in storages under the key of before."""
    before = identify(shapes(tmp_path / "shapes"), DataOptions())
    assert settled(before, cache) == before
    first = load(before, cache)
    after = settled(before, cache)
    assert after.key == identify(before.source, DataOptions(ground="white")).key != before.key
    assert after.key != identify(before.source, DataOptions(ground="black")).key
    assert [p.name for p in (cache / "arrays").iterdir()] == [after.key]
    assert (whole(load(before, cache)) == whole(first)).all() and (whole(load(after, cache)) == whole(first)).all()
    (cache / "arrays" / after.key / "about.json").write_text("{}")  # damage
    assert (whole(load(before, cache)) == whole(first)).all()
    shutil.rmtree(cache)  # what was known is lost, and found out again
    assert (whole(load(before, cache)) == whole(first)).all() and settled(before, cache) == after


def test_an_identity_that_was_settled_while_another_process_decoded(tmp_path, cache):
    before = identify(shapes(tmp_path / "shapes"), DataOptions())
    load(identify(before.source, DataOptions(ground="white")), cache)
    assert settled(before, cache) == before  # named is not found out
    load(before, cache)
    assert [p.name for p in (cache / "arrays").iterdir()] == [settled(before, cache).key]


@pytest.mark.parametrize("alpha", [None, 255])
def test_opaque_images_keep_the_key_that_they_had(tmp_path, cache, alpha):
    """The options that the key was made of before there was a ground."""
    for name, value in (("a", 30), ("b", 200)):
        for i in range(12):
            image = np.full((8, 8, 3 if alpha is None else 4), value, np.uint8)
            image[0, i % 8, :3] = 7 * i
            image[..., 3:] = 255
            (tmp_path / "x" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / "x" / name / f"{i}.png")
    data = identify(f"folder:{tmp_path / 'x'}", DataOptions())
    read = load(data, cache)
    options = {
        k: v
        for k, v in DataOptions().model_dump(mode="json").items()
        if k not in ("audit_size", "classes", "ground", "judge", "leave_out", "test2")
    }
    fields = {"version": 2, "kind": "folder", "fingerprint": data.fingerprint, "options": options}
    assert settled(data, cache).key == data.key == content_key(fields) and "drawn on" not in " ".join(read.notes)


def test_a_run_of_transparent_images_is_planned_and_kept_under_their_own_key(tmp_path, cache, capsys):
    """What a run before made of the hidden colours is not taken for what this one asks."""
    source = shapes(tmp_path / "shapes", count=40)
    words = [
        f"dataset={source}", "data.size=8", "data.mode=gray", "num_real=[20]", "synthetic_multiples=[0,1]", "blocks=[]",
        "generators=[jitter]", "classifiers=[{preset: mlp-smoke, nimg: 640}]", "draws=1", "seeds=1", "quality_draws=0", "training_check=off",
        "data.duplicates=warn",
    ]  # fmt: skip
    places = ["--local", "--storage", str(tmp_path / "s"), "--data", str(cache), "--name", "r"]
    before = identify(source, DataOptions(size=8, mode="gray", duplicates="warn"))
    assert grid.main(["smoke", *words, *places]) == 0
    out = capsys.readouterr().out
    assert "some images are transparent" in out and "are drawn on white (data.ground)" in " ".join(out.split())
    after = settled(before, cache)
    status, audit = (json.loads((tmp_path / "s" / "r" / f"{f}.json").read_text()) for f in ("status", "audit"))
    assert status["data"] == after.key != before.key and "drawn on white" in audit["numbers"]["notes"][-1]
    assert "drawn on white (data.ground)" in (tmp_path / "s" / "r" / "report.html").read_text()
    assert grid.main(["smoke", *words, *places]) == 0 and "nothing to do" in capsys.readouterr().out
    shutil.rmtree(cache)
    assert grid.main(["smoke", *words, *places]) == 0  # found out again: nothing is made twice
    assert json.loads((tmp_path / "s" / "r" / "status.json").read_text())["data"] == after.key
    assert len(list((tmp_path / "s" / "store" / "records" / "trial").iterdir())) == 2


def test_images_in_a_table_are_read_by_the_same_rules(tmp_path, cache):
    def write(images):
        pq.write_table(pa.table({"image": images, "label": [i % 2 for i in range(40)]}), tmp_path / "t.parquet")
        return f"parquet:{tmp_path / 't.parquet'}"

    seen = [np.dstack([RNG.integers(0, 256, (8, 8, 3), np.uint8), np.full((8, 8), 255 * (i % 4 > 0), np.uint8)])
            for i in range(40)]  # fmt: skip
    data = read(write([file(image, "PNG") for image in seen]), cache)
    assert "10 images are partly transparent and are drawn on white (data.ground)" in data.notes
    assert "10 images are fully transparent: only the background remains" in data.notes
    assert (whole(data) == 255).all(axis=(1, 2, 3)).sum() == 10
    (said,) = refused(write([pnm(image[..., :3].astype(int) * 257, 65_535) for image in seen]), cache)
    assert said.startswith("40 of 40 images have more than 8 bits a channel") and "t.parquet[0] (maxval 65535)" in said


def test_images_that_span_next_to_nothing_are_told(tmp_path, cache):
    np.savez(
        tmp_path / "x.npz",
        train_images=RNG.integers(0, 2, (80, 4, 4)).astype(np.uint8),  # floats of 0..1, cut to whole numbers
        train_labels=np.arange(80) % 2,
    )
    assert read(f"npz:{tmp_path / 'x.npz'}", cache).notes[-1] == (
        "all pixel values of all images lie between 0 and 1, out of 0 to 255: the images were scaled wrongly, or show "
        "almost nothing"
    )
