"""Fingerprints are of content; the index beside them saves reading and is never believed against the content."""

import json
import os
import shutil
import time

import pytest
from helpers.image_files import image_folder, save

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.fingerprint import GRAIN_NS, fingerprint
from synaug_ray.data.identify import identify


def test_of_every_byte_and_of_no_path(tmp_path):
    name = image_folder(tmp_path / "here", {"a": 3, "b": 3})
    first = identify(name, DataOptions())
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert identify(f"folder:{tmp_path / 'there'}", DataOptions()).key == first.key
    file = tmp_path / "there" / "b" / "002.png"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    assert identify(f"folder:{tmp_path / 'there'}", DataOptions()).fingerprint != first.fingerprint


def test_it_knows_which_class_an_image_is_in(tmp_path):
    name = image_folder(tmp_path, {"a": 3, "b": 3})
    before = identify(name, DataOptions()).fingerprint
    (tmp_path / "a" / "000.png").rename(tmp_path / "b" / "003.png")
    assert identify(name, DataOptions()).fingerprint != before


@pytest.fixture
def old(tmp_path):
    """Three files that were written long enough ago for the index to trust their time stamps."""
    files = {f"{i}": tmp_path / f"{i}.bin" for i in range(3)}
    for name, file in files.items():
        file.write_bytes(name.encode() * 100)
    later = time.time_ns() + 2 * GRAIN_NS  # as if the clock had gone on
    return files, later


def count_reads(monkeypatch):
    import hashlib

    read = []
    real = hashlib.file_digest

    def counting(file, name):
        read.append(file.name)
        return real(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counting)
    return read


def test_what_has_not_changed_is_not_read_again(old, cache, tmp_path, monkeypatch):
    files, later = old
    plain = fingerprint(files, tmp_path, None)
    monkeypatch.setattr(time, "time_ns", lambda: later)
    read = count_reads(monkeypatch)
    assert fingerprint(files, tmp_path, cache) == plain and len(read) == 3
    assert fingerprint(files, tmp_path, cache) == plain and len(read) == 3
    files["1"].write_bytes(b"9" * 100)  # of the same length
    changed = fingerprint(files, tmp_path, cache)
    assert changed == fingerprint(files, tmp_path, None) != plain


def test_a_change_that_hides_its_time_is_noticed(old, cache, tmp_path, monkeypatch):
    """The same size and modification time: as ``cp -p`` and ``touch -r`` leave them."""
    files, later = old
    monkeypatch.setattr(time, "time_ns", lambda: later)
    before = fingerprint(files, tmp_path, cache)
    stat = files["1"].stat()
    files["1"].write_bytes(b"9" * 100)
    os.utime(files["1"], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert files["1"].stat().st_mtime_ns == stat.st_mtime_ns
    assert fingerprint(files, tmp_path, cache) != before


def test_what_was_just_written_is_not_trusted(old, cache, tmp_path, monkeypatch):
    """Two writes within the clock's grain leave the same time stamps."""
    files, _ = old
    read = count_reads(monkeypatch)
    for _ in range(2):
        fingerprint(files, tmp_path, cache)
    assert len(read) == 6


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"0": 3, "1": [], "2": [1, 2, 3, "zz"]}', b"\xff"])
def test_a_damaged_index_costs_time_alone(old, cache, tmp_path, monkeypatch, content):
    files, later = old
    monkeypatch.setattr(time, "time_ns", lambda: later)
    right = fingerprint(files, tmp_path, cache)
    (index,) = (cache / "index").iterdir()
    index.write_bytes(content)
    assert fingerprint(files, tmp_path, cache) == right
    assert json.loads(index.read_text()).keys() == {"0", "1", "2"}


def test_a_cache_that_cannot_be_written_is_no_error(old, tmp_path):
    files, _ = old
    (tmp_path / "file").write_text("")
    assert fingerprint(files, tmp_path, tmp_path / "file") == fingerprint(files, tmp_path, None)


def test_files_that_cannot_be_opened_are_named(tmp_path):
    with pytest.raises(DataProblem) as caught:
        fingerprint({"a": tmp_path / "a", "b": tmp_path / "b"}, tmp_path, None)
    assert str(caught.value) == (
        "2 of 2 files cannot be opened: a (No such file or directory), b (No such file or "
        "directory); check their permissions"
    )


def test_names_that_are_no_unicode(tmp_path, cache):
    name = os.fsdecode(b"\xff\xfe")
    (tmp_path / "a").mkdir()
    save(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "x.png").rename(tmp_path / "a" / f"{name}.png")
    assert len(identify(f"folder:{tmp_path}", DataOptions(), "dataset", cache).fingerprint) == 64
