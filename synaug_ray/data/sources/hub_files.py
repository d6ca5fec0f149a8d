"""Checks that the Parquet files ``datasets`` downloaded agree on the names of the class numbers.

``datasets`` uses the class names of the first file for all others, and leaves their numbers as they are.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import some
from synaug_ray.data.sources.columns import class_names, features


def check_class_names(name: str, configuration: str, commit: str) -> None:
    """Compare the class names in those files of a set that are in the Hub's cache on this machine.

    Raises:
        DataProblem: if two files name the classes of one column differently.
    """
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}" / "snapshots" / commit
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*.parquet"))}
    own = {n: p for n, p in files.items() if configuration and configuration in n.split("/")}
    stated: dict[str, dict[tuple[str, ...], str]] = {}  # column -> class names -> the first file with them
    for file, path in (own or files).items():
        with contextlib.suppress(OSError, ValueError, pa.ArrowException):  # reading it will report what is wrong
            schema = pq.read_schema(path)
            for column in features(schema):
                if names := class_names(schema, column):
                    stated.setdefault(column, {}).setdefault(names, file)
    for column, lists in stated.items():
        if len(lists) > 1:
            each = "; ".join(f"{file}: {some(names, 8)}" for names, file in lists.items())
            raise DataProblem(
                f"hf:{name}: its files list the classes of column {column} differently ({each}), and datasets uses "
                f"the first list for all of them: read the files themselves (parquet:{folder}), whose classes are "
                "matched by name",
                code="class-names-differ",
            )
