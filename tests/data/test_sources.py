"""Sources: what is read, how it is split, and what is said of images that cannot be used."""

import hashlib
import io
import pickle
import shutil
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from synaug_ray.data import sources
from synaug_ray.data.sources import identify, load
from synaug_ray.errors import DataProblem, UsageProblem
from synaug_ray.spec import DataOptions


def read(dataset, cache=None, **options):
    return load(identify(str(dataset), DataOptions(**options)), cache)


def refused(dataset, cache=None, **options):
    """The sentences of the refusal, each a line."""
    with pytest.raises(DataProblem) as caught:
        read(dataset, cache, **options)
    assert all("\n" not in s for s in caught.value.sentences)
    return caught.value.sentences


def pixels(number, size=(8, 8), channels=1):
    """Random images that differ from one another."""
    shape = size if channels == 1 else (*size, channels)
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def save(path, number, size=(8, 8), channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(number, size, channels)).save(path)


def image_folder(root, counts, splits=("",), **kwargs):
    """``counts`` images of each class in each split, every one another."""
    number = 0
    for split in splits:
        for name, count in counts.items():
            for i in range(count):
                save(root / split / name / f"{i:03}.png", number, **kwargs)
                number += 1
    return f"folder:{root}"


# --- digits -----------------------------------------------------------------------------------------------------


def test_digits_are_split_as_documented(digits):
    assert (len(digits.train), len(digits.val), len(digits.test)) == (1_000, 197, 600)
    assert digits.shape == (1, 8, 8) and digits.classes == tuple("0123456789")
    assert digits.train.images.dtype == np.uint8 and digits.train.images.max() == 255


def test_digits_splits_are_disjoint_and_complete(digits):
    from sklearn.datasets import load_digits

    def bag(images):
        return sorted(hashlib.sha256(i.tobytes()).hexdigest() for i in images)

    whole = np.round(load_digits().images * (255 / 16)).astype(np.uint8)
    parts = [bag(p.images) for p in (digits.train, digits.val, digits.test)]
    assert sorted(sum(parts, [])) == bag(whole)  # each of the 1,797 images in one of them, once
    assert len({h for p in parts for h in p}) == sum(len(set(p)) for p in parts)  # digits has no duplicates across


def test_digits_splits_keep_the_class_proportions(digits):
    share = sum(np.bincount(p.labels) for p in (digits.train, digits.val, digits.test)) / 1_797
    for part in (digits.train, digits.val, digits.test):
        assert np.abs(np.bincount(part.labels) - share * len(part)).max() < 1.5


def test_digits_are_the_same_every_time_and_others_with_another_seed(digits):
    again, other = read("digits"), read("digits", split_seed=1)
    assert (again.test.images == digits.test.images).all()
    assert (other.test.images != digits.test.images).any() and len(other.test) == 600


def test_digits_of_another_size_and_mode():
    large = read("digits", size=16, mode="rgb")
    assert large.shape == (3, 16, 16)
    small = read("digits", size=4)
    means = read("digits").train.images.reshape(-1, 1, 4, 2, 4, 2).mean((3, 5))
    assert np.abs(small.train.images - means).max() <= 1  # halving averages squares of four


# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name,said", [
    ("cifr100",
     "dataset: no data set 'cifr100'. Did you mean 'cifar100'? Available: digits, cifar10, cifar100, folder:PATH"),
    ("digits:x", "dataset: no data set 'digits:x'. Did you mean 'digits'?"),
    ("folder:", "dataset: no data set 'folder:'"), ("npz:", "dataset: no data set 'npz:'"),
    ("s3:bucket", "dataset: no data set 's3:bucket'. Available: "),
])
def test_names_that_no_source_has(name, said):
    with pytest.raises(UsageProblem) as caught:
        identify(name, DataOptions())
    assert str(caught.value).startswith(said)


def test_the_place_is_named_where_the_name_was_read():
    with pytest.raises(UsageProblem, match="^g.yaml:2: dataset: no data set 'x'"):
        identify("x", DataOptions(), "g.yaml:2: dataset")


