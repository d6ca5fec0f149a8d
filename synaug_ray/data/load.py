"""Loads the images of a data source: decoded once, into cached arrays that are memory-mapped afterwards.

``identify`` names a source and its content. A new kind of source is one case there and one here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.classes_alike import alike_note
from synaug_ray.data.decoding.cache import (
    amend,
    move_arrays,
    new_arrays,
    notes_on_pixels,
    open_arrays,
    reading_of,
    write_arrays,
)
from synaug_ray.data.decoding.read_all import Rows, read_parts
from synaug_ray.data.identify import KINDS
from synaug_ray.data.images import Dataset
from synaug_ray.data.sources.base import Source, named
from synaug_ray.data.sources.digits import open_digits
from synaug_ray.data.sources.folder import open_folder
from synaug_ray.data.sources.medmnist import open_medmnist
from synaug_ray.data.sources.npz import open_npz
from synaug_ray.data.sources.torchvision import open_torchvision
from synaug_ray.data.sources.torchvision_sets import TORCHVISION
from synaug_ray.data.splits import assign
from synaug_ray.plan.subset import DataIdentity

READING = 2  # version of the rules for labels, splits and folders; arrays made by older rules are checked once more
_REREAD = ("folder", "npz", "parquet")  # kinds of sources that are on this machine


def load(data: DataIdentity, cache: Path) -> Dataset:
    """The images of a source, brought to one size and mode and split.

    They are decoded once into ``<cache>/arrays/<key>/`` and memory-mapped from then on. Only decoding shows whether any
    is transparent: what is made of them has to be planned with what ``settled`` says afterwards.

    Args:
        data: what ``identify`` returned.
        cache: where downloads and decoded arrays are kept.

    Raises:
        DataProblem: with every problem found.
        StorageProblem: if the cache cannot be written.
    """
    data = settled(data, cache)
    folder, name = cache / "arrays" / data.key, _name(data.source)
    dataset = open_arrays(folder, name)
    source = None
    if dataset is not None and data.source.partition(":")[0] in _REREAD and reading_of(folder) < READING:
        source = open_source(data, cache)  # refuses what older rules accepted; nothing is decoded again
        notes = _notes(source, data)
        amend(folder, notes=notes, reading=READING)
        said = (*notes, *notes_on_pixels(folder))
        dataset = dataclasses.replace(dataset, notes=said) if source.classes == dataset.classes else None
    if dataset is None:
        source = source or open_source(data, cache)
        _check_holdout(source, data.options)
        with new_arrays(folder, _bytes(source, data.options)) as scratch:
            transparent = _make(source, data, scratch, name)
        if transparent and data.options.ground is None:
            move_arrays(folder, cache / "arrays" / _settle(data, cache).key)
            return load(data, cache)
        dataset = open_arrays(folder, name)
    assert dataset is not None  # just written
    return dataset


class Unsettled(Exception):
    """Decoding has shown something that the identity in the plan lacks: make the plan again with ``settled``."""


def settled(data: DataIdentity, cache: Path) -> DataIdentity:
    """The identity after decoding: with a background (``data.ground``) if there are transparent images."""
    known = data.options.ground is None and _shown(data, cache).is_file()
    return dataclasses.replace(data, options=data.options.model_copy(update={"ground": "white"})) if known else data


def _shown(data: DataIdentity, cache: Path) -> Path:
    return cache / "transparent" / data.key


def _settle(data: DataIdentity, cache: Path) -> DataIdentity:
    """Record for ``settled`` that there are transparent images."""
    mark = _shown(data, cache)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return settled(data, cache)


def open_source(data: DataIdentity, cache: Path) -> Source:
    """The samples of a source before decoding, downloaded where they are not here yet; raises as ``load`` does."""
    return named(_open_source(data, cache), data.options.classes)


def _open_source(data: DataIdentity, cache: Path) -> Source:
    kind, _, rest = data.source.partition(":")
    path = Path(rest).expanduser()
    if data.source == "digits":
        return open_digits()
    if data.source in TORCHVISION:
        return open_torchvision(data.source, cache)
    if kind == "folder":
        return open_folder(path, data.options)
    if kind == "npz":
        return open_npz(path, data.options)
    if kind == "medmnist":
        return open_medmnist(rest, data.options, cache)
    if kind == "hf":
        from synaug_ray.data.sources.hugging_face import open_hf

        return open_hf(data.fingerprint, data.options, cache)
    from synaug_ray.data.sources.parquet import open_parquet

    return open_parquet(path, data.options)


def _name(source: str) -> str:
    kind, _, rest = source.partition(":")
    if kind in ("folder", "parquet", "npz") and rest:
        path = Path(rest).expanduser().resolve()
        return path.name if path.is_dir() else path.stem
    return rest.partition("@")[0] if kind == "hf" else rest or source


def _check_holdout(source: Source, options: DataOptions) -> None:
    if options.holdout != DataOptions.model_fields["holdout"].default and (source.held or "test" in source.parts):
        why = "has test images of its own" if "test" in source.parts else "has a fixed split"
        raise DataProblem(f"data.holdout: {options.holdout} does not apply: this set {why}; remove it", code="holdout")


def _bytes(source: Source, options: DataOptions) -> int:
    """Lower bound of the disk space needed, in bytes; 0 if the image size is unknown before reading."""
    channels = 3 if options.mode == "rgb" else 1
    # twice: once decoded, once split
    return 2 * sum(part.count for part in source.parts.values()) * channels * (options.size or 0) ** 2


def _notes(source: Source, data: DataIdentity) -> list[str]:
    """The reader's notes, and notes that apply to every kind of source."""
    notes = [*source.notes, *(f"the {split} split is left out (data.leave_out)" for split in data.options.leave_out)]
    if source.held is None and data.source.partition(":")[0] in KINDS:
        if "test" not in source.parts:
            notes.append(f"no test split: {data.options.holdout:.0%} of train are held out for it (data.holdout)")
        if "val" not in source.parts:
            notes.append("no validation split: a tenth of train is held out for it")
    return notes + alike_note(source.classes)


def _make(source: Source, data: DataIdentity, scratch: Path, name: str) -> bool:
    """Decode into ``scratch``; returns whether any image is transparent."""
    options = data.options
    rows, tally = read_parts(source, options, scratch, name)
    groups = _group_numbers(rows)
    to = assign(source, options, {part: read.labels for part, read in rows.items()}, groups)
    write_arrays(
        scratch,
        rows,
        to,
        groups,
        {
            "classes": source.classes,
            "notes": _notes(source, data),
            "on_pixels": tally.notes(options),
            "reading": READING,
            "found": dataclasses.asdict(tally.found()),
            "dropped": [f"{bad.name} ({bad.why})" for bad in tally.bad],
        },
    )
    return tally.remarks["drawn"] > 0


def _group_numbers(rows: Mapping[str, Rows]) -> dict[str, NDArray[np.int64]] | None:
    """Group names as integers, numbered alike in all parts; None without groups."""
    names = sorted({group for read in rows.values() for group in read.groups if group is not None})
    if not names:
        return None
    number = {name: i for i, name in enumerate(names)}
    return {
        part: np.array([number[str(group)] for group in read.groups], dtype=np.int64) for part, read in rows.items()
    }
