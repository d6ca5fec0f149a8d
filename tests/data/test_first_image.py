"""The shape of images and their number, before any is decoded."""

import numpy as np
import pytest
from PIL import Image

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.first_image import first_shape, training_images


@pytest.mark.parametrize("shape,expected", [((5, 28, 20), (1, 28, 20)), ((5, 28, 20, 3), (3, 28, 20)), ((5,), None)])
def test_an_npz_by_its_header(tmp_path, shape, expected):
    np.savez_compressed(tmp_path / "x.npz", train_images=np.zeros(shape, np.uint8), train_labels=np.zeros(5, int))
    assert first_shape(f"npz:{tmp_path}/x.npz", DataOptions()) == expected
    assert training_images(f"npz:{tmp_path}/x.npz") == 5


@pytest.mark.parametrize("mode,channels", [("L", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)])
def test_a_folder_by_its_first_image(tmp_path, mode, channels):
    (tmp_path / "train" / "b").mkdir(parents=True)
    (tmp_path / "train" / "b" / "notes.txt").write_text("no image")
    Image.new(mode, (40, 30)).save(tmp_path / "train" / "b" / "1.png")
    dataset = f"folder:{tmp_path}"
    assert first_shape(dataset, DataOptions()) == (channels, 30, 40)
    assert first_shape(dataset, DataOptions(size=16, mode="gray")) == (1, 16, 16)
    assert training_images(dataset) == 1


def test_test_images_are_not_counted(tmp_path):
    for place in ("train/a/1.png", "train/b/2.jpg", "test/a/3.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert training_images(f"folder:{tmp_path}") == 2


def test_what_cannot_be_read_tells_nothing(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"no archive")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"no image")
    for dataset in (
        f"npz:{tmp_path}/x.npz",
        f"npz:{tmp_path}/none.npz",
        f"folder:{tmp_path}",
        "folder:/none",
        "digits",
    ):
        assert first_shape(dataset, DataOptions()) is None
    assert training_images(f"npz:{tmp_path}/x.npz") is None and training_images("digits") is None