# --- folders ----------------------------------------------------------------------------------------------------


def test_a_folder_without_splits_is_split_in_class_proportion(tmp_path):
    data = read(image_folder(tmp_path / "pets", {"cat": 60, "dog": 30}))
    assert data.classes == ("cat", "dog") and data.name == "pets" and data.shape == (1, 8, 8)
    # a fifth to test, then a tenth of the rest to validate
    assert [np.bincount(p.labels).tolist() for p in (data.test, data.val, data.train)] == [[12, 6], [5, 2], [43, 22]]
    parts = (data.train, data.val, data.test)
    assert len({i.tobytes() for p in parts for i in p.images}) == 90


def test_labels_belong_to_their_images(tmp_path):
    """Cats are dark and dogs are bright; whatever is shuffled, that must stay."""
    for i in range(20):
        for name, value in (("cat", 10 + i), ("dog", 200 + i)):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(np.full((4, 4), value, np.uint8)).save(tmp_path / name / f"{i}.png")
    data = read(f"folder:{tmp_path}")
    for part in (data.train, data.val, data.test):
        assert ((part.images.mean((1, 2, 3)) > 128) == (part.labels == 1)).all()


def test_a_folder_with_splits_is_taken_as_it_is(tmp_path):
    image_folder(tmp_path, {"a": 9, "b": 4}, ("train",))
    image_folder(tmp_path, {"a": 3, "b": 2}, ("val",))
    image_folder(tmp_path, {"a": 2, "b": 5}, ("test",))
    data = read(f"folder:{tmp_path}")
    assert [np.bincount(p.labels).tolist() for p in (data.train, data.val, data.test)] == [[9, 4], [3, 2], [2, 5]]
    assert data.train.images[0, 0].tolist() == pixels(0).tolist()


def test_a_folder_with_train_and_test_gives_up_a_part_of_train(tmp_path):
    name = image_folder(tmp_path, {"a": 20, "b": 20}, ("train", "test"))
    data = read(name)
    assert (len(data.train), len(data.val), len(data.test)) == (36, 4, 40)


def test_colour_grey_and_palette(tmp_path):
    assert read(image_folder(tmp_path / "rgb", {"a": 10, "b": 10}, channels=3)).shape == (3, 8, 8)
    assert read(f"folder:{tmp_path / 'rgb'}", mode="gray").shape == (1, 8, 8)
    image_folder(tmp_path / "mixed", {"a": 10, "b": 9})
    Image.fromarray(pixels(1, (8, 8), 4)).save(tmp_path / "mixed" / "b" / "rgba.png")
    (sentence,) = refused(f"folder:{tmp_path / 'mixed'}")
    assert "images differ in shape (from (1, 8, 8) to (3, 8, 8)" in sentence and "set data.size" in sentence
    assert read(f"folder:{tmp_path / 'mixed'}", mode="rgb").shape == (3, 8, 8)


def test_grey_repeated_into_colour_is_the_same_picture(tmp_path):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    grey, colour = read(name), read(name, mode="rgb")
    assert (colour.train.images == np.repeat(grey.train.images, 3, axis=1)).all()


def test_sizes_that_differ_are_told_and_can_be_made_one(tmp_path):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    save(tmp_path / "a" / "big.png", 99, (12, 20))
    (sentence,) = refused(name)
    assert "from (1, 8, 8) to (1, 12, 20)" in sentence and "set data.size (pixels a side)" in sentence
    assert read(name, size=4).shape == (1, 4, 4)


def test_images_that_are_not_square(tmp_path):
    name = image_folder(tmp_path, {"a": 10, "b": 10}, size=(6, 8))
    (sentence,) = refused(name)
    assert "images are 6 x 8; set data.size" in sentence
    assert read(name, size=8).shape == (1, 8, 8)


