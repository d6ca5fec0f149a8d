"""torchvision's sets: the table against torchvision itself, CIFAR without a pickle, and what is said offline."""

import dataclasses
import gzip
import hashlib
import inspect
import re
import struct

import numpy as np
import pytest
from helpers.image_files import counts, image_folder, read, refused

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.sources import torchvision
from synaug_ray.data.sources.torchvision_sets import TORCHVISION

# --- the table --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_the_table_is_torchvisions(name):
    """Every class is there and takes the arguments; every md5 and file name stands in torchvision's own code."""
    from torchvision import datasets

    published = TORCHVISION[name]
    source = getattr(datasets, published.name)
    text = "".join(inspect.getsource(c) for c in source.__mro__ if c.__module__.startswith("torchvision"))
    for file, md5 in published.files.items():
        assert re.fullmatch("[0-9a-f]{32}", md5) and md5 in text
        assert file in text or file.removesuffix(".gz") in text
    for arguments in published.splits.values():
        inspect.signature(source).bind("root", download=True, **arguments)
    assert len(published.counts) == len(published.splits) and "train" in published.splits
    assert published.name.lower() in name.replace("-balanced", "")


def test_no_two_sets_are_taken_for_one_another():
    assert len({p.fingerprint for p in TORCHVISION.values()}) == len(TORCHVISION)


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_offline_it_says_what_to_put_where(name, tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    (sentence,) = refused(name, tmp_path / "cache")
    assert sentence.startswith(f"{name} is not in {tmp_path / 'cache'} and could not be downloaded (")
    for file, md5 in TORCHVISION[name].files.items():
        assert f"{file} (md5 {md5})" in sentence
    assert sentence.endswith("or name another folder with --data")
    assert f" into {(tmp_path / 'cache' / TORCHVISION[name].folder).resolve()}" in sentence


def small(monkeypatch, name, **changes):
    """The table's row, for a tiny set of the same format."""
    published = dataclasses.replace(TORCHVISION[name], **changes)
    monkeypatch.setitem(torchvision.TORCHVISION, name, published)
    return published


def test_mnist_from_files_put_there_by_hand(tmp_path, cache, monkeypatch):
    """The four files of the true format (idx, gzipped), tiny; torchvision is told their md5."""
    from torchvision import datasets

    images = {
        s: np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)
        for s, n in (("train", 40), ("t10k", 30))
    }
    folder, md5 = cache / "MNIST" / "raw", []
    folder.mkdir(parents=True)
    for split, pixels in images.items():
        labels = (np.arange(len(pixels)) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
            content = gzip.compress(head + array.tobytes())
            (folder / f"{split}-{kind}-ubyte.gz").write_bytes(content)
            md5.append(hashlib.md5(content).hexdigest())
    names = [file for file, _ in datasets.MNIST.resources]
    monkeypatch.setattr(datasets.MNIST, "resources", list(zip(names, md5, strict=True)))
    small(monkeypatch, "mnist", counts=(40, 30), files=dict(zip(names, md5, strict=True)))
    data = read("mnist", cache)
    assert (data.train.images[:, 0] == images["train"]).all() and data.shape == (1, 28, 28)
    assert len(data.val) == 10 and len(data.test) == 20 and data.classes[3] == "3 - three"
    with (folder / names[0]).open("ab") as file:
        file.write(b"0")
    (sentence,) = refused("mnist", cache, size=14)
    assert f"{names[0]} is not the published file (md5 {md5[0]}); remove it and run again" in sentence


def test_a_set_without_test_images_is_split(cache, monkeypatch):
    """EuroSAT, unpacked: a folder a class."""
    image_folder(cache / "eurosat" / "2750", {"Forest": 30, "River": 20}, channels=3)
    small(monkeypatch, "eurosat", counts=(50,))
    data = read("eurosat", cache, holdout=0.3)
    assert data.classes == ("Forest", "River") and counts(data)[2] == [9, 6]
    small(monkeypatch, "eurosat", counts=(51,))
    assert refused("eurosat", cache, size=4) == [
        f"eurosat: train has 50 images in {cache}, expected 51; remove the extracted files and run again"
    ]


def test_photos_of_any_size_through_torchvision(cache, monkeypatch):
    """DTD, unpacked: its three splits stand in text files."""
    from helpers.image_files import save

    root = cache / "dtd" / "dtd"
    (root / "labels").mkdir(parents=True)
    for number, split in enumerate(("train", "val", "test")):
        names = [f"{label}/{split}{i}.jpg" for label in ("dotted", "lined") for i in range(3)]
        for i, name in enumerate(names):
            save(root / "images" / name, 10 * number + i, (9 + i, 14), 3)
        (root / "labels" / f"{split}1.txt").write_text("\n".join(names))
    small(monkeypatch, "dtd", counts=(6, 6, 6))
    data = read("dtd", cache, size=8)
    assert data.classes == ("dotted", "lined") and counts(data) == [[3, 3]] * 3 and data.shape == (3, 8, 8)
    assert data.found.num_sizes == 6


def test_published_archives_are_identified_by_their_md5():
    """Those that torchvision checks: a plan needs no download to know its data."""
    from torchvision import datasets

    for name, source in (("cifar10", datasets.CIFAR10), ("cifar100", datasets.CIFAR100)):
        assert identify(name, DataOptions()).fingerprint == source.tgz_md5
