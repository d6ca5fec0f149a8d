"""CIFAR as published, a tar.gz of pickled batches: read without unpickling anything but arrays."""

import hashlib
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
import torchvision.datasets  # noqa: F401  before pickle is made to fail: torch subclasses its unpickler
from helpers.fuzzing import BUDGET
from helpers.image_files import read, refused

from synaug_ray.data.sources import cifar
from synaug_ray.data.sources.cifar import NotCifar, read_batch


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings: the published batches are of 2009."""

    dispatch = pickle._Pickler.dispatch | {
        bytes: lambda self, text: self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)
    }


def pickled(content):
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue()


def cifar_archive(cache, monkeypatch, name, given=None):
    """A tiny archive of the true format (cs.toronto.edu/~kriz/cifar.html, "CIFAR python version").

    Of noise, or of the images and labels given for each split.

    torchvision knows the true files by their md5, so the test tells it those of the tiny ones.
    """
    from torchvision import datasets

    source = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    classes = 10 if name == "cifar10" else 100
    label = b"labels" if name == "cifar10" else b"fine_labels"
    rng, md5, made = np.random.default_rng(3), {}, {}
    cache.mkdir(parents=True, exist_ok=True)

    def add(tar, file, content):
        data = pickled(content)
        md5[file] = hashlib.md5(data).hexdigest()
        entry = tarfile.TarInfo(f"{source.base_folder}/{file}")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))

    with tarfile.open(cache / source.filename, "w:gz") as tar:
        for files, split in ((source.train_list, "train"), (source.test_list, "test")):
            made[split] = []
            for file, _ in files:
                count = classes * (2 if split == "train" and name == "cifar10" else 4 if split == "train" else 2)
                data = rng.integers(0, 256, (count, 3_072), dtype=np.uint8)
                labels = (np.arange(count) % classes).tolist()
                if given is not None:
                    data, labels, count = given[split][0], given[split][1].tolist(), len(given[split][1])
                add(
                    tar,
                    file,
                    {
                        b"batch_label": b"a batch",
                        b"data": data,
                        label: labels,
                        b"filenames": [f"{i}.png".encode() for i in range(count)],
                    },
                )
                made[split].append((data, labels))
        names = [f"class{i}".encode() for i in range(classes)]
        add(
            tar,
            source.meta["filename"],
            {b"label_names" if name == "cifar10" else b"fine_label_names": names, b"num_vis": 3_072},
        )
    monkeypatch.setattr(source, "tgz_md5", hashlib.md5((cache / source.filename).read_bytes()).hexdigest())
    monkeypatch.setattr(source, "train_list", [[f, md5[f]] for f, _ in source.train_list])
    monkeypatch.setattr(source, "test_list", [[f, md5[f]] for f, _ in source.test_list])
    monkeypatch.setattr(source, "meta", source.meta | {"md5": md5[source.meta["filename"]]})
    return {
        split: (np.concatenate([d for d, _ in parts]), sum((list(ls) for _, ls in parts), []))
        for split, parts in made.items()
    }


@pytest.fixture
def no_pickle(monkeypatch):
    """torchvision's own reader would unpickle; here that fails."""
    import sklearn.model_selection  # noqa: F401  joblib, which it imports, subclasses what is replaced here

    def never(*args, **kwargs):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.setattr(pickle, name, never)


