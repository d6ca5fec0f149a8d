"""Identifies a data source, named by one string in a grid, without decoding it: a plan needs no more.

Nothing heavy is imported. ``load`` reads the images.
"""

from __future__ import annotations

import os
from pathlib import Path

from synaug_ray.common.errors import DataProblem, Message, UsageProblem, did_you_mean
from synaug_ray.common.text import printable
from synaug_ray.config.data_options import FULL, DataOptions
from synaug_ray.data.decoding.fingerprint import fingerprint
from synaug_ray.data.sources.base import your_copy
from synaug_ray.data.sources.folder import identify_folder
from synaug_ray.data.sources.medmnist import identify_medmnist
from synaug_ray.data.sources.torchvision_sets import TORCHVISION
from synaug_ray.plan.subset import DataIdentity

SHOWN = 200  # characters of an unknown name quoted in a message
BUILT_IN = ("digits", *TORCHVISION)
KINDS = {
    "folder": "PATH",
    "npz": "FILE",
    "parquet": "PATH",
    "medmnist": "NAME[@SIZE]",
    "hf": "OWNER/NAME[/CONFIGURATION][@REVISION]",
}
# options that apply only to some kinds of source; a built-in set has the kind "built-in"
_TABLES = ("parquet", "hf")
_APPLIES = {
    "classes": ("npz", *_TABLES),
    "group": ("folder", "npz", *_TABLES),
    "ground": ("folder", *_TABLES),
    "image": _TABLES,
    "label": _TABLES,
    "leave_out": ("folder", "npz", "medmnist", *_TABLES),
    "on_bad": ("folder", *_TABLES),
    "ordinal": ("medmnist",),
}

# options that the images of another source share
_SHARED = ("size", "audit_size", "resize", "mode", "ground", "on_bad", "ordinal")


def identify(dataset: str, options: DataOptions, where: str = "dataset", cache: Path | None = None) -> DataIdentity:
    """The identity of a source: a hash of all bytes for files, the md5 or commit for published sets.

    Args:
        dataset: a built-in name, or ``kind:rest``.
        where: prefix of error messages.
        cache: the cache folder; unchanged files are not read again.

    Raises:
        UsageProblem: for an unknown name, and for options that do not apply to it.
        DataProblem: for files that are missing or cannot be opened, or an unsupported kind of set.
        ResourceProblem: if an optional package is missing.
    """
    kind, rest = _kind(dataset), dataset.partition(":")[2]
    if unknown := unknown_name(dataset, where):
        raise UsageProblem(unknown)
    useless = [
        Message(
            f"data.{name} does not apply to {dataset[:SHOWN]}, only to {', '.join(kinds)}; remove it",
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


def identify_judge(options: DataOptions, where: str = "data.judge", cache: Path | None = None) -> DataIdentity | None:
    """The identity of ``data.judge``, None for ``full``; raises as ``identify`` does."""
    return None if options.judge == FULL else identify(options.judge, judge_options(options), where, cache)


def judge_options(options: DataOptions) -> DataOptions:
    """How the images of ``data.judge`` are read: as the data set's, as far as that applies to them."""
    return _applying(options, _kind(options.judge), _SHARED)


def identify_test2(
    dataset: str, options: DataOptions, where: str = "data.test2", cache: Path | None = None
) -> DataIdentity | None:
    """The identity of ``data.test2``, None without one; raises as ``identify`` does."""
    if options.test2 is None:
        return None
    return identify(options.test2, test2_options(dataset, options), where, cache)


def test2_options(dataset: str, options: DataOptions) -> DataOptions:
    """How the images of ``data.test2`` are read: as the data set's, as far as that applies to them.

    Where their groups and columns are found is shared by sources of one kind.
    """
    kinds = _kind(dataset), _kind(options.test2 or dataset)
    alike = ("group", "image", "label") if kinds[0] == kinds[1] else ()
    return _applying(options, kinds[1], (*_SHARED, *alike))


def _kind(dataset: str) -> str:
    return "built-in" if dataset in BUILT_IN else dataset.partition(":")[0]


def _applying(options: DataOptions, kind: str, names: tuple[str, ...]) -> DataOptions:
    return DataOptions(**{name: getattr(options, name) for name in names if kind in _APPLIES.get(name, (kind,))})


def unknown_name(dataset: str, where: str) -> list[Message]:
    """A message about an unknown name, listing those available; empty for a name that may exist."""
    kind, _, rest = dataset.partition(":")
    if dataset in BUILT_IN or (kind in KINDS and rest):
        return []
    every = ", ".join([*BUILT_IN, *(f"{k}:{form}" for k, form in KINDS.items())])
    text = f"no data set {dataset[:SHOWN]!r}{_prefixed(dataset)} Available: {every}"
    return [Message(text, where, "unknown-dataset", repr(dataset[:SHOWN]))]


def _prefixed(dataset: str) -> str:
    """A suggestion: the missing prefix of a path, or a similar name."""
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
    except (OSError, RuntimeError, ValueError) as error:  # name too long, unknown user
        reason = getattr(error, "strerror", None) or error
        raise DataProblem(
            f"{where}: {kind}:{printable(rest[:SHOWN])} is not a valid path ({reason})", code="not-a-path"
        ) from None
    if kind == "folder":
        return identify_folder(path, options, where, cache)
    if kind == "parquet":
        from synaug_ray.data.sources.parquet import identify_parquet

        return identify_parquet(path, options, cache, where)
    if not path.is_file():
        said = "is a folder, not a file" if path.is_dir() else "no such file"
        copy = your_copy("npz", path, "one .npz file in MedMNIST's layout", where)
        raise DataProblem(f"{where}: npz:{printable(str(path))}: {said}{copy}", code="no-such-data")
    return fingerprint({path.name: path}, path, cache)
