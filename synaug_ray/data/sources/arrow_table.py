"""Tables with a column of encoded images and one of labels, as in Hugging Face's Parquet files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synaug_ray.common.errors import DataProblem, did_you_mean
from synaug_ray.common.text import some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.sources.base import SPLITS, Part, Sample, Source

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
LABEL_NAMES = ("label", "labels", "class", "target", "y")
BATCH = 64  # rows read at a time


@dataclass(frozen=True)
class Rows:
    """Rows of a table: a file or a split. ``batches(columns)`` iterates over those columns in order."""

    name: str
    schema: pa.Schema
    batches: Callable[[Sequence[str]], Iterator[pa.RecordBatch | pa.Table]]


@dataclass(frozen=True)
class Columns:
    """The role of each column; ``names`` are the class names, if the table's metadata has them."""

    image: str
    label: str
    group: str | None
    split: str | None
    names: tuple[str, ...] | None


def table_source(rows: Mapping[str, Sequence[Rows]], options: DataOptions, beside: Sequence[Path] = ()) -> Source:
    """Rows as parts; those under "" are one split, or have a split column.

    Args:
        rows: split -> its rows; either "" alone, or "train" and others of ``SPLITS``.
        beside: folders from which a row may name an image file; no others are opened, since a downloaded table
            must not be able to put this machine's files on a page.

    Raises:
        DataProblem: with everything wrong in the columns and the labels.
    """
    every = [r for each in rows.values() for r in each]
    columns = _columns(every[0], options, "" in rows)
    problems = [
        f"{r.name} has no column {c}"
        for r in every
        for c in filter(None, (columns.image, columns.label, columns.group, columns.split))
        if c not in r.schema.names
    ]
    if problems:
        raise DataProblem(problems)
    listed: dict[str, list[_Run]] = {}
    for split, each in rows.items():
        for run in each:
            for of, part in _runs(run, columns, split, problems):
                listed.setdefault(of, []).append(part)
    if problems:
        raise DataProblem(problems)
    if "train" not in listed:
        raise DataProblem(f"{every[0].name} has {some(listed) or 'no rows'} but no train")
    classes, numbers = _classes(listed, columns, problems)
    if problems:
        raise DataProblem(problems)
    parts = {split: _part(listed[split], columns, numbers, beside) for split in SPLITS if split in listed}
    return Source(classes, parts)


@dataclass(frozen=True)
class _Run:
    """The rows of a ``Rows`` that belong to one split."""

    rows: Rows
    index: np.ndarray  # int64 [n], ascending
    labels: list[Any]  # [n], as in the table
    groups: list[str] | None  # [n]


def _columns(rows: Rows, options: DataOptions, may_have_split: bool) -> Columns:
    schema, problems = rows.schema, []
    features = _features(schema)
    images = [f.name for f in schema if _holds_images(f.type)]
    image = _one(rows, "image", options.image, images, "an image (binary, or a struct of bytes and path)", problems)
    typed = [f.name for f in schema if features.get(f.name, {}).get("_type") == "ClassLabel"]
    plain = [f.name for f in schema if _holds_labels(f.type) and f.name not in (options.group, "split")]
    named = [n for n in plain if n.lower() in LABEL_NAMES]
    several = [f.name for f in schema if f.name.lower() in LABEL_NAMES and _is_list(f.type)]
    if several and not (typed or plain or options.label):
        problems.append(
            f"{rows.name}: column {several[0]} holds several labels per row (multi-label), which is not "
            "supported; give each image one label, or set data.label to another column"
        )
        label = None
    else:
        label = _one(
            rows, "label", options.label, typed or named or plain, "a label (integer or string)", problems, plain
        )
    if options.group is not None and options.group not in schema.names:
        problems.append(
            f"{rows.name}: data.group: no column {options.group!r}"
            f"{did_you_mean(options.group, schema.names, '.')} It has {some(schema.names, 20)}"
        )
    if problems or image is None or label is None:
        raise DataProblem(problems)
    names = features.get(label, {}).get("names") if isinstance(features.get(label), dict) else None
    split = "split" if may_have_split and "split" in schema.names and label != "split" else None
    return Columns(image, label, options.group, split, tuple(map(str, names)) if names else None)


def _one(
    rows: Rows,
    what: str,
    asked: str | None,
    candidates: list[str],
    kind: str,
    problems: list[str],
    allowed: list[str] | None = None,
) -> str | None:
    names = rows.schema.names
    if asked is not None:
        if asked not in names:
            problems.append(
                f"{rows.name}: data.{what}: no column {asked!r}{did_you_mean(asked, names, '.')} It has "
                f"{some(names, 20)}"
            )
        elif asked not in (candidates if allowed is None else allowed):
            problems.append(
                f"{rows.name}: data.{what}: column {asked} is {rows.schema.field(asked).type}; expected {kind}"
            )
        else:
            return asked
        return None
    if len(candidates) == 1:
        return candidates[0]
    found = (
        f"several columns could be it ({some(candidates, 20)})"
        if candidates
        else (f"no column holds {kind}; it has " + some((f"{f.name} ({f.type})" for f in rows.schema), 20))
    )
    problems.append(f"{rows.name}: {found}; set data.{what} to the column")
    return None


