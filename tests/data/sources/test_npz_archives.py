"""Damaged and hostile .npz archives: refused quickly, without memory, and without executing anything."""

import io
import struct
import zipfile

import numpy as np
import pytest
from helpers.image_files import found, pixels, read, refused

from synaug_ray.data.sources import npz
from tests.data.sources.test_npz import medmnist


def test_files_that_are_no_npz(tmp_path, cache):
    medmnist(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    np.save(tmp_path / "one.npy", pixels(0))
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("no archive")
    damaged = bytearray(whole)
    damaged[2_000:2_200] = bytes(200)
    (tmp_path / "damaged.npz").write_bytes(bytes(damaged))
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("readme.txt", "no array")
    damage = dict.fromkeys(("cut.npz", "empty.npz", "text.npz", "damaged.npz"), "data-damaged")
    expected = {"one.npy": "data-layout", **damage, "other.npz": "no-train-split"}
    assert {file: found(f"npz:{tmp_path / file}", cache)[0][0] for file in expected} == expected
    assert not list((cache / "arrays").glob("*"))  # nothing half-made is left


def test_a_flipped_bit_in_the_pixels_is_noticed(tmp_path, cache):
    """Stored, not compressed: only the archive's checksum can tell."""
    arrays = medmnist(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", **arrays)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    at = content.find(arrays["train_images"][3].tobytes())
    content[at] ^= 1
    (tmp_path / "x.npz").write_bytes(bytes(content))
    assert "(Bad CRC-32" in refused(f"npz:{tmp_path / 'x.npz'}", cache)[0]


def archive_of(path, headers):
    """An archive whose arrays have the given headers and few bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (header, content) in headers.items():
            text = header.encode("latin-1")
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content)
    return f"npz:{path}"


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 28, 28)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 28, 28)}",
        "{'descr': '|u1', 'fortran_order': True, 'shape': (999999999, 28, 28)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 5_000 + ",)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'x': " + "(" * 9_000 + "}",
        "__import__('os').system('true')",
        "",
        "{" * 200,
    ],
)
def test_headers_that_lie(tmp_path, cache, header):
    """A terabyte claimed, or a parser to choke: refused in no time and without the memory."""
    name = archive_of(tmp_path / "x.npz", {"train_images": (header, bytes(100)), "train_labels": (header, bytes(100))})
    assert found(name, cache) == [("data-damaged", "")]


def test_a_long_header_is_not_parsed(tmp_path, cache):
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1), }" + " " * 20_000
    name = archive_of(tmp_path / "x.npz", dict.fromkeys(("train_images", "train_labels"), (header, b"0")))
    assert "(unreadable header: Header info length" in refused(name, cache)[0]


def test_a_bomb_is_read_in_runs(tmp_path, cache, monkeypatch):
    """200 MB of zeros in 200 KB: never more than a run of them is held."""
    import tracemalloc

    from synaug_ray.data.decoding import read_all

    monkeypatch.setattr(read_all, "THREADS", 2)
    labels = io.BytesIO()
    np.save(labels, np.arange(200) % 2)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_labels.npy", labels.getvalue())
        with archive.open("train_images.npy", "w") as out:
            np.lib.format.write_array_header_1_0(
                out, {"descr": "|u1", "fortran_order": False, "shape": (200, 1_000, 1_000)}
            )
            for _ in range(200):
                out.write(bytes(1_000_000))
    assert (tmp_path / "x.npz").stat().st_size < 400_000
    tracemalloc.start()
    data = read(f"npz:{tmp_path / 'x.npz'}", cache, size=8)
    assert tracemalloc.get_traced_memory()[1] < 100_000_000 and data.shape == (1, 8, 8)
    tracemalloc.stop()


def test_labels_too_large_to_be_read_whole(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(npz, "MAX_LABELS", 50)
    medmnist(tmp_path / "x.npz")
    assert any("train_labels has 60 bytes, too large" in s for s in refused(f"npz:{tmp_path / 'x.npz'}", cache))


def test_a_pickle_is_not_executed(tmp_path, cache):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "x.npz", train_images=np.array([Trap()], dtype=object), train_labels=np.zeros(1, int))
    refused(f"npz:{tmp_path / 'x.npz'}", cache)
    assert not (tmp_path / "sprung").exists()
