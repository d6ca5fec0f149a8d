"""Reads torchvision's image classification sets; ``torchvision_sets.py`` lists them.

Images are read through ``dataset[i]``, the one interface that all of them share. CIFAR, which torchvision
unpickles, is read by ``cifar.py``.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import one_line
from synaug_ray.data.sources.base import Part, Sample, Source
from synaug_ray.data.sources.cifar import NotCifar, read_archive, read_batch
from synaug_ray.data.sources.torchvision_sets import TORCHVISION, Published


def open_torchvision(name: str, cache: Path) -> Source:
    """A published set, downloaded into ``cache`` and verified if it is not there.

    With a test split but no validation split, a tenth of the test images are used for validation and not
    for measurement, so that all training images stay usable at the largest ``num_real``.

    Raises:
        DataProblem: if it cannot be obtained, naming the files to provide and their folder; or is incomplete.
    """
    published = TORCHVISION[name]
    try:
        if published.name.startswith("CIFAR"):
            return _cifar(published, cache)
        return _through_torchvision(published, cache)
    except DataProblem:
        raise
    except Exception as error:  # of urllib, http, ssl, tarfile, zipfile and torchvision's own RuntimeErrors
        at = (cache / published.folder).resolve()
        files = ", ".join(f"{file} (md5 {md5})" for file, md5 in published.files.items())
        needs = f" It needs pip install {' '.join(published.needs)}." if published.needs else ""
        raise DataProblem(
            f"{name} is not in {cache} and could not be downloaded ({one_line(error, 300)}).{needs} Put {files} "
            f"{_addresses(published)}into {at}, or name another folder with --data",
            code="data-not-downloaded",
        ) from None


def _addresses(published: Published) -> str:
    """Where torchvision would download from, as far as its class says; ends with a blank."""
    from torchvision import datasets

    named = getattr(datasets, published.name)
    mirrors, splits = getattr(named, "mirrors", ()), getattr(named, "split_list", {})
    listed = [entry[0] for entry in splits.values() if isinstance(entry, (list, tuple))] if splits else []
    found = next(
        (
            one
            for one in (getattr(named, "url", ""), *mirrors[:1], *listed, getattr(named, "_URL", ""))
            if isinstance(one, str) and one
        ),
        "",
    )
    return f"from {found} " if found else ""


def _through_torchvision(published: Published, cache: Path) -> Source:
    from torchvision import datasets
    from torchvision.datasets.utils import check_integrity

    if not hasattr(tarfile, "data_filter"):
        raise DataProblem(
            f"{published.name.lower()}: Python before 3.11.4 extracts archives unsafely; update it",
            code="python-too-old",
        )
    sets = {
        split: getattr(datasets, published.name)(str(cache), download=True, **arguments)
        for split, arguments in published.splits.items()
    }
    for file, md5 in published.files.items():  # not all of torchvision's sets verify existing files
        at = cache / published.folder / file
        if at.is_file() and not check_integrity(at, md5):
            raise DataProblem(
                f"{at} is not the published file (md5 {md5}); remove it and run again", code="data-not-as-published"
            )
    parts = {}
    for (split, images), count in zip(sets.items(), published.counts, strict=True):
        if len(images) != count:
            raise DataProblem(
                f"{published.name.lower()}: {split} has {len(images):,} images in {cache}, expected "
                f"{count:,}; remove the extracted files and run again",
                code="data-not-as-published",
            )
        parts[split] = Part(count, _samples(split, images, count))
    return Source(_classes(sets["train"]), parts, val_of_test="test" in parts)


def _samples(split: str, images: Any, count: int) -> Callable[[], Iterator[Sample]]:
    def one(i: int) -> Callable[[], tuple[Any, int]]:
        return lambda: images[i]

    return lambda: (Sample(f"{split}[{i}]", one(i), None) for i in range(count))


def _classes(images: Any) -> tuple[str, ...]:
    named = getattr(images, "classes", None) or getattr(images, "categories", None)
    if named is None:  # svhn, usps, semeion: digits; gtsrb: numbers of signs; pcam: with and without a tumour
        named = range({"PCAM": 2, "GTSRB": 43}.get(type(images).__name__, 10))
    return tuple(str(c) if not isinstance(c, tuple) else str(c[0]) for c in named)  # imagenette has synonyms


def _cifar(published: Published, cache: Path) -> Source:
    """From the archive, or from the folder that torchvision extracts it to."""
    from torchvision import datasets
    from torchvision.datasets.utils import download_url

    known = getattr(datasets, published.name)
    md5 = dict(known.train_list) | dict(known.test_list) | {known.meta["filename"]: known.meta["md5"]}
    names, unpacked = list(md5), cache / known.base_folder
    try:
        if all((unpacked / name).is_file() for name in names):
            batches = {name: read_batch((unpacked / name).read_bytes(), md5[name]) for name in names}
        else:
            download_url(known.url, str(cache), known.filename, known.tgz_md5)
            batches = read_archive(cache / known.filename, known.base_folder, names, md5)
    except NotCifar as error:
        raise DataProblem(
            f"{published.name.lower()}: {unpacked if unpacked.is_dir() else cache / known.filename} is "
            f"not the published file ({error}); remove it and run again",
            code="data-not-as-published",
        ) from None
    parts = {}
    for split, files in (("train", known.train_list), ("test", known.test_list)):
        images = np.concatenate([batches[f]["data"] for f, _ in files]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        key = "labels" if published.name == "CIFAR10" else "fine_labels"
        labels = [label for f, _ in files for label in batches[f][key]]
        parts[split] = _array_part(split, images, labels)
    return Source(tuple(batches[known.meta["filename"]][known.meta["key"]]), parts, val_of_test=True)


def _array_part(split: str, images: np.ndarray, labels: list[int]) -> Part:
    return Part(
        len(labels),
        lambda: (
            Sample(f"{split}[{i}]", pixels, label) for i, (pixels, label) in enumerate(zip(images, labels, strict=True))
        ),
    )
