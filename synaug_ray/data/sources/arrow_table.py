"""Tables with a column of encoded images and one of labels, as in Hugging Face's Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from synaug_ray.common.errors import DataProblem, Message
from synaug_ray.common.text import printable, some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.sources.arrow_types import is_flag, is_string
from synaug_ray.data.sources.base import SPLITS, Part, Sample, Source, is_missing, missing_splits, without_labels
from synaug_ray.data.sources.columns import Columns, Rows, choose_columns, class_names, is_place, only_paths
from synaug_ray.data.sources.split_words import SPLIT_COLUMNS, SPLIT_NAMES, is_split_flag, splits_in, words
from synaug_ray.data.sources.table_labels import Run, mixed_label_types, number_classes

BATCH = 64  # rows read at a time
LONGEST_PATH = 4096  # bytes


def table_source(rows: Mapping[str, Sequence[Rows]], options: DataOptions, beside: Sequence[Path] = ()) -> Source:
    """Rows as parts; those under "" are one split, or have a split column.

    Args:
        rows: split -> its rows; either "" alone, or "train" and other ``SPLITS``.
        beside: folders whose image files a row may refer to by path. No other paths are opened, so that a downloaded
            table cannot put files of this machine on a page.

    Raises:
        DataProblem: with everything wrong in the columns and the labels.
    """
    left_out = rows.keys() & {*options.leave_out}
    rows = {split: each for split, each in rows.items() if split not in left_out}
    every = [r for each in rows.values() for r in each]
    columns = choose_columns(every[0], options)
    problems = [
        Message(f"{r.name} has no column {c}{_remedy(split, c, columns)}", code="no-such-column", value=c)
        for split, each in rows.items()
        for r in each
        for c in filter(None, (columns.image, columns.label, columns.group, columns.split if "" in rows else None))
        if c not in r.schema.names
    ]
    if problems:
        raise DataProblem(problems)
    notes = [columns.note]
    problems += mixed_label_types(every, columns.label)
    if not beside:
        problems += _no_bytes(rows, columns.image)
    listed: dict[str, list[Run]] = {}
    for split, each in rows.items():
        for run in each:
            for of, part in _runs(run, columns, split, problems, notes):
                if of in options.leave_out:
                    left_out |= {of}
                else:
                    listed.setdefault(of, []).append(part)
    problems += missing_splits(options, left_out, every[0].name)
    if problems:
        raise DataProblem(problems)
    if "train" not in listed:
        raise DataProblem(f"{every[0].name} has {some(listed) or 'no rows'} but no train", code="no-train-split")
    classes, numbers = number_classes(listed, columns, problems, notes)
    if problems:
        raise DataProblem(problems)
    parts = {s: _part(listed[s], columns, numbers[s], beside) for s in SPLITS if s in listed}
    return Source(classes, parts, notes=tuple(dict.fromkeys(notes)))


def _remedy(split: str, column: str, columns: Columns) -> str:
    return f"; {without_labels(split)}" if split and column == columns.label else ""


def _no_bytes(rows: Mapping[str, Sequence[Rows]], image: str) -> Iterator[Message]:
    """A message for each split whose first rows hold only paths; its other rows are then unlikely to hold images."""
    for each in rows.values():
        first = next(iter(each[0].batches([image])), None)
        values = first.column(0).to_pylist() if first is not None else []
        paths = [path for v in values if (path := _only_path(v))]
        if values and len(paths) == len(values):
            yield only_paths(each[0], image, paths[0])


def _only_path(value: Any) -> str | None:
    """The path of an image that is not in the row itself."""
    if isinstance(value, dict):
        return value.get("path") if not value["bytes"] else None
    text = value.decode(errors="replace") if isinstance(value, bytes) and len(value) < LONGEST_PATH else ""
    return text if is_place(text) else None


def _runs(
    rows: Rows, columns: Columns, split: str, problems: list[Message], notes: list[str]
) -> Iterator[tuple[str, Run]]:
    """Labels, groups and splits of all rows, without images; missing groups and splits are problems."""
    own = columns.split if columns.split in rows.schema.names else None
    others = [f.name for f in rows.schema if is_string(f.type) and {*SPLIT_COLUMNS} & {*words(f.name)}]
    flags = [f.name for f in rows.schema if is_flag(f.type) and is_split_flag(f.name)]
    others = [n for n in (*others, *flags) if n not in (own, columns.label, columns.group)]
    wanted = list(dict.fromkeys(c for c in (columns.label, columns.group, own, *others) if c is not None))
    batches = list(rows.batches(wanted))
    values = {c: [v for b in batches for v in b.column(c).to_pylist()] for c in wanted}
    for column in filter(None, (columns.group, own if not split else None)):
        empty = [i for i, v in enumerate(values[column]) if is_missing(v)]
        if empty:
            text = (
                f"{rows.name}: column {column} is empty in {len(empty):,} of {len(values[column]):,} rows: "
                f"{some(empty)}; fill it in, or remove those rows"
            )
            problems.append(Message(text, code="empty-cells", value=column))
            return
    labels = values[columns.label]
    groups = [str(v) for v in values[columns.group]] if columns.group else None
    names = class_names(rows.schema, columns.label)
    if not split:
        problems += (found for n in others if (found := _unnamed_splits(rows, n, values[n])))
    if split or own is None:
        problems += _contradicts(rows, split, values[own]) if own else []
        yield split or "train", Run(rows, np.arange(len(labels)), labels, groups, names)
        return
    of = [str(v).lower() for v in values[own]]
    unknown = sorted(set(of) - SPLIT_NAMES.keys())
    if unknown:
        text = f"{rows.name}: column split holds {some(map(repr, unknown))}; expected train, val and test"
        problems.append(Message(text, code="unknown-split", value=some(unknown)))
        return
    notes.append("the splits are taken from column split")
    for name in SPLITS:
        index = np.flatnonzero([SPLIT_NAMES[v] == name for v in of])
        if len(index):
            chosen = [groups[i] for i in index] if groups else None
            yield name, Run(rows, index, [labels[i] for i in index], chosen, names)


def _contradicts(rows: Rows, split: str, values: list[Any]) -> list[Message]:
    """A message if the column of splits contradicts the file's name, or the name of the published split."""
    of = {SPLIT_NAMES.get(str(v).lower()) for v in values if v is not None}
    if None in of or of <= {split}:  # None: the column holds something else than splits
        return []
    held = some(sorted(filter(None, of)))
    text = (
        f"{rows.name} is read as {split}, but its column split holds {held}: name the file itself (parquet:FILE) to "
        "use the column, or remove or rename the column"
    )
    return [Message(text, code="split-contradiction", value=held)]


