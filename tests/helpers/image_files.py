"""Shared by the tests of sources: images, folders of images, archives, and reading them."""

import io

import numpy as np
import pytest
from PIL import Image

from synaug_ray.common.errors import DataProblem, Problem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.load import load

HELD_OUT = (  # the notes on a source without test and validation sets
    "no test split: 20% of train are held out for it (data.holdout)",
    "no validation split: a tenth of train is held out for it",
)


def read(dataset, cache, **options):
    return load(identify(str(dataset), DataOptions(**options)), cache)


def refused(dataset, cache, kind=DataProblem, **options):
    """The sentences of the refusal."""
    return [str(message) for message in refusal(dataset, cache, kind, **options)]


def found(dataset, cache, kind=DataProblem, **options):
    """(code, value) of each message of the refusal."""
    return [(message.code, message.value) for message in refusal(dataset, cache, kind, **options)]


def refusal(dataset, cache, kind=DataProblem, **options):
    """The messages of the refusal: each has one line and a code of its own."""
    with pytest.raises(kind) as caught:
        read(dataset, cache, **options)
    assert isinstance(caught.value, Problem)
    assert all("\n" not in s and len(s) < 1_500 for s in caught.value.sentences)
    assert all(message.code != DataProblem.code for message in caught.value.messages)
    return caught.value.messages


def pixels(number, size=(8, 8), channels=1):
    """Random pixels, different for each ``number``; ``size`` is (height, width)."""
    shape = size if channels == 1 else (*size, channels)
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def save(path, number=0, size=(8, 8), channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(number, size, channels)).save(path)


def encoded(number, size=(8, 8), channels=1, form="PNG"):
    """The bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels(number, size, channels)).save(buffer, form)
    return buffer.getvalue()


def image_folder(root, counts, splits=("",), start=0, **kwargs):
    """``counts`` images of each class in each split, all different; returns the data set's name."""
    number = start
    for split in splits:
        for name, count in counts.items():
            for i in range(count):
                save(root / split / name / f"{i:03}.png", number, **kwargs)
                number += 1
    return f"folder:{root}"


def bag(*parts):
    """All images of some parts, in canonical order."""
    return sorted(image.tobytes() for part in parts for image in part.images)


def counts(data):
    """The number of images of each class in train, val and test."""
    return [np.bincount(p.labels, minlength=data.num_classes).tolist() for p in (data.train, data.val, data.test)]
