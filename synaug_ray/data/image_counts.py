"""How many test images of each class a source will have, without decoding or downloading any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from synaug_ray.data.audit.kept import known_test_images
from synaug_ray.data.decoding.cache import open_arrays
from synaug_ray.data.load import open_source, settled
from synaug_ray.data.sources.base import Source
from synaug_ray.data.sources.torchvision_sets import TORCHVISION
from synaug_ray.plan.subset import DataIdentity

LABELLED = ("digits", "folder", "npz")  # kinds whose labels cost nothing to read; for others, classes count as equal
HERE = (*LABELLED, "parquet")


def count_test_images(data: DataIdentity, cache: Path) -> tuple[int, ...] | None:
    """Test images by class; None where only a download tells.

    Those that ``data.duplicates: drop-test`` leaves out are not counted once an audit has found them
    (``copies_uncounted``). Of a set without a test split it is what would be held out, in class proportion; groups may
    change that a little.

    Raises:
        DataProblem: as ``load`` does, for a source that cannot be opened.
    """
    data = settled(data, cache)
    dataset = open_arrays(cache / "arrays" / data.key, data.source)
    if dataset is not None:
        known = known_test_images(cache, data.key) if data.options.duplicates == "drop-test" else None
        labels = np.delete(np.asarray(dataset.test.labels), known or [])
        return tuple(np.bincount(labels, minlength=dataset.num_classes).tolist())
    kind = data.source.partition(":")[0]
    if kind in TORCHVISION:
        published = TORCHVISION[kind]
        sizes = dict(zip(published.splits, published.counts, strict=True))
        count = sizes.get("test") if "test" not in data.options.leave_out else None
        return _even(count, published.num_classes) if count else None
    return _counted(open_source(data, cache), data, kind) if kind in HERE else None


def copies_uncounted(data: DataIdentity, cache: Path) -> bool:
    """Whether ``count_test_images`` still counts copies of training images that a run leaves out."""
    return data.options.duplicates == "drop-test" and known_test_images(cache, settled(data, cache).key) is None


def _counted(source: Source, data: DataIdentity, kind: str) -> tuple[int, ...]:
    part = source.parts["test" if "test" in source.parts else "train"]
    whole = "test" in source.parts
    held = part.count if whole else source.held[0] if source.held else round(data.options.holdout * part.count)
    if kind not in LABELLED:
        return _even(held, len(source.classes))
    labels = [sample.label for sample in part.samples() if sample.label is not None and sample.label >= 0]
    counts = np.bincount(np.array(labels, dtype=int), minlength=len(source.classes))
    if counts.sum() == 0:
        return _even(held, len(source.classes))
    return in_proportion(held, counts.tolist())


def in_proportion(total: int, counts: Sequence[int]) -> tuple[int, ...]:
    """``total`` images in the proportion of ``counts``, to whole ones."""
    ideal = total * np.asarray(counts) / max(sum(counts), 1)
    whole = np.floor(ideal).astype(int)
    whole[np.argsort(whole - ideal, kind="stable")[: total - int(whole.sum())]] += 1
    return tuple(whole.tolist())


def _even(count: int, classes: int) -> tuple[int, ...]:
    return tuple(count // classes + (k < count % classes) for k in range(classes))