def test_splits_of_different_sizes(tmp_path):
    image_folder(tmp_path, {"a": 10, "b": 10}, ("train",))
    name = image_folder(tmp_path, {"a": 10, "b": 10}, ("test",), size=(9, 9)).removesuffix("/test")
    (sentence,) = refused(name)
    assert "the splits differ in shape (test 1 x 9 x 9, train 1 x 8 x 8" in sentence
    assert read(name, size=8).shape == (1, 8, 8)


def test_every_unreadable_image_is_named(tmp_path):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    whole = (tmp_path / "a" / "000.png").read_bytes()
    (tmp_path / "a" / "cut.png").write_bytes(whole[:len(whole) // 2])
    (tmp_path / "a" / "empty.png").write_bytes(b"")
    (tmp_path / "b" / "text.jpg").write_text("no image")
    said = refused(name)
    assert len(said) == 3
    for file in ("a/cut.png", "a/empty.png", "b/text.jpg"):
        assert sum(file in s and "cannot be read as an image" in s for s in said) == 1


def test_sixteen_bits_a_pixel_would_lose_detail(tmp_path):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1_000).save(tmp_path / "b" / "deep.png")
    (sentence,) = refused(name)
    assert "b/deep.png has more than 8 bits a pixel" in sentence


def test_a_small_file_that_unpacks_to_a_huge_image(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_PIXELS", 100)
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    save(tmp_path / "a" / "bomb.png", 1, (10, 11))
    (sentence,) = refused(name)
    assert "a/bomb.png is 11 x 10, over 100 pixels; downscale it first" in sentence


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataProblem, match="no such folder"):
        identify(f"folder:{tmp_path / 'nowhere'}", DataOptions())


def test_a_folder_without_images(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("x")
    with pytest.raises(DataProblem, match=r"holds no images; expected .*/train/<class>/\*.png"):
        identify(f"folder:{tmp_path}", DataOptions())


def test_one_class_is_no_task(tmp_path):
    assert "1 class folders with images (cat); a classifier needs at least two" in refused(
        image_folder(tmp_path / "a", {"cat": 10}))[0]
    save(tmp_path / "flat" / "x.png", 0)
    assert "0 class folders with images (none)" in refused(f"folder:{tmp_path / 'flat'}")[0]


def test_an_empty_class_folder_is_told(tmp_path):
    name = image_folder(tmp_path, {"naevus": 10, "other": 10})
    (tmp_path / "melanoma").mkdir()
    (sentence,) = refused(name)
    assert sentence == f"{tmp_path}/melanoma holds no images; add some or remove the folder"


def test_hidden_files_and_folders_are_no_data(tmp_path):
    name = image_folder(tmp_path, {"a": 10, "b": 10})
    before = identify(name, DataOptions())
    save(tmp_path / ".ipynb_checkpoints" / "x.png", 7)
    save(tmp_path / "a" / ".hidden.png", 7)
    assert identify(name, DataOptions()) == before and read(name).classes == ("a", "b")


def test_a_class_of_test_that_train_lacks(tmp_path):
    image_folder(tmp_path, {"a": 5, "b": 5}, ("train",))
    image_folder(tmp_path, {"a": 5, "z": 5}, ("test",))
    (sentence,) = refused(f"folder:{tmp_path}")
    assert sentence == f"{tmp_path}/test: class z is not in {tmp_path}/train"


def test_test_without_train(tmp_path):
    image_folder(tmp_path, {"a": 5, "b": 5}, ("test", ""))
    (sentence,) = refused(f"folder:{tmp_path}")
    assert "has test and no train; expected" in sentence


def test_an_empty_split(tmp_path):
    name = image_folder(tmp_path, {"a": 10, "b": 10}, ("train",)).removesuffix("/train")
    (tmp_path / "test").mkdir()
    (sentence,) = refused(name)
    assert sentence.startswith(f"{tmp_path}/test holds no images; add some, or remove it")


@pytest.mark.parametrize("counts", [{"a": 30, "b": 1}, {"a": 2, "b": 2}])
def test_too_few_images_to_split(tmp_path, counts):
    (sentence,) = refused(image_folder(tmp_path, counts))
    assert "too few to hold out" in sentence and "give the splits yourself" in sentence


def test_the_fingerprint_is_of_every_byte_and_of_no_path(tmp_path):
    name = image_folder(tmp_path / "here", {"a": 3, "b": 3})
    first = identify(name, DataOptions())
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert identify(f"folder:{tmp_path / 'there'}", DataOptions()).key == first.key
    file = tmp_path / "there" / "b" / "002.png"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    assert identify(f"folder:{tmp_path / 'there'}", DataOptions()).fingerprint != first.fingerprint


def test_the_fingerprint_knows_which_class_an_image_is_in(tmp_path):
    name = image_folder(tmp_path, {"a": 3, "b": 3})
    before = identify(name, DataOptions()).fingerprint
    (tmp_path / "a" / "000.png").rename(tmp_path / "b" / "003.png")
    assert identify(name, DataOptions()).fingerprint != before


# --- npz --------------------------------------------------------------------------------------------------------


def medmnist(path, change=lambda arrays: None, shape=(28, 28), classes=3, **counts):
    """A file as MedMNIST's are: uint8 [N, 28, 28(, 3)] and uint8 [N, 1]."""
    rng, arrays = np.random.default_rng(0), {}
    for split, count in (counts or {"train": 60, "val": 12, "test": 18}).items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % classes).astype(np.uint8)[:, None]
    change(arrays)
    np.savez_compressed(path, **arrays)
    return arrays


def test_medmnist_layout(tmp_path):
    arrays = medmnist(tmp_path / "blood.npz", shape=(28, 28, 3))
    data = read(f"npz:{tmp_path / 'blood.npz'}")
    assert data.name == "blood" and data.shape == (3, 28, 28) and data.classes == ("0", "1", "2")
    assert (len(data.train), len(data.val), len(data.test)) == (60, 12, 18)
    assert (data.test.images[5].transpose(1, 2, 0) == arrays["test_images"][5]).all()
    assert (data.train.labels == arrays["train_labels"][:, 0]).all() and data.train.labels.dtype == np.int64


def test_grey_npz_and_size_and_mode(tmp_path):
    medmnist(tmp_path / "x.npz")
    name = f"npz:{tmp_path / 'x.npz'}"
    assert read(name).shape == (1, 28, 28)
    assert read(name, size=14, mode="rgb").shape == (3, 14, 14)
    assert identify(name, DataOptions(size=14)).key != identify(name, DataOptions()).key


def test_npz_without_splits_of_its_own(tmp_path):
    medmnist(tmp_path / "x.npz", train=60)
    data = read(f"npz:{tmp_path / 'x.npz'}")
    assert (len(data.train), len(data.val), len(data.test)) == (43, 5, 12)


def drop(*names):
    return lambda arrays: [arrays.pop(n) for n in names]


def put(name, value):
    return lambda arrays: arrays.update({name: value(arrays[name])})


@pytest.mark.parametrize("change,said", [
    (drop("train_labels"), "lacks train_images or train_labels; it holds train_images, val_images"),
    (put("train_labels", lambda a: a * 2), "labels found: 0, 1, 2, 4; expected 0..K-1 without a gap, K >= 2"),
    (put("train_labels", lambda a: a.astype(np.int64) - 1), "labels found: -1, 0, 1, 2; expected 0..K-1"),
    (put("train_labels", lambda a: a.astype(float)), "train_labels is float64 [60]; expected one integer an image"),
    (put("train_labels", lambda a: np.where(a == 1, np.nan, a)), "train_labels is float64 [60]"),
    (put("train_labels", lambda a: np.repeat(a, 14, axis=1)),
     "train_labels is uint8 [60, 14]; expected one integer an image "
     "(several columns would be multi-label, which is not supported)"),
    (put("train_images", lambda a: np.repeat(a[:, None], 28, axis=1)),
     "train_images is uint8 [60, 28, 28, 28]; expected uint8"),
    (put("train_images", lambda a: a.astype(np.float32) / 255), "train_images is float32 [60, 28, 28]; expected uint8"),
    (put("train_images", lambda a: a[:50]), "train has 50 images and 60 labels"),
    (put("test_images", lambda a: a[:, :20, :20]), "the splits differ in shape (train 1 x 28 x 28, val 1 x 28 x 28, "
     "test 1 x 20 x 20"),
    (put("train_images", lambda a: a.astype(object)), "is no readable .npz (Object arrays cannot be loaded when "
     "allow_pickle=False)"),
    (lambda arrays: arrays.update(test_images=arrays["test_images"][:0], test_labels=arrays["test_labels"][:0]),
     "test has 0 images and 0 labels"),
    (lambda arrays: arrays.update({k: a[:, :20] for k, a in arrays.items() if k.endswith("images")}),
     "images are 20 x 28; set data.size to make them square"),
])
def test_npz_that_cannot_be_used(tmp_path, change, said):
    medmnist(tmp_path / "x.npz", change)
    (sentence,) = refused(f"npz:{tmp_path / 'x.npz'}")
    assert said in sentence


def test_one_class_npz(tmp_path):
    medmnist(tmp_path / "x.npz", classes=1)
    assert "labels found: 0; expected 0..K-1" in refused(f"npz:{tmp_path / 'x.npz'}")[0]


def test_files_that_are_no_npz(tmp_path):
    medmnist(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    np.save(tmp_path / "one.npy", pixels(0))
    (tmp_path / "cut.npz").write_bytes(whole[:len(whole) // 2])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("no archive")
    damaged = bytearray(whole)
    damaged[2_000:2_200] = bytes(200)
    (tmp_path / "damaged.npz").write_bytes(bytes(damaged))
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("readme.txt", "no array")
    said = {f: refused(f"npz:{tmp_path / f}")[0] for f in ("one.npy", "cut.npz", "empty.npz", "text.npz", "damaged.npz",
                                                            "other.npz")}
    assert "is a single array (.npy)" in said["one.npy"]
    for file in ("cut.npz", "empty.npz", "text.npz", "damaged.npz"):
        assert f"{file} is no readable .npz" in said[file]
    assert "lacks train_images or train_labels" in said["other.npz"]


def test_a_pickle_in_an_npz_is_not_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "x.npz", train_images=np.array([Trap()], dtype=object), train_labels=np.zeros(1, int))
    refused(f"npz:{tmp_path / 'x.npz'}")
    assert not (tmp_path / "sprung").exists()


def test_npz_that_is_not_there(tmp_path):
    with pytest.raises(DataProblem, match="is no file; npz:PATH names one .npz"):
        identify(f"npz:{tmp_path / 'x.npz'}", DataOptions())


def test_one_byte_of_an_npz_changes_its_fingerprint_and_its_folder_does_not(tmp_path):
    medmnist(tmp_path / "x.npz")
    first = identify(f"npz:{tmp_path / 'x.npz'}", DataOptions())
    (tmp_path / "sub").mkdir()
    shutil.copy(tmp_path / "x.npz", tmp_path / "sub" / "x.npz")
    assert identify(f"npz:{tmp_path / 'sub' / 'x.npz'}", DataOptions()).key == first.key
    with open(tmp_path / "x.npz", "ab") as file:
        file.write(b"\0")
    assert identify(f"npz:{tmp_path / 'x.npz'}", DataOptions()).key != first.key


def test_the_real_pneumonia_file(shared_data):
    """Chest X-rays, as published: the counts are those of its README."""
    file = shared_data / "pneumonia-28.npz"
    if not file.is_file():
        pytest.skip(f"{file} is absent")
    data = read(f"npz:{file}")
    assert data.shape == (1, 28, 28) and data.classes == ("0", "1")
    assert np.bincount(data.train.labels).tolist() == [388, 3_494]
    assert np.bincount(data.test.labels).tolist() == [234, 390] and len(data.val) == 524
    assert 100 < data.train.images.mean() < 180  # X-rays, not noise and not blank


# --- CIFAR, as published: a tar.gz of pickled batches -----------------------------------------------------------


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings: the published batches are of 2009."""

    dispatch = pickle._Pickler.dispatch | {
        bytes: lambda self, text: self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)}


def cifar_archive(cache, monkeypatch, name):
    """A tiny archive of the true format (cs.toronto.edu/~kriz/cifar.html, "CIFAR python version").

    torchvision knows the true files by their md5, so the test tells it those of the tiny ones.
    """
    from torchvision import datasets

    source = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    classes = 10 if name == "cifar10" else 100
    label = b"labels" if name == "cifar10" else b"fine_labels"
    rng, md5, made = np.random.default_rng(3), {}, {}
    cache.mkdir(parents=True, exist_ok=True)

    def add(tar, file, content):
        buffer = io.BytesIO()
        Python2Pickler(buffer, protocol=2).dump(content)
        data = buffer.getvalue()
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
                add(tar, file, {b"data": data, label: labels})
                made[split].append((data, labels))
        names = [f"class{i}".encode() for i in range(classes)]
        add(tar, source.meta["filename"], {b"label_names" if name == "cifar10" else b"fine_label_names": names})
    monkeypatch.setattr(source, "tgz_md5", hashlib.md5((cache / source.filename).read_bytes()).hexdigest())
    monkeypatch.setattr(source, "train_list", [[f, md5[f]] for f, _ in source.train_list])
    monkeypatch.setattr(source, "test_list", [[f, md5[f]] for f, _ in source.test_list])
    monkeypatch.setattr(source, "meta", source.meta | {"md5": md5[source.meta["filename"]]})
    return {split: (np.concatenate([d for d, _ in parts]), sum((list(ls) for _, ls in parts), []))
            for split, parts in made.items()}


@pytest.mark.parametrize("name,train,test", [("cifar10", 100, 20), ("cifar100", 400, 200)])
def test_cifar_from_its_archive(tmp_path, monkeypatch, name, train, test):
    made = cifar_archive(tmp_path / "cache", monkeypatch, name)
    data = read(name, tmp_path / "cache")
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


def test_cifar_of_another_size_and_mode(tmp_path, monkeypatch):
    cifar_archive(tmp_path, monkeypatch, "cifar10")
    assert read("cifar10", tmp_path, size=16, mode="gray").shape == (1, 16, 16)


@pytest.mark.parametrize("name,file,md5", [
    ("cifar10", "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    ("cifar100", "cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
])
def test_a_missing_archive_without_a_network_says_what_to_put_where(tmp_path, monkeypatch, name, file, md5):
    def offline(*args, **kwargs):
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    (sentence,) = refused(name, tmp_path / "cache")
    assert sentence.startswith(f"{name} is not in {tmp_path / 'cache'} and could not be downloaded")
    assert f"Put {file} (md5 {md5}) there, or name another folder with --data" in sentence


def test_an_archive_that_is_another_is_not_unpacked(tmp_path, monkeypatch):
    cifar_archive(tmp_path, monkeypatch, "cifar10")
    from torchvision import datasets

    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", "0" * 32)
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: (_ for _ in ()).throw(OSError("offline")))
    assert "could not be downloaded" in refused("cifar10", tmp_path)[0]
    assert not (tmp_path / datasets.CIFAR10.base_folder).exists()


def test_published_archives_are_identified_by_their_md5():
    """Those that torchvision checks: a plan needs no download to know its data."""
    from torchvision import datasets

    for name, source in (("cifar10", datasets.CIFAR10), ("cifar100", datasets.CIFAR100)):
        assert identify(name, DataOptions()).fingerprint == source.tgz_md5


@pytest.mark.parametrize("names", [("Train", "Test"), ("train", "validation")])
def test_folders_that_look_like_splits_are_no_classes(tmp_path, names):
    from PIL import Image

    for name in names:
        for label in ("cat", "dog"):
            (tmp_path / name / label).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / name / label / "1.png")
    with pytest.raises(DataProblem, match=f"{names[1]}.*: name the splits train, val and test, exactly"):
        load(identify(f"folder:{tmp_path}", DataOptions()), tmp_path)
