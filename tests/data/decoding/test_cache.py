"""Decoded arrays on disk: mapped, checked when they are opened, made again when they are damaged."""

import json
import os
import pickle
import time

import numpy as np
import pytest
from helpers.image_files import bag, image_folder, read
from PIL import Image

from synaug_ray.common.errors import StorageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data import load as sources
from synaug_ray.data.decoding.cache import STALE
from synaug_ray.data.decoding.npy_rows import RowWriter, read_runs
from synaug_ray.data.identify import identify
from synaug_ray.data.images import joined, separated
from synaug_ray.data.load import load


@pytest.fixture
def pets(tmp_path):
    return image_folder(tmp_path / "pets", {"a1": 12, "b1": 12})


def folder_of(name, cache, **options):
    return cache / "arrays" / identify(name, DataOptions(**options)).key


def never_opened(monkeypatch):
    monkeypatch.setattr(sources, "open_source", lambda *args: pytest.fail("decoded again"))


def same(first, second):
    return all(
        (getattr(first, s).images == getattr(second, s).images).all()
        and (getattr(first, s).labels == getattr(second, s).labels).all()
        for s in ("train", "val", "test")
    )


def test_the_second_time_nothing_is_decoded(pets, cache, monkeypatch):
    first = read(pets, cache, group="([ab]1/0..)", size=4)
    never_opened(monkeypatch)
    second = read(pets, cache, group="([ab]1/0..)", size=4)
    assert same(first, second) and second.classes == first.classes and second.found == first.found
    assert second.groups is not None and first.groups is not None
    assert all((a == b).all() for a, b in zip(first.groups, second.groups, strict=True))
    assert second.notes == first.notes and second.dropped == first.dropped


def test_files_lie_where_they_should(pets, cache):
    read(pets, cache)
    assert [p.name for p in (cache / "arrays").iterdir()] == [folder_of(pets, cache).name]
    assert sorted(p.name for p in folder_of(pets, cache).iterdir()) == ["about.json"] + sorted(
        f"{s}_{w}.npy" for s in ("train", "val", "test") for w in ("images", "labels", "names")
    )


def test_images_keep_the_names_of_their_files(pets, cache, tmp_path):
    """Through the hold-out of validation and test images, with one that cannot be read, and a second time."""
    (tmp_path / "pets" / "a1" / "000.png").write_bytes(b"no image")
    for _ in range(2):
        data = read(pets, cache, on_bad="drop")
        names = [data.names_of(split) for split in range(3)]
        assert sorted(sum(names, [])) == sorted(f"{c}/{i:03}.png" for c in ("a1", "b1") for i in range(12))[1:]
        for part, own in zip((data.train, data.val, data.test), names, strict=True):
            assert [data.classes[k] for k in part.labels] == [name[:2] for name in own]
            for image, name in zip(part.images, own, strict=True):
                with Image.open(tmp_path / "pets" / name) as opened:
                    assert (image == np.asarray(opened)).all()


@pytest.mark.parametrize("names", [["a/1.png"], ["", "x\n", "\udcff.png", "日本"], []])
def test_names_are_kept_as_they_are(names):
    shown = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    assert separated(joined(names)) == shown


def test_arrays_are_mapped_plain_and_read_only(pets, cache):
    """Ray copies a numpy.memmap; a plain array goes out of band, without a copy."""
    images = read(pets, cache).train.images
    assert type(images) is np.ndarray and not images.flags.writeable and images.dtype == np.uint8
    assert images.flags.c_contiguous
    base = images
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    apart = []
    pickle.dumps(images, protocol=5, buffer_callback=apart.append)
    assert [len(b.raw()) for b in apart] == [images.nbytes]


def test_a_data_set_survives_the_object_store(pets, cache):
    data = read(pets, cache, group="([ab]1/0..)")
    again = pickle.loads(pickle.dumps(data, protocol=5))
    assert same(data, again) and again.found == data.found and again.classes == data.classes


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "about.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "empty"])
def test_a_damaged_folder_is_made_again(pets, cache, file, damage):
    first = read(pets, cache)
    first = pickle.loads(pickle.dumps(first))  # its own copy
    at = folder_of(pets, cache) / file
    content = bytearray(at.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        at.unlink()
    else:
        at.write_bytes({"flip": bytes(content), "cut": bytes(content[:-1]), "empty": b""}[damage])
    again = read(pets, cache)
    assert same(first, again) and again.classes == first.classes
    assert len(list((cache / "arrays").iterdir())) == 1 and same(again, read(pets, cache))


def test_about_of_another_format_is_made_again(pets, cache):
    first = read(pets, cache)
    at = folder_of(pets, cache) / "about.json"
    about = json.loads(at.read_text())
    at.write_text(json.dumps(about | {"format": 0}))
    assert same(first, read(pets, cache)) and json.loads(at.read_text())["format"] == about["format"]


def test_a_folder_of_the_same_content_elsewhere_is_not_decoded_again(pets, cache, tmp_path, monkeypatch):
    first = read(pets, cache)
    (tmp_path / "pets").rename(tmp_path / "animals")
    never_opened(monkeypatch)
    again = read(f"folder:{tmp_path / 'animals'}", cache)
    assert again.name == "animals" and same(first, again)


def test_what_fails_leaves_nothing(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 12, "b": 12})
    (tmp_path / "a" / "x.png").write_bytes(b"")
    with pytest.raises(Exception, match="cannot be read"):
        read(name, cache)
    assert list((cache / "arrays").iterdir()) == []


def test_what_a_killed_process_left_is_swept_away(pets, cache):
    for name, age in ((".old.x", STALE + 60), (".new.x", 60)):
        (cache / "arrays" / name).mkdir(parents=True)
        os.utime(cache / "arrays" / name, (time.time() - age,) * 2)
    read(pets, cache)
    assert {p.name for p in (cache / "arrays").iterdir()} == {".new.x", folder_of(pets, cache).name}


def test_another_process_may_be_quicker(pets, cache, monkeypatch):
    """It wrote the same arrays while these were decoded."""
    real = sources.read_parts

    def slow(*args):
        monkeypatch.setattr(sources, "read_parts", real)
        load(identify(pets, DataOptions()), cache)
        return real(*args)

    monkeypatch.setattr(sources, "read_parts", slow)
    data = load(identify(pets, DataOptions()), cache)
    assert len(bag(data.train, data.val, data.test)) == 24 and len(list((cache / "arrays").iterdir())) == 1


def test_a_cache_that_cannot_be_written(pets, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageProblem, match="cannot write to .*file/arrays .*; name another folder with --data"):
        read(pets, tmp_path / "file")


def test_too_little_room_is_told_before(pets, cache, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1_000_000))
    with pytest.raises(StorageProblem, match=r"the images need 0.1 GB in .*, which has 0.0 GB free; free some space"):
        read(pets, cache, size=1_000, mode="rgb")


def test_rows_written_one_by_one_are_an_npy_file(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (1_003, 3, 5), dtype=np.uint8)
    with RowWriter(tmp_path / "x.npy") as out:
        for row in rows[:1_000]:
            out.write(row)
        out.extend(rows[1_000:])
    assert (np.load(tmp_path / "x.npy") == rows).all()
    assert (np.concatenate(list(read_runs(tmp_path / "x.npy", 100))) == rows).all()
    with RowWriter(tmp_path / "none.npy"):
        pass
    assert len(np.load(tmp_path / "none.npy")) == 0