@pytest.mark.parametrize("name,train,test", [("cifar10", 100, 20), ("cifar100", 400, 200)])
def test_cifar_from_its_archive(cache, monkeypatch, no_pickle, name, train, test):
    made = cifar_archive(cache, monkeypatch, name)
    data = read(name, cache)
    classes = 10 if name == "cifar10" else 100
    assert data.shape == (3, 32, 32) and data.num_classes == classes and data.classes[1] == "class1"
    assert len(data.train) == train  # every training image stays usable at the largest num_real
    assert len(data.val) + len(data.test) == test and len(data.val) == max(classes, test // 10)
    assert set(data.val.labels) == set(range(classes))
    # a row is 1,024 red, then green, then blue, each row by row
    assert (data.train.images.reshape(train, 3_072) == made["train"][0]).all()
    assert data.train.labels.tolist() == made["train"][1]
    both = np.concatenate([data.val.images, data.test.images]).reshape(test, 3_072)
    assert sorted(map(bytes, both)) == sorted(map(bytes, made["test"][0]))
    assert not (cache / f"{'cifar-10-batches-py' if classes == 10 else 'cifar-100-python'}").exists()  # not unpacked


def test_an_archive_of_real_images_is_read_as_its_arrays_are(shared_data, cache, monkeypatch, no_pickle):
    """2,500 real ones of CIFAR-100, in the archive's format and in an ``.npz``: the same training images, and test."""
    arrays = np.load(shared_data / "sets" / "cifar100-32.npz")
    labels = {split: arrays[f"{split}_labels"].ravel()[:2_500] for split in ("train", "test")}
    rows = {s: arrays[f"{s}_images"][:2_500].transpose(0, 3, 1, 2).reshape(2_500, 3_072) for s in labels}
    cifar_archive(cache, monkeypatch, "cifar100", {s: (rows[s], labels[s]) for s in labels})
    data = read("cifar100", cache)
    assert (data.train.images == arrays["train_images"][:2_500].transpose(0, 3, 1, 2)).all()
    assert (data.train.labels == labels["train"]).all()
    assert len(data.val) + len(data.test) == 2_500 and data.num_classes == 100


def test_cifar_as_torchvision_unpacked_it(cache, monkeypatch, no_pickle):
    from torchvision import datasets

    made = cifar_archive(cache, monkeypatch, "cifar10")
    with tarfile.open(cache / datasets.CIFAR10.filename) as archive:
        archive.extractall(cache, filter="data")
    (cache / datasets.CIFAR10.filename).unlink()
    assert (read("cifar10", cache).train.images.reshape(100, -1) == made["train"][0]).all()
    file = cache / datasets.CIFAR10.base_folder / "data_batch_2"
    file.write_bytes(file.read_bytes() + b"0")
    (sentence,) = refused("cifar10", cache, size=16)
    assert "is not the published file (the md5 is not" in sentence and "remove it and run again" in sentence


def test_cifar_of_another_size_and_mode(cache, monkeypatch):
    cifar_archive(cache, monkeypatch, "cifar10")
    assert read("cifar10", cache, size=16, mode="gray").shape == (1, 16, 16)


def test_an_archive_that_is_another_is_not_opened(cache, monkeypatch):
    cifar_archive(cache, monkeypatch, "cifar10")
    from torchvision import datasets

    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", "0" * 32)
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: (_ for _ in ()).throw(OSError("offline")))
    monkeypatch.setattr(cifar, "read_batch", lambda *a: pytest.fail("opened"))
    assert "could not be downloaded" in refused("cifar10", cache)[0]


def md5(content):
    return hashlib.md5(content).hexdigest()


def test_the_reader_of_batches_against_pickle():
    content = {b"data": np.arange(6_144, dtype=np.uint8).reshape(2, 3_072), b"labels": [3, 300], b"name": b"x"}
    data = pickled(content)
    ours, theirs = read_batch(data, md5(data)), pickle.loads(data, encoding="latin1")
    assert ours.keys() == theirs.keys() and ours["labels"] == theirs["labels"] == [3, 300]
    assert (ours["data"] == theirs["data"]).all() and ours["data"].dtype == np.uint8


@pytest.mark.parametrize(
    "trap", [(os.system, ("touch sprung",)), (eval, ("open('sprung', 'w')",)), (getattr, (7, "x")), (np.load, ("x",))]
)
def test_a_batch_that_would_call_something_is_refused(tmp_path, monkeypatch, trap):
    class Trap:
        def __reduce__(self):
            return trap

    monkeypatch.chdir(tmp_path)
    for content in ({b"data": Trap()}, Trap(), [Trap()]):
        data = pickled(content)
        with pytest.raises(NotCifar, match=f"refused to load .*{trap[0].__name__}"):
            read_batch(data, md5(data))
    assert not (tmp_path / "sprung").exists()


def test_nothing_is_unpickled_before_the_md5_is_checked(monkeypatch):
    monkeypatch.setattr(cifar, "_BatchUnpickler", lambda *a, **k: pytest.fail("unpickled"))
    data = pickled({b"labels": [1]})
    with pytest.raises(NotCifar, match=f"the md5 is not {'0' * 32}"):
        read_batch(data, "0" * 32)


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_other_protocols_and_types_are_refused_or_read(protocol):
    for content in ({"a": 1.5}, {"a": {1, 2}}, [1], 7, {"a": np.zeros(3)}, {"a": np.zeros((2, 2), order="F")}):
        data = pickle.dumps(content, protocol=protocol)
        try:
            assert read_batch(data, md5(data)) == content
        except NotCifar:
            pass


def test_damaged_batches_are_refused_not_crashed_on():
    """Random changes of a small batch."""
    data = pickled({b"data": np.zeros((1, 3_072), np.uint8)[:, :40], b"labels": [1, 2, 3], b"names": [b"a", b"b"]})
    rng = np.random.default_rng(0)
    for _ in range(1_000 * BUDGET):
        changed = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            changed[at] = rng.integers(0, 256)
        try:
            assert isinstance(read_batch(bytes(changed), md5(bytes(changed))), dict)
        except NotCifar:
            pass
