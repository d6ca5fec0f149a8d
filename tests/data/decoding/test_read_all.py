"""Decoding whole sources: what is met on the way is said at once, in order, and little is kept in memory."""

import numpy as np
import pytest
from helpers.image_files import bag, encoded, found, image_folder, pixels, read, refused, save
from PIL import Image

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.read_all import read_parts
from synaug_ray.data.sources.base import Part, Sample, Source


def test_every_unreadable_image_is_counted_and_the_first_are_named(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    whole = (tmp_path / "a" / "000.png").read_bytes()
    (tmp_path / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a" / "empty.png").write_bytes(b"")
    (tmp_path / "b" / "text.jpg").write_text("no image")
    (sentence,) = refused(name, cache)
    assert sentence.startswith("3 of 23 images cannot be read; repair or remove them, or set data.on_bad: drop: a/cut")
    for file in ("a/empty.png (not an image of a known format)", "b/text.jpg (not an image of a known format)"):
        assert file in sentence
    for i in range(5):
        (tmp_path / "b" / f"text{i}.jpg").write_text("no image")
    (sentence,) = refused(name, cache)
    assert sentence.startswith("8 of 28 images") and sentence.endswith(", ...") and sentence.count("(") == 5


def test_unreadable_images_can_be_left_out(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    clean = read(name, cache)
    (tmp_path / "a" / "005x.png").write_bytes(b"")
    data = read(name, cache, on_bad="drop")
    assert data.dropped == ("a/005x.png (not an image of a known format)",)
    assert bag(data.train, data.val, data.test) == bag(clean.train, clean.val, clean.test)
    # labels did not slip against images
    assert {i.tobytes(): label for i, label in zip(data.train.images, data.train.labels, strict=True)}.items() <= {
        i.tobytes(): label
        for p in (clean.train, clean.val, clean.test)
        for i, label in zip(p.images, p.labels, strict=True)
    }.items()


def test_dropping_is_for_the_unreadable_alone(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "b" / "deep.png")
    (sentence,) = refused(name, cache, on_bad="drop")
    assert sentence == (
        "1 of 21 images have more than 8 bits a channel; convert them to 8 bits yourself: how decides "
        "what detail is lost: b/deep.png (I;16)"
    )


def test_nothing_left(tmp_path, cache):
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    assert "no image of train can be read" in refused(f"folder:{tmp_path}", cache, on_bad="drop")[0]


def test_mixed_modes(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 9})
    save(tmp_path / "a" / "rgb.png", 1, channels=3)
    save(tmp_path / "b" / "rgba.png", 1, channels=4)
    assert found(name, cache) == [("mixed-modes", "19 L, 1 RGB, 1 RGBA")]
    assert read(name, cache, mode="rgb").shape == (3, 8, 8) and read(name, cache, mode="gray").shape == (1, 8, 8)
    assert read(name, cache, mode="gray").found.modes == (("L", 19), ("RGB", 1), ("RGBA", 1))


def test_mixed_sizes(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    save(tmp_path / "a" / "big.png", 99, (12, 20))
    assert found(name, cache) == [("mixed-sizes", "2")]
    assert "from 8 x 8 to 20 x 12 (width x height)" in refused(name, cache)[0]
    data = read(name, cache, size=4)
    assert data.shape == (1, 4, 4) and data.found.num_sizes == 2
    assert data.found.sizes == ((8, 8, 20), (20, 12, 1))
    assert data.found.smallest == (8, 8) and data.found.largest == (20, 12)
    crops = [
        bag(*(lambda d: (d.train, d.val, d.test))(read(name, cache, size=4, resize=r)))
        for r in ("crop", "pad", "stretch")
    ]
    assert crops[0] != crops[1] != crops[2] != crops[0]


def test_images_that_are_not_square(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10}, size=(6, 8))
    assert found(name, cache) == [("not-square", "8 x 6")]
    assert read(name, cache, size=8).shape == (1, 8, 8)


def test_splits_of_different_sizes(tmp_path, cache):
    image_folder(tmp_path, {"a": 10, "b": 10}, ("train",))
    name = image_folder(tmp_path, {"a": 10, "b": 10}, ("test",), size=(9, 9))
    assert found(name, cache) == [("mixed-sizes", "train 8 x 8, test 9 x 9")]
    assert read(name, cache, size=8).shape == (1, 8, 8)


def test_all_that_is_wrong_at_once(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    save(tmp_path / "a" / "rgb.png", 1, (9, 9), channels=3)
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "b" / "deep.png")
    (tmp_path / "b" / "cut.png").write_bytes(b"")
    codes = [code for code, _ in found(name, cache)]
    assert codes == ["image-unreadable", "image-bit-depth", "mixed-modes", "mixed-sizes"]


def test_images_and_labels_keep_their_order(tmp_path):
    """10,000 images whose first pixels count up."""

    def samples():
        for i in range(10_000):
            yield Sample(str(i), np.array([[i % 256, i // 256]] * 2, np.uint8), i % 7)

    source = Source(tuple("abcdefg"), {"train": Part(10_000, samples)})
    rows, tally = read_parts(source, DataOptions(), tmp_path, "x")
    images = np.load(rows["train"].file)
    assert images.shape == (10_000, 1, 2, 2) and tally.total == 10_000
    assert (images[:, 0, 0].astype(int) @ [1, 256] == np.arange(10_000)).all()
    assert (rows["train"].labels == np.arange(10_000) % 7).all()


def test_a_source_is_read_at_most_some_hundreds_ahead(tmp_path, monkeypatch):
    from synaug_ray.data.decoding import read_all

    monkeypatch.setattr(read_all, "THREADS", 2)
    ahead, done = [], [0]
    real = read_all.decode

    def counting(*args):
        done[0] += 1
        return real(*args)

    monkeypatch.setattr(read_all, "decode", counting)

    def samples():
        for i in range(3_000):
            ahead.append(i - done[0])
            yield Sample(str(i), pixels(0, (2, 2)), 0)

    read_parts(Source(("a", "b"), {"train": Part(3_000, samples)}), DataOptions(), tmp_path, "x")
    assert max(ahead) <= 6 * read_all.BATCH


def test_warnings_of_bombs_count_as_errors(tmp_path, monkeypatch):
    """Pillow warns above its limit, before we look at the size ourselves."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    source = Source(("a",), {"train": Part(1, lambda: iter([Sample("bomb.png", encoded(0), 0)]))})
    with pytest.raises(DataProblem, match=r"1 of 1 images have more than .* pixels; downscale them first: bomb.png"):
        read_parts(source, DataOptions(), tmp_path, "x")
