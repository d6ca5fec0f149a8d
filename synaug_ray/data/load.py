"""Where images come from, by one word in a grid: ``identify`` says which images, ``load`` reads them.

``identify`` decodes nothing and imports nothing heavy: a plan needs no more. ``load`` decodes a source
once, into arrays that lie in the cache and are mapped from then on.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.errors import DataProblem, Message, UsageProblem, did_you_mean
from synaug_ray.common.text import printable
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.cache import new_arrays, open_arrays, write_arrays
from synaug_ray.data.decoding.fingerprint import fingerprint
from synaug_ray.data.decoding.read_all import Rows, read_parts
from synaug_ray.data.images import Dataset
from synaug_ray.data.sources.base import Source
from synaug_ray.data.sources.digits import open_digits
from synaug_ray.data.sources.folder import identify_folder, open_folder
from synaug_ray.data.sources.medmnist import identify_medmnist, open_medmnist
from synaug_ray.data.sources.npz import open_npz
from synaug_ray.data.sources.torchvision import TORCHVISION, open_torchvision
from synaug_ray.data.splits import assign
from synaug_ray.plan.steps import DataIdentity

SHOWN = 200  # characters of a wrong name that a message repeats
BUILT_IN = ("digits", *TORCHVISION)
KINDS = {
    "folder": "PATH",
    "npz": "FILE",
    "parquet": "PATH",
    "medmnist": "NAME[@SIZE]",
    "hf": "OWNER/NAME[/CONFIGURATION][@REVISION]",
}
# options that only some kinds of source have a use for; a built-in set is of the kind "built-in"
_TABLES = ("parquet", "hf")
_APPLIES = {
    "group": ("folder", "npz", *_TABLES),
    "image": _TABLES,
    "label": _TABLES,
    "on_bad": ("folder", *_TABLES),
    "ordinal": ("medmnist",),
}


def identify(dataset: str, options: DataOptions, where: str = "dataset", cache: Path | None = None) -> DataIdentity:
    """The identity of a source: of files a hash of all their bytes, of published sets their md5 or commit.

    Args:
        dataset: a built-in name, or ``kind:rest``.
        where: what a message begins with.
        cache: the cache folder: what was read once and has not changed is not read again.

    Raises:
        UsageProblem: for a name that no source has, and options that it has no use for.
        DataProblem: for files that are not there or cannot be opened, or a set of another kind.
        ResourceProblem: where an optional package is missing.
    """
    kind, _, rest = dataset.partition(":")
    if dataset in BUILT_IN:
        kind = "built-in"
    if unknown := unknown_name(dataset, where):
        raise UsageProblem(unknown)
    useless = [
        Message(
            f"data.{name} is of no use with {dataset[:SHOWN]}; it is for {', '.join(kinds)}: remove it",
            where,
            "option-not-applicable",
            name,
        )
        for name, kinds in _APPLIES.items()
        if kind not in kinds and getattr(options, name) != DataOptions.model_fields[name].default
    ]
    if useless:
        raise UsageProblem(useless)
    return DataIdentity(dataset, _fingerprint(kind, dataset, rest, options, where, cache), options)


def unknown_name(dataset: str, where: str) -> list[Message]:
    """A message about a name that no source has, with those available; none for one that may exist."""
    kind, _, rest = dataset.partition(":")
    if dataset in BUILT_IN or (kind in KINDS and rest):
        return []
    every = ", ".join([*BUILT_IN, *(f"{k}:{form}" for k, form in KINDS.items())])
    text = f"no data set {dataset[:SHOWN]!r}{_prefixed(dataset)} Available: {every}"
    return [Message(text, where, "unknown-dataset", repr(dataset[:SHOWN]))]


def _prefixed(dataset: str) -> str:
    """What was meant: a path without its kind, or a name that is nearly one."""
    path = Path(dataset)
    if os.path.isdir(path):
        return f". It is a folder: write folder:{dataset}."
    kind = path.suffix.removeprefix(".")
    if kind in ("npz", "parquet") and (os.path.isfile(path) or os.sep in dataset):
        return f". It looks like a file: write {kind}:{dataset}."
    return did_you_mean(dataset, BUILT_IN, ".")


def _fingerprint(kind: str, dataset: str, rest: str, options: DataOptions, where: str, cache: Path | None) -> str:
    if dataset == "digits":
        return "scikit-learn load_digits, UCI 1998"
    if kind == "built-in":
        return TORCHVISION[dataset].fingerprint
    if kind == "medmnist":
        return identify_medmnist(rest, options, where)
    if kind == "hf":
        from synaug_ray.data.sources.hugging_face import identify_hf

        return identify_hf(rest, where)
    try:
        path = Path(rest).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, a user that is not there
        reason = getattr(error, "strerror", None) or error
        raise DataProblem(f"{where}: {kind}:{printable(rest[:SHOWN])} is no path ({reason})") from None
    if kind == "folder":
        return identify_folder(path, options, where, cache)
    if kind == "parquet":
        from synaug_ray.data.sources.parquet import identify_parquet

        return identify_parquet(path, cache, where)
    if not path.is_file():
        raise DataProblem(f"{where}: {path} is no file; npz:FILE names one .npz in MedMNIST's layout")
    return fingerprint({path.name: path}, path, cache)


def load(data: DataIdentity, cache: Path) -> Dataset:
    """The images of a source, of one size and mode, split.

    The first time they are decoded into ``<cache>/arrays/<key>/``; from then on those are mapped.

    Args:
        data: what ``identify`` returned.
        cache: where downloads and decoded arrays are kept.

    Raises:
        DataProblem: with every problem found.
        StorageProblem: where the cache cannot be written.
    """
    folder, name = cache / "arrays" / data.key, _name(data.source)
    dataset = open_arrays(folder, name)
    if dataset is None:
        source = _open(data, cache)
        _check_holdout(source, data.options)
        with new_arrays(folder, _bytes(source, data.options)) as scratch:
            _make(source, data.options, scratch, name)
        dataset = open_arrays(folder, name)
    assert dataset is not None  # it was written and renamed a moment ago
    return dataset


def _open(data: DataIdentity, cache: Path) -> Source:
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
        why = "has test images of its own" if "test" in source.parts else "is always split in the same way"
        raise DataProblem(f"data.holdout: {options.holdout} is of no use: this set {why}; remove it")


def _bytes(source: Source, options: DataOptions) -> int:
    """What the images will take on disk, at least; 0 where their size is not known before they are read."""
    channels = 3 if options.mode == "rgb" else 1
    # twice: as they are decoded, and split
    return 2 * sum(part.count for part in source.parts.values()) * channels * (options.size or 0) ** 2


def _make(source: Source, options: DataOptions, scratch: Path, name: str) -> None:
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
            "notes": source.notes,
            "found": dataclasses.asdict(tally.found()),
            "dropped": [f"{bad.name} ({bad.why})" for bad in tally.bad],
        },
    )


def _group_numbers(rows: Mapping[str, Rows]) -> dict[str, NDArray[np.int64]] | None:
    """Numbers for the groups' names, one numbering for all parts; None where there are no groups."""
    names = sorted({group for read in rows.values() for group in read.groups if group is not None})
    if not names:
        return None
    number = {name: i for i, name in enumerate(names)}
    return {
        part: np.array([number[str(group)] for group in read.groups], dtype=np.int64) for part, read in rows.items()
    }
