"""The split of each Parquet file in a folder, by the words of its path and by ``split=train`` folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote

from synaug_ray.common.errors import Message
from synaug_ray.common.text import some
from synaug_ray.data.sources.split_words import SPLIT_COLUMNS, SPLIT_NAMES, UNCLEAR, splits_in

HIVE = re.compile(r"([^=/]+)=([^=/]*)")
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def partition_values(name: str) -> dict[str, str | None]:
    """The columns encoded in the folder names of a path: ``label=cat/0.parquet``, as Hive, Spark and pyarrow write."""
    *folders, _ = name.split("/")
    found = {}
    for folder in folders:
        if match := HIVE.fullmatch(folder):
            found[unquote(match[1])] = None if match[2] == NO_VALUE else unquote(match[2])
    return found


def split_of(name: str, shared: Sequence[str] = ()) -> set[str]:
    """The splits that a path names: in the file's name, else in that of the nearest folder; empty if there are none.

    Args:
        shared: folders that all files are in; these count only if their whole name is that of a split.
    """
    *folders, file = name.split("/")
    own = splits_in(PurePosixPath(file).stem)
    whole = next((of for folder in reversed(folders) if (of := _whole(folder))), None)
    if own:
        return own | ({whole} if whole else set())
    for depth, folder in reversed(list(enumerate(folders))):
        if of := _whole(folder):
            return {of}
        if (depth >= len(shared) and "=" not in folder) and (of := splits_in(folder)):
            return of
    return set()


def split_before(name: str) -> str | None:
    """The rule of version 1: the first word of the file's name, else the nearest folder named as a split."""
    *folders, file = name.split("/")
    word = re.split(r"[-_.\d]", file.lower(), maxsplit=1)[0]
    return SPLIT_NAMES.get(word) or next(
        (SPLIT_NAMES[f.lower()] for f in reversed(folders) if f.lower() in SPLIT_NAMES), None
    )


def splits_of(names: Sequence[str], problems: list[Message]) -> dict[str, str]:
    """The split of each file, "" for none; names of several splits, or unclear ones, are problems."""
    shared: list[str] = []
    for folders in zip(*(name.split("/")[:-1] for name in names), strict=False):
        if len(set(folders)) > 1:
            break
        shared.append(folders[0])
    of = {name: split_of(name, shared) for name in names}
    unclear = [name for name, splits in of.items() if UNCLEAR in splits]
    several = [name for name, splits in of.items() if len(splits) > 1 and UNCLEAR not in splits]
    if unclear:
        text = f"{some(unclear)}: validation or test images? Use val or test in the file names"
        problems.append(Message(text, code="unclear-split", value=some(unclear)))
    if several:
        text = f"{some(several)}: a name contains several splits; use one of train, val and test in each"
        alone = ", or name the file itself (parquet:FILE) to read it as one set" if len(names) == 1 else ""
        problems.append(Message(text + alone, code="several-splits", value=some(several)))
    return {name: "".join(splits) for name, splits in of.items() if len(splits) < 2 and UNCLEAR not in splits}


def _whole(folder: str) -> str | None:
    """The split of a folder that is named train, test ..., or split=train."""
    if match := HIVE.fullmatch(folder):
        return SPLIT_NAMES.get(match[2].lower()) if match[1].lower() in SPLIT_COLUMNS else None
    return SPLIT_NAMES.get(folder.lower())