def _features(schema: pa.Schema) -> dict[str, Any]:
    """The features that ``datasets`` recorded in the schema; empty if missing or malformed."""
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_binary(field.type) for field in kind)
    return _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _holds_labels(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_integer(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_boolean(kind)
    )


def _runs(rows: Rows, columns: Columns, split: str, problems: list[str]) -> Iterator[tuple[str, _Run]]:
    """Labels, groups and splits of all rows, without images; checked for missing values."""
    wanted = [c for c in (columns.label, columns.group, columns.split) if c is not None]
    batches = list(rows.batches(wanted))
    values = {c: [v for b in batches for v in b.column(c).to_pylist()] for c in wanted}
    for column, of in values.items():
        empty = [i for i, v in enumerate(of) if v is None]
        if empty:
            problems.append(f"{rows.name}: {column} is empty in {len(empty):,} of {len(of):,} rows: {some(empty)}")
            return
    labels = values[columns.label]
    groups = [str(v) for v in values[columns.group]] if columns.group else None
    if columns.split is None:
        yield split or "train", _Run(rows, np.arange(len(labels)), labels, groups)
        return
    of = [str(v).lower() for v in values[columns.split]]
    unknown = sorted(set(of) - SPLIT_NAMES.keys())
    if unknown:
        problems.append(f"{rows.name}: column split holds {some(unknown)}; expected train, val and test")
        return
    for name in SPLITS:
        index = np.flatnonzero([SPLIT_NAMES[v] == name for v in of])
        if len(index):
            yield name, _Run(rows, index, [labels[i] for i in index], [groups[i] for i in index] if groups else None)


def _classes(
    listed: Mapping[str, list[_Run]], columns: Columns, problems: list[str]
) -> tuple[tuple[str, ...], dict[Any, int]]:
    """The class names, and the class number of each label value."""
    found = {split: Counter(v for run in runs for v in run.labels) for split, runs in listed.items()}
    if columns.names is not None and all(isinstance(v, int) for each in found.values() for v in each):
        for split, each in found.items():
            odd = sorted(v for v in each if not 0 <= v < len(columns.names))
            if odd:
                without = " (-1 means unlabelled)" if odd == [-1] else ""
                problems.append(
                    f"{split}: column {columns.label} holds {some(odd)}{without}; expected 0 to "
                    f"{len(columns.names) - 1}"
                )
        return columns.names, {i: i for i in range(len(columns.names))}
    values = sorted(found["train"])
    if len(values) < 2:
        problems.append(
            f"column {columns.label} holds {len(values)} class ({some(values)}) in train; a classifier "
            "needs at least two: add images of another, or set data.label to another column"
        )
    if len(values) > 100 and found["train"].total() < 3 * len(values):
        problems.append(
            f"column {columns.label} holds {len(values):,} values in {found['train'].total():,} rows; "
            "these are not classes; set data.label to the column of classes"
        )
    odd = [v for v in values if isinstance(v, str) and not v.isprintable()]
    if odd:
        problems.append(f"column {columns.label} holds unprintable names: {some(odd)}; rename them")
    for split, each in found.items():
        unknown = sorted(each.keys() - set(values))
        if unknown:
            problems.append(f"{split}: class {some(unknown)} is not in train")
    return tuple(str(v) for v in values), {v: i for i, v in enumerate(values)}


def _part(runs: list[_Run], columns: Columns, numbers: dict[Any, int], beside: Sequence[Path]) -> Part:
    def samples() -> Iterator[Sample]:
        for run in runs:
            at = 0  # in the run
            row = 0  # in its rows
            for batch in run.rows.batches([columns.image]):
                mine = run.index[at : at + np.searchsorted(run.index[at:], row + batch.num_rows)]
                if len(mine):
                    images = _contents(batch.column(0).take(pa.array(mine - row)), beside)
                    for number, content in zip(mine, images, strict=True):
                        group = run.groups[at] if run.groups else None
                        yield Sample(f"{run.rows.name}[{number}]", content, numbers[run.labels[at]], group)
                        at += 1
                row += batch.num_rows

    return Part(sum(len(run.index) for run in runs), samples)


def _contents(column: pa.Array | pa.ChunkedArray, beside: Sequence[Path]) -> Iterator[bytes | Path]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    paths = [None] * len(column)
    if pa.types.is_struct(column.type):
        fields = dict(zip((field.name for field in column.type), column.flatten(), strict=True))
        paths = fields["path"].to_pylist() if beside and "path" in fields else paths
        column = fields["bytes"]
    for content, path in zip(column.to_pylist(), paths, strict=True):
        if content is None and path and any(Path(path).resolve().is_relative_to(folder) for folder in beside):
            yield Path(path)
        else:
            yield content or b""


def split_of(file: str) -> str | None:
    """The split that a file name starts with (``train-00000-of-00002``, ``validation.parquet``), or None."""
    word = re.split(r"[-_.\d]", Path(file).name.lower(), maxsplit=1)[0]
    return SPLIT_NAMES.get(word)
