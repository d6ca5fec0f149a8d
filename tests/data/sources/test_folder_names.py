"""Folders with unusual names, links and depths."""

import unicodedata

import numpy as np
from helpers.image_files import HELD_OUT, bag, counts, found, image_folder, pixels, read, save
from PIL import Image

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.load import load


def test_a_class_written_in_two_ways_is_one(tmp_path, cache):
    """macOS writes the e and its accent apart; the same folder copied from there is the same data."""
    composed, apart = (unicodedata.normalize(form, "lésion") for form in ("NFC", "NFD"))
    image_folder(tmp_path / "one", {composed: 5, "b": 5}, ("train",))
    image_folder(tmp_path / "one", {apart: 5, "b": 5}, ("test",), start=50)
    image_folder(tmp_path / "two", {apart: 5, "b": 5}, ("train",))
    image_folder(tmp_path / "two", {composed: 5, "b": 5}, ("test",), start=50)
    data = read(f"folder:{tmp_path / 'one'}", cache, holdout=0.2)
    assert data.classes == ("b", composed) and counts(data)[2] == [5, 5]
    # the same, but for the order in which the two file systems list it
    assert bag(read(f"folder:{tmp_path / 'two'}", cache).test) == bag(data.test)
    save(tmp_path / "one" / "train" / apart / "x.png")
    assert found(f"folder:{tmp_path / 'one'}", cache) == [("unicode-forms", composed)]


def test_names_that_cannot_be_written(tmp_path, cache):
    """A class name goes into tables and onto the page; one with a line break, or that is no Unicode, is refused."""
    name = image_folder(tmp_path, {"a": 3, "line\nbreak": 3})
    odd = tmp_path / b"\xff\xfe".decode("utf-8", "surrogateescape")
    odd.mkdir()
    save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(odd / "x.png")
    assert found(name, cache) == [("unprintable-class", "line\\nbreak, \\udcff\\udcfe")]


def test_hostile_class_names_stay_names(tmp_path, cache):
    """They become neither paths nor files: nothing of them is in the cache's folder but inside about.json and the lists of names."""
    hostile = {"$(rm -rf ~)": 5, "<script>alert(1)</script>".replace("/", "\u2044"): 5}
    data = read(image_folder(tmp_path, hostile), cache)
    assert data.classes == tuple(sorted(hostile))
    assert {p.name for p in (cache / "arrays").rglob("*") if p.is_file()} == {"about.json"} | {
        f"{s}_{w}.npy" for s in ("train", "val", "test") for w in ("images", "labels", "names")
    }


def test_upper_case_suffixes_and_formats_by_content(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    (tmp_path / "a" / "000.png").rename(tmp_path / "a" / "000.PNG")
    Image.fromarray(pixels(5)).save(tmp_path / "b" / "named.png", "JPEG")  # a JPEG whatever it is called
    data = read(name, cache)
    assert sum(map(len, (data.train, data.val, data.test))) == 21


def test_images_deeper_than_their_class_belong_to_it(tmp_path, cache):
    image_folder(tmp_path / "animals", {"cat": 5, "dog": 5})
    data = read(image_folder(tmp_path, {"plants": 10}, start=50), cache)
    assert data.classes == ("animals", "plants") and np.sum(counts(data), 0).tolist() == [10, 10]
    assert data.notes == (
        "10 images are nested below their class folder (animals): the first folder of a path is the class",
        *HELD_OUT,
    )


def test_what_is_left_out_is_noted(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10}, ("train",))
    save(tmp_path / "overview.png")
    save(tmp_path / "extra" / "a" / "1.png")
    (tmp_path / "train" / "a" / "labels.csv").write_text("x")
    assert read(name, cache).notes == (
        "1 files are not read as images: 1 .csv",
        "2 images are outside any class folder and are left out: extra/a/1.png, overview.png",
        *HELD_OUT,
    )


def test_links_are_followed_and_noted(tmp_path, cache):
    image_folder(tmp_path / "store", {"a": 10, "b": 10})
    (tmp_path / "set" / "a").mkdir(parents=True)
    for i in range(10):
        (tmp_path / "set" / "a" / f"{i}.png").symlink_to(tmp_path / "store" / "a" / f"{i:03}.png")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "store" / "b")
    data = read(f"folder:{tmp_path / 'set'}", cache)
    assert np.sum(counts(data), 0).tolist() == [10, 10]
    assert data.notes == ("10 images lie outside the folder and are reached through links", *HELD_OUT)


def test_a_folder_inside_itself_is_no_endless_walk(tmp_path, cache):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert found(name, cache) == [("circular-link", "")]


def test_a_pipe_named_like_an_image_is_not_waited_for(tmp_path, cache):
    import os

    name = image_folder(tmp_path, {"a": 10, "b": 10})
    os.mkfifo(tmp_path / "a" / "pipe.png")
    assert found(name, cache) == [("not-a-file", "")]


def test_the_source_of_a_home_folder(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    image_folder(tmp_path / "pets", {"a": 10, "b": 10})
    assert load(identify("folder:~/pets", DataOptions()), cache).name == "pets"
