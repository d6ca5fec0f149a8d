"""The door, fresh for every test, and images to bring to it."""

import numpy as np
import pytest
from helpers.doors import Door
from PIL import Image


@pytest.fixture
def door(tmp_path, capsys, monkeypatch):
    return Door(tmp_path, capsys, monkeypatch)


def pixels(rng, size=(8, 8), channels=1):
    return rng.integers(0, 256, size if channels == 1 else (*size, channels), dtype=np.uint8)


@pytest.fixture
def folder(door):
    """``make(counts)``: a folder of random grey 8x8 images, so many of each class; returns its spec."""
    rng = np.random.default_rng(0)

    def make(counts, size=(8, 8), channels=1):
        for name, count in counts.items():
            place = door.folder / "images" / name
            place.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                Image.fromarray(pixels(rng, size, channels)).save(place / f"{i:03}.png")
        return f"dataset=folder:{door.folder}/images"

    return make


@pytest.fixture
def npz(door):
    """``make(**changes)``: an .npz of three classes in MedMNIST's layout with some arrays replaced."""

    def make(counts=(200, 40, 60), **changes):
        rng = np.random.default_rng(0)
        arrays = {}
        for split, count in zip(("train", "val", "test"), counts, strict=True):
            arrays[f"{split}_images"] = rng.integers(0, 256, (count, 8, 8), dtype=np.uint8)
            arrays[f"{split}_labels"] = (np.arange(count) % 3).astype(np.uint8)[:, None]
        arrays |= changes
        np.savez(door.folder / "x.npz", **{k: v for k, v in arrays.items() if v is not None})
        return f"dataset=npz:{door.folder}/x.npz"

    return make
