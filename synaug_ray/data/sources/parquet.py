"""``parquet:PATH``: one file, or a folder of files with splits given by file or sub-folder names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import one_line, printable, some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.fingerprint import fingerprint
from synaug_ray.data.sources.arrow_table import BATCH, SPLIT_NAMES, Rows, split_of, table_source
from synaug_ray.data.sources.base import SPLITS, Source

READ_AHEAD = 1 << 20  # bytes; otherwise a whole column of a row group is held in memory


def identify_parquet(path: Path, cache: Path | None, where: str = "dataset") -> str:
    """SHA-256 of the names and bytes of the file or files.

    Raises:
        DataProblem: if there is none.
    """
    return fingerprint(_files(path, where), path, cache)


def open_parquet(path: Path, options: DataOptions) -> Source:
    """The rows of a file, or of a folder's files.

    Raises:
        DataProblem: for files that cannot be read, with everything wrong in the columns and labels.
    """
    rows: dict[str, list[Rows]] = {}
    problems = []
    for name, file in _files(path).items():
        try:
            schema = pq.read_schema(file)
        except (OSError, ValueError, pa.ArrowException) as error:
            problems.append(f"{printable(str(file))} is not a readable Parquet file ({one_line(error, 200)})")
            continue
        rows.setdefault(_split(name) or "", []).append(Rows(name, schema, _reader(file)))
    if len(rows) > 1 and "" in rows:
        problems.append(
            f"{printable(str(path))}: {some(r.name for r in rows[''])} belong to no split by "
            "name; start each file name with train, val or test"
        )
    elif rows and "" not in rows and "train" not in rows:
        problems.append(f"{printable(str(path))} has files of {' and '.join(rows)} but none of train")
    if problems:
        raise DataProblem(problems)
    return table_source({s: rows[s] for s in ("", *SPLITS) if s in rows}, options)


def _files(path: Path, where: str = "dataset") -> dict[str, Path]:
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        raise DataProblem(
            f"{where}: parquet:{printable(str(path))}: no such file or folder; name a .parquet "
            "file, or a folder of them"
        )
    files = {
        p.relative_to(path).as_posix(): p
        for p in sorted(path.rglob("*.parquet"))
        if not any(part.startswith(".") for part in p.relative_to(path).parts)
    }
    if not files:
        raise DataProblem(f"{where}: parquet:{printable(str(path))} has no .parquet files; name a folder that does")
    return files


def _split(name: str) -> str | None:
    """By the file name, else by the nearest parent folder."""
    *folders, _ = name.split("/")
    return split_of(name) or next((SPLIT_NAMES[f.lower()] for f in reversed(folders) if f.lower() in SPLIT_NAMES), None)


def _reader(file: Path):
    def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        try:
            with pq.ParquetFile(file, buffer_size=READ_AHEAD) as table:
                yield from table.iter_batches(BATCH, columns=list(columns), use_threads=False)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DataProblem(f"{printable(str(file))} is damaged ({one_line(error, 200)})") from None

    return batches
