"""Where images come from: ``digits``, torchvision's names, ``folder:PATH``, ``npz:PATH``.

``identify`` says what a source holds without decoding it (a plan needs no more); ``load`` reads it.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug_ray.data.images import Dataset, ImageSet
from synaug_ray.data_options import DataOptions
from synaug_ray.errors import DataProblem, UsageProblem, did_you_mean
from synaug_ray.steps import DataIdentity

TORCHVISION = {"cifar10": "CIFAR10", "cifar100": "CIFAR100"}
# published archives are fixed by their md5, which torchvision checks before it unpacks them
TORCHVISION_MD5 = {"cifar10": "c58f30108f718f92721af3b95e74349a", "cifar100": "eb9058c3a382ffc7106e4002c42a8d85"}
BUILT_IN = ("digits", *TORCHVISION)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
MAX_PIXELS = 90_000_000  # of one file: a small one can unpack to any size
SPLIT_LIKE = ("train", "training", "val", "valid", "validation", "test", "testing")
VAL_SHARE, TEST_SHARE = 0.1, 0.2  # where a source has no such split of its own


def identify(dataset: str, options: DataOptions, where: str = "dataset") -> DataIdentity:
    """The identity of a source: for files, a hash of all their bytes.

    Raises:
        UsageProblem: for a name that no source has.
        DataProblem: for a folder or file that is not there, or holds no images.
    """
    kind, _, rest = dataset.partition(":")
    if dataset == "digits":
        fingerprint = "scikit-learn load_digits, UCI 1998"
    elif dataset in TORCHVISION:
        fingerprint = TORCHVISION_MD5[dataset]
    elif kind == "folder" and rest:
        fingerprint = _hash_files(Path(rest), list(_image_files(Path(rest))))
    elif kind == "npz" and rest:
        if not Path(rest).is_file():
            raise DataProblem(f"{where}: {rest} is no file; npz:PATH names one .npz in MedMNIST's layout")
        fingerprint = _hash_files(Path(rest).parent, [Path(rest)])
    else:
        raise UsageProblem(f"{where}: no data set {dataset!r}{did_you_mean(dataset, BUILT_IN, '.')} "
                           f"Available: {', '.join(BUILT_IN)}, folder:PATH, npz:PATH")
    return DataIdentity(dataset, fingerprint, options)


def load(data: DataIdentity, cache: Path) -> Dataset:
    """Read, resize and split the images of a source.

    Args:
        data: what ``identify`` returned.
        cache: where downloads are kept.

    Raises:
        DataProblem: with every problem found.
    """
    kind, _, rest = data.source.partition(":")
    if data.source == "digits":
        return _digits(data)
    if data.source in TORCHVISION:
        return _torchvision(data, cache)
    return _folder(Path(rest), data) if kind == "folder" else _npz(Path(rest), data)


def _digits(data: DataIdentity) -> Dataset:
    """1,797 grey 8x8 images: 1,000 to train on, 197 to validate, 600 to test, in class proportion."""
    from sklearn.datasets import load_digits

    raw: Any = load_digits()
    images = np.round(raw.images * (255 / 16)).astype(np.uint8)[:, None]
    whole = _resized(ImageSet(images, raw.target.astype(np.int64)), data)
    test, rest = _hold_out(whole, 600, data.options.split_seed)
    val, train = _hold_out(rest, 197, data.options.split_seed + 1)
    return Dataset("digits", train, val, test, tuple(str(d) for d in range(10)))


def _hold_out(whole: ImageSet, count: int, seed: int) -> tuple[ImageSet, ImageSet]:
    from sklearn.model_selection import train_test_split

    try:
        rest, held = train_test_split(np.arange(len(whole)), test_size=count, stratify=whole.labels, random_state=seed)
    except ValueError as error:  # a class of one image, or fewer images than classes to hold out
        raise DataProblem(f"{len(whole)} images are too few to hold out {count} in class proportion ({error}); add "
                          "images, or give the splits yourself (train, val and test)") from None
    return whole.take(np.sort(held)), whole.take(np.sort(rest))


def _torchvision(data: DataIdentity, cache: Path) -> Dataset:
    from torchvision import datasets

    source = getattr(datasets, TORCHVISION[data.source])
    try:
        train, test = (source(str(cache), train=part, download=True) for part in (True, False))
    except (OSError, RuntimeError) as error:
        raise DataProblem(
            f"{data.source} is not in {cache} and could not be downloaded ({error}). Put {source.filename} "
            f"(md5 {source.tgz_md5}) there, or name another folder with --data"
        ) from None
    classes = tuple(train.classes)
    parts = [_resized(ImageSet(np.ascontiguousarray(np.asarray(s.data).transpose(0, 3, 1, 2)),
                               np.asarray(s.targets, dtype=np.int64)), data) for s in (train, test)]
    # val comes out of the test set's sibling split only, so that all 50,000 training images stay usable
    # at the largest num_real: 10% of the test images validate and are not measured on
    val, held = _hold_out(parts[1], max(len(classes), len(parts[1]) // 10), data.options.split_seed)
    return Dataset(data.source, parts[0], val, held, classes)


def _image_files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise DataProblem(f"folder:{folder}: no such folder")
    found = False
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))  # .ipynb_checkpoints and the like
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                found = True
                yield Path(root) / name
    if not found:
        raise DataProblem(f"folder:{folder} holds no images; expected {folder}/train/<class>/*.png or "
                          f"{folder}/<class>/*.png ({', '.join(SUFFIXES)})")


def _hash_files(root: Path, files: list[Path]) -> str:
    def one(file: Path) -> bytes:
        digest = hashlib.sha256(str(file.relative_to(root)).encode() + b"\0")
        digest.update(file.read_bytes())
        return digest.digest()

    with ThreadPoolExecutor() as pool:
        whole = hashlib.sha256(b"".join(pool.map(one, files)))
    return whole.hexdigest()


def _folder(folder: Path, data: DataIdentity) -> Dataset:
    files = list(_image_files(folder))
    alike = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name not in ("train", "val", "test")
                   and p.name.lower() in SPLIT_LIKE)
    if alike:  # read as classes they would make a data set nobody meant
        raise DataProblem(f"{folder} has folders named {', '.join(alike)}: name the splits train, val and test, "
                          "exactly")
    splits = {s for s in ("train", "val", "test") if (folder / s).is_dir()}
    if splits and "train" not in splits:
        raise DataProblem(f"{folder} has {' and '.join(sorted(splits))} and no train; expected "
                          f"{folder}/train/<class>/, or {folder}/<class>/ alone")
    base = folder / "train" if splits else folder
    classes = sorted({f.relative_to(base).parts[0] for f in files if f.is_relative_to(base)
                      and len(f.relative_to(base).parts) > 1})
    problems = [f"{at} holds no images; add some or remove the folder" for at in sorted(base.iterdir())
                if at.is_dir() and not at.name.startswith(".") and at.name not in classes]
    if len(classes) < 2:
        problems.append(f"{base} has {len(classes)} class folders with images ({', '.join(classes) or 'none'}); a "
                        "classifier needs at least two, one folder a class")
        raise DataProblem(problems)
    parts: dict[str, ImageSet] = {}
    for split in sorted(splits) or [""]:
        at = folder / split
        mine = [f for f in files if f.is_relative_to(at) and len(f.relative_to(at).parts) > 1]
        unknown = sorted({f.relative_to(at).parts[0] for f in mine} - set(classes))
        if unknown:
            problems.append(f"{at}: class {', '.join(unknown)} is not in {base}")
            continue
        if not mine:
            problems.append(f"{at} holds no images; add some, or remove it and a part of train is held out instead")
            continue
        labels = np.array([classes.index(f.relative_to(at).parts[0]) for f in mine], dtype=np.int64)
        parts[split] = ImageSet(_decode(mine, data, problems), labels)
    if problems:
        raise DataProblem(problems)
    return _split(str(folder.name), parts, tuple(classes), data)


def _decode(files: list[Path], data: DataIdentity, problems: list[str]) -> NDArray[np.uint8]:
    """uint8 [N, C, H, W]; adds to ``problems`` what cannot be read, and sizes that differ."""
    from PIL import Image

    mode = {"rgb": "RGB", "gray": "L", None: None}[data.options.mode]

    def one(file: Path) -> NDArray[np.uint8] | str:
        try:
            with Image.open(file) as image:
                if image.mode.startswith(("I", "F")):
                    return f"{file} has more than 8 bits a pixel (mode {image.mode}); convert it, or detail is lost"
                if image.width * image.height > MAX_PIXELS:
                    return f"{file} is {image.width} x {image.height}, over {MAX_PIXELS:,} pixels; downscale it first"
                image = image.convert(mode or ("L" if image.mode in ("L", "1") else "RGB"))
                if data.options.size:
                    image = image.resize((data.options.size, data.options.size), Image.Resampling.BOX
                                         if min(image.size) >= data.options.size else Image.Resampling.BICUBIC)
                pixels = np.asarray(image)
            return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            return f"{file} cannot be read as an image ({error})"

    with ThreadPoolExecutor() as pool:
        read = list(pool.map(one, files))
    problems += [r for r in read if isinstance(r, str)]
    arrays = [r for r in read if not isinstance(r, str)]
    shapes = sorted({a.shape for a in arrays})
    if len(shapes) > 1:
        problems.append(f"images differ in shape (from {shapes[0]} to {shapes[-1]}, channels x height x width); set "
                        "data.size (pixels a side) and data.mode (rgb or gray)")
        return np.zeros((0, 1, 1, 1), np.uint8)
    return np.stack(arrays) if arrays else np.zeros((0, 1, 1, 1), np.uint8)


def _npz(file: Path, data: DataIdentity) -> Dataset:
    try:
        arrays = np.load(file, allow_pickle=False)
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise DataProblem(f"{file} is a single array (.npy); expected an .npz with train_images and train_labels")
        with arrays:
            raw = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DataProblem(f"{file} is no readable .npz ({error})") from None
    problems, parts = [], {}
    for split in ("train", "val", "test"):
        if f"{split}_images" not in raw or f"{split}_labels" not in raw:
            if split == "train":
                problems.append(f"{file} lacks train_images or train_labels; it holds {', '.join(raw) or 'nothing'}")
            continue
        images, labels = raw[f"{split}_images"], raw[f"{split}_labels"]
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
            problems.append(f"{split}_images is {images.dtype} {list(images.shape)}; expected uint8 "
                            "[N, H, W] or [N, H, W, 3]")
        elif labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            problems.append(f"{split}_labels is {labels.dtype} {list(labels.shape)}; expected one integer an image "
                            "(several columns would be multi-label, which is not supported)")
        elif len(labels) != len(images) or not len(images):
            problems.append(f"{split} has {len(images)} images and {len(labels)} labels")
        else:
            arranged = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
            parts[split] = ImageSet(np.ascontiguousarray(arranged), labels.astype(np.int64))
    if problems:
        raise DataProblem(problems)
    found = np.unique(np.concatenate([p.labels for p in parts.values()]))
    if len(found) < 2 or found[0] != 0 or found[-1] != len(found) - 1:
        raise DataProblem(f"labels found: {', '.join(map(str, found[:20]))}; expected 0..K-1 without a gap, K >= 2")
    return _split(file.stem, parts, tuple(str(c) for c in found), data)


def _split(name: str, parts: dict[str, ImageSet], classes: tuple[str, ...], data: DataIdentity) -> Dataset:
    parts = {split: _resized(part, data) for split, part in parts.items()}
    shapes = {split: part.images.shape[1:] for split, part in parts.items()}
    if len(set(shapes.values())) > 1:
        each = ", ".join(f"{split} {' x '.join(map(str, shape))}" for split, shape in shapes.items())
        raise DataProblem(f"{name}: the splits differ in shape ({each}; channels x height x width); set data.size and "
                          "data.mode")
    channels, height, width = next(iter(shapes.values()))
    if height != width:
        raise DataProblem(f"{name}: images are {height} x {width}; set data.size to make them square")
    train = parts.get("train", parts.get(""))
    assert train is not None  # a source without a training part was refused before
    test, val = parts.get("test"), parts.get("val")
    if test is None:
        test, train = _hold_out(train, round(TEST_SHARE * len(train)), data.options.split_seed)
    if val is None:
        val, train = _hold_out(train, round(VAL_SHARE * len(train)), data.options.split_seed + 1)
    return Dataset(name, train, val, test, classes)


def _resized(part: ImageSet, data: DataIdentity) -> ImageSet:
    """``data.size`` pixels a side and ``data.mode``'s channels, where these are set and differ."""
    from PIL import Image

    images = part.images
    channels = {"rgb": 3, "gray": 1, None: images.shape[1]}[data.options.mode]
    height, width = (data.options.size, data.options.size) if data.options.size else images.shape[2:]
    if (channels, height, width) == images.shape[1:]:
        return part
    mode = "RGB" if channels == 3 else "L"
    out = np.empty((len(images), channels, height, width), np.uint8)
    for i, pixels in enumerate(images):
        image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).convert(mode)
        filter_ = Image.Resampling.BOX if height <= min(pixels.shape[1:]) else Image.Resampling.BICUBIC
        resized = np.asarray(image.resize((width, height), filter_))
        out[i] = resized[None] if resized.ndim == 2 else resized.transpose(2, 0, 1)
    return ImageSet(out, part.labels)