def _unnamed_splits(rows: Rows, column: str, values: list[Any]) -> Message | None:
    """A message about a column that seems to hold the splits under another name: all rows would become one set."""
    different = {v for v in values if v is not None}
    held = sorted(map(str, different))[:20]
    of = [splits_in(v) for v in held]
    flag = len(different) == 2 and different <= {0, 1}  # False and True, too
    if not flag and (len(held) < 2 or not all(of) or len(set().union(*of)) < 2):
        return None
    text = (
        f"{rows.name}: column {printable(column)} holds {some(held)}, which may be the splits: rename the column "
        "to split and its values to train, val and test; or remove it to read all rows as one set"
    )
    return Message(text, code="unnamed-split-column", value=printable(column))


def _part(runs: list[Run], columns: Columns, numbers: list[list[int]], beside: Sequence[Path]) -> Part:
    def samples() -> Iterator[Sample]:
        for run, labels in zip(runs, numbers, strict=True):
            at = 0  # in the run
            row = 0  # in its rows
            for batch in run.rows.batches([columns.image]):
                mine = run.index[at : at + np.searchsorted(run.index[at:], row + batch.num_rows)]
                values = batch.column(0).to_pylist() if len(mine) else []
                for number in mine:
                    content = _content(values[number - row], beside)
                    group = run.groups[at] if run.groups else None
                    yield Sample(f"{run.rows.name}[{number}]", content, labels[at], group)
                    at += 1
                row += batch.num_rows

    return Part(sum(len(run.index) for run in runs), samples)


def _content(value: Any, beside: Sequence[Path]) -> bytes | Path | Callable[[], NoReturn]:
    """The image of a row: its bytes, or its file if that lies in one of the folders ``beside``."""
    if not isinstance(value, dict):
        return value or b""
    content, path = value["bytes"], value.get("path")
    if content or not path:
        return content or b""
    if any(Path(path).resolve().is_relative_to(folder) for folder in beside):
        return Path(path)

    def unopened() -> NoReturn:
        raise ValueError(f"no bytes, and its path {printable(path[:60])} is not opened")

    return unopened
