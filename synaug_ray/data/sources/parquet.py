"""``parquet:PATH``: one file, or a folder of files with splits given by file or sub-folder names."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from synaug_ray.common.errors import DataProblem, Message
from synaug_ray.common.text import one_line, printable, some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.fingerprint import fingerprint
from synaug_ray.data.sources.arrow_table import BATCH, table_source
from synaug_ray.data.sources.arrow_types import is_new_kind
from synaug_ray.data.sources.base import SPLITS, Source, your_copy
from synaug_ray.data.sources.columns import Rows, choose_columns, class_names
from synaug_ray.data.sources.split_files import partition_values, split_before, splits_of
from synaug_ray.data.sources.split_words import SPLIT_NAMES, splits_in
from synaug_ray.data.sources.walk import closed

READ_AHEAD = 1 << 20  # bytes; otherwise a whole column of a row group is held in memory
_TABLES = {b"ARROW1": ".arrow", b"FEA1": ".arrow", b"\x89HDF": ".h5", b"ORC": ".orc"}
_NAMES = {
    **dict.fromkeys((".arrow", ".feather"), "Feather or Arrow"),
    **{".csv": "CSV", ".tsv": "TSV", ".json": "JSON", ".jsonl": "JSON", ".orc": "ORC", ".h5": "HDF5"},
}
READ_OTHERWISE = "+2"  # appended to the fingerprint of files that version 1 of this module read differently


def identify_parquet(path: Path, options: DataOptions, cache: Path | None, where: str = "dataset") -> str:
    """SHA-256 of the names and bytes of the file or files; marked if version 1 of this module read them differently.

    Raises:
        DataProblem: if there are no files.
    """
    files = _files(path, where)
    return fingerprint(files, path, cache) + (READ_OTHERWISE if _read_otherwise(path, files, options) else "")


def open_parquet(path: Path, options: DataOptions) -> Source:
    """The rows of a file, or of a folder's files.

    Raises:
        DataProblem: for files that cannot be read, with everything wrong in the columns and labels.
    """
    problems: list[Message] = []
    files = _files(path)
    every = _rows(files, problems)
    splits = {path.name: ""} if path.is_file() else splits_of(list(files), problems)
    rows: dict[str, list[Rows]] = {}
    for name, split in splits.items():
        if name in every:
            rows.setdefault(split, []).append(every[name])
    if len(rows) > 1 and "" in rows:
        without = some(r.name for r in rows[""])
        text = f"{printable(str(path))}: {without} name no split; use train, val or test in each file name"
        problems.append(Message(text, code="no-split", value=without))
    elif rows and "" not in rows and "train" not in rows and not problems:
        text = f"{printable(str(path))} has files of {' and '.join(rows)} but none of train"
        problems.append(Message(text, code="no-train-split", value=some(rows)))
    if problems:
        raise DataProblem(problems)
    source = table_source({s: rows[s] for s in ("", *SPLITS) if s in rows}, options)
    return Source(source.classes, source.parts, notes=(*_notes(path, rows), *_unread(path), *source.notes))


def _unread(path: Path) -> Iterator[str]:
    """A note about files beside the tables, which might be a split in another format."""
    beside = [n for n in _inside(path) if not _is_table(n)] if path.is_dir() else []
    if beside:
        yield f"{len(beside):,} other files are not read: {some(beside, 3)}; only .parquet files are"


def _notes(path: Path, rows: Mapping[str, Sequence[Rows]]) -> Iterator[str]:
    if "" not in rows:
        each = "; ".join(f"{s}: {some((r.name for r in rows[s]), 3)}" for s in SPLITS if s in rows)
        yield f"the splits are taken from the file names ({each})"
    elif path.is_file() and splits_in(path.stem) - {"train"}:
        yield f"{printable(path.name)} is read as a whole set, although its name contains a split"
    elif len(rows[""]) > 1:
        yield f"{len(rows['']):,} files are read as one set: no name contains a split"


def _read_otherwise(path: Path, files: Mapping[str, Path], options: DataOptions) -> bool:
    """Whether version 1 of this module read these files differently, so that its results do not apply to them.

    It took splits from the first word of a name and class names from the first file only, and did not support view
    types.
    """
    before = {name: split_before(name) or "train" for name in files}
    now = {path.name: "train"} if path.is_file() else {n: s or "train" for n, s in splits_of(list(files), []).items()}
    every = list(_rows(files, []).values())
    if before != now:
        return True
    if not every:
        return False
    if path.is_file() and split_before(path.name) and "split" in every[0].schema.names:
        return True
    with contextlib.suppress(DataProblem):  # then nothing can be read now, which opening will report
        columns = choose_columns(every[0], options)
        chosen = [every[0].schema.field(c).type for c in (columns.image, columns.label)]
        if columns.label not in pq.read_schema(files[every[0].name]).names:  # the labels are in the folders' names
            return True
        names = {class_names(r.schema, columns.label) for r in every if columns.label in r.schema.names}
        return len(names) > 1 or any(map(is_new_kind, chosen))
    return False


def _rows(files: Mapping[str, Path], problems: list[Message]) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    typed = _partition_types(files)
    for name, file in files.items():
        try:
            schema = pq.read_schema(file)
        except (OSError, ValueError, pa.ArrowException) as error:
            text = f"{printable(str(file))} is not a readable Parquet file"
            text += _format(file) or f" ({one_line(error, 200)}); make or copy it again"
            problems.append(Message(text, code="data-damaged"))
            continue
        constants = {k: v for k, v in partition_values(name).items() if k not in schema.names and not _is_split(k, v)}
        for key in constants:
            schema = schema.append(pa.field(key, typed[key]))
        found[name] = Rows(name, schema, _reader(file, {k: (v, typed[k]) for k, v in constants.items()}))
    return found


def _is_split(key: str, value: str | None) -> bool:
    return key.lower() == "split" and (value or "").lower() in SPLIT_NAMES


def _partition_types(files: Mapping[str, Path]) -> dict[str, pa.DataType]:
    """Integers if every folder of a column is named by one, else strings."""
    values: dict[str, set[str]] = {}
    for name in files:
        for key, value in partition_values(name).items():
            values.setdefault(key, set()).update([] if value is None else [value])
    whole = {k: all(v.isascii() and v.isdigit() and str(int(v)) == v for v in of) for k, of in values.items()}
    return {key: pa.int64() if whole[key] and values[key] else pa.string() for key in values}


def _files(path: Path, where: str = "dataset") -> dict[str, Path]:
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        raise DataProblem(
            f"{where}: parquet:{printable(str(path))}: no such file or folder"
            + your_copy("parquet", path, "a .parquet file, or a folder of them", where),
            code="no-such-data",
        )
    files = _inside(path)
    tables = {name: p for name, p in files.items() if _is_table(name)}
    if not tables:
        others = Counter(p.suffix or p.name for p in files.values())
        seen = f"; it has {some(f'{n:,} {s}' for s, n in others.most_common())}" if others else ""
        raise DataProblem(
            f"{where}: parquet:{printable(str(path))} has no .parquet files{seen}; name a folder that does, or convert "
            "tables of another format (to_parquet of pandas)",
            code="no-images",
        )
    return tables


def _inside(path: Path) -> dict[str, Path]:
    """All files below a folder that are not hidden, by their paths in it, in order; links to folders are not followed.

    Raises:
        DataProblem: for a folder that may not be looked into.
    """
    found: list[Path] = []

    def refuse(error: OSError) -> None:
        raise DataProblem(f"{path}: {closed(error)}", code="data-unreadable")

    try:
        for folder, folders, names in os.walk(path, onerror=refuse):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [Path(folder, name) for name in names if not name.startswith(".") and Path(folder, name).is_file()]
    except PermissionError as error:  # of a folder whose names may be listed, and no more
        refuse(error)
    return {p.relative_to(path).as_posix(): p for p in sorted(found)}


def _is_table(name: str) -> bool:
    return name.lower().endswith(".parquet")


def _format(file: Path) -> str:
    """The format of a file that is not Parquet, by its first bytes or its name, with what to do; empty if unknown."""
    try:
        with file.open("rb") as opened:
            start = opened.read(8)
    except OSError:
        return ""
    kind = next((kind for bytes_, kind in _TABLES.items() if start.startswith(bytes_)), file.suffix.lower())
    return f": it is a {_NAMES[kind]} file; convert it (to_parquet of pandas)" if kind in _NAMES else ""


def _reader(
    file: Path, constants: Mapping[str, tuple[str | None, pa.DataType]]
) -> Callable[[Sequence[str]], Iterator[pa.RecordBatch]]:
    """``constants``: columns encoded in folder names, each with its value and type."""

    def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        stored = [c for c in columns if c not in constants]
        try:
            with pq.ParquetFile(file, buffer_size=READ_AHEAD) as table:
                for batch in table.iter_batches(BATCH, columns=stored, use_threads=False):
                    yield _with(batch, columns, constants) if len(stored) < len(columns) else batch
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DataProblem(
                f"{printable(str(file))} is damaged ({one_line(error, 200)})", code="data-damaged"
            ) from None

    return batches


def _with(
    batch: pa.RecordBatch, columns: Sequence[str], constants: Mapping[str, tuple[str | None, pa.DataType]]
) -> pa.RecordBatch:
    def column(name: str) -> pa.Array:
        if name not in constants:
            return batch.column(name)
        value, kind = constants[name]
        plain = int(value) if value is not None and pa.types.is_integer(kind) else value
        return pa.array([plain] * batch.num_rows, kind)

    return pa.RecordBatch.from_arrays([column(c) for c in columns], names=list(columns))
