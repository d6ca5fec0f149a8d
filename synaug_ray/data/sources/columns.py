"""Chooses the columns of images and of labels in a table; every guess is reported in a note."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from synaug_ray.common.errors import DataProblem, Message, did_you_mean
from synaug_ray.common.text import printable, some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.decode import SUFFIXES
from synaug_ray.data.sources.arrow_types import holds_images, holds_paths, is_list, label_kind, stored
from synaug_ray.data.sources.split_words import SPLIT_COLUMNS, splits_in, words

LABEL_NAMES = ("label", "labels", "class", "target", "y")
_IMAGES_AS_TEXT = ("data:image/", "iVBORw0KGgo", "/9j/", "UklGR", "SUkqA", "TU0AK", "R0lGOD")  # PNG, JPEG, WebP ...
IMAGE = "an image (binary, or a struct of bytes and path)"
LABEL = "a label (integer or string)"
_LABEL_WORDS = {*LABEL_NAMES, "classes", "targets", "category", "categories", "cls"}
_NUMBERING = {"id", "ids", "uid", "uuid", "guid", "key", "idx", "index", "no", "num", "number", "row", "rank"}
# words in the names of columns that describe an image, but not its class
_OF_OTHER_THINGS = {
    *("width", "height", "depth", "size", "length", "area", "channels", "pixels", "bytes", "dpi", "resolution"),
    *("patient", "subject", "person", "user", "group", "site", "hospital", "camera", "scanner", "study", "series"),
    *("image", "images", "img", "file", "files", "filename", "filepath", "path", "url", "uri", "link", "sample"),
    *("record", "photo", "scan", "slide", "frame", "page", "slice", "case", "visit", "md", "sha", "hash", "checksum"),
    *("year", "month", "day", "date", "time", "timestamp", "created", "age", "lat", "lon", "latitude", "longitude"),
    *("xmin", "ymin", "xmax", "ymax", "left", "top", "right", "bottom", "offset", "seed", "version", "count"),
    *("caption", "text", "description", "prompt", "title", "comment", "license", "author", "score", "weight"),
}
# of columns that may say which images must stay on one side of the split
_GROUPS = {
    "patient",
    "patients",
    "subject",
    "person",
    "participant",
    "group",
    "groups",
    "scene",
    "slide",
    "case",
    "animal",
}


@dataclass(frozen=True)
class Rows:
    """Rows of a table: a file or a split. ``batches(columns)`` iterates over those columns in order."""

    name: str
    schema: pa.Schema
    batches: Callable[[Sequence[str]], Iterator[pa.RecordBatch | pa.Table]]


@dataclass(frozen=True)
class Columns:
    """The role of each column, and a note on how it was chosen."""

    image: str
    label: str
    group: str | None
    split: str | None
    guessed: bool  # the label was not named by the user, and neither its type nor its name marks it as one
    note: str


def choose_columns(rows: Rows, options: DataOptions) -> Columns:
    """The roles of the columns of ``rows``.

    Raises:
        DataProblem: listing the columns, if none or several are possible.
    """
    schema = rows.schema
    problems: list[Message] = []
    if twice := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        text = f"{rows.name}: several columns are called {some(twice)}; rename or remove all but one of each"
        raise DataProblem(Message(text, code="columns-alike", value=some(twice)))
    images = [f.name for f in schema if holds_images(f.type)]
    image = _one(rows, "image", options.image, images, IMAGE, problems)
    if image is None and (options.image is not None or not images):
        asked = [options.image] if options.image in schema.names else None
        problems += path_hints(rows, [name for name in asked or schema.names if name is not None])
    label, others = _label(rows, options, problems)
    if options.group is not None and options.group not in schema.names:
        problems.append(_no_such_column(rows, "group", options.group))
    if problems or image is None or label is None:
        raise DataProblem(problems)
    split = "split" if "split" in schema.names and label != "split" else None
    guessed = options.label is None and label not in (*_typed(schema), *_named(schema))
    also = f"; other candidates: {some(others)}" if others else ""
    kind = stored(schema.field(label).type)
    note = f"the label is column {printable(label)} ({kind}){also}, the image column {printable(image)}"
    shared = [name for name in schema.names if name not in (image, label) and _GROUPS & set(words(name))]
    if options.group is None and shared:
        note += (
            f"; column {some(shared)} is not read: if it says which images belong together, set data.group: "
            f"{printable(shared[0])}"
        )
    return Columns(image, label, options.group, split, guessed, note)


def class_names(schema: pa.Schema, label: str) -> tuple[str, ...] | None:
    """The class names that ``datasets`` recorded for the numbers in ``label``, in order; None if there are none."""
    names = features(schema).get(label, {}).get("names")
    if isinstance(names, dict):  # as in a dataset card: "0": cat
        try:
            names = [names[key] for key in sorted(names, key=int)]
        except ValueError:
            return None
    return tuple(map(str, names)) if isinstance(names, list) and names else None


def features(schema: pa.Schema) -> dict[str, Any]:
    """The features that ``datasets`` recorded in the schema; empty if missing or malformed."""
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}


def path_hints(rows: Rows, names: Sequence[str]) -> Iterator[Message]:
    """A message for each column that holds paths, addresses or encoded text of images instead of their bytes."""
    for name in names:
        if not holds_paths(rows.schema.field(name).type):
            continue
        first = next(iter(rows.batches([name])), None)
        values = [v.get("path") if isinstance(v, dict) else v for v in first.column(0).to_pylist()] if first else []
        texts = [v for v in values if isinstance(v, str)]
        if paths := [v for v in texts if is_place(v)]:
            yield only_paths(rows, name, paths[0])
        elif any(v.startswith(_IMAGES_AS_TEXT) for v in texts):
            text = (
                f"{rows.name}: column {printable(name)} holds images as base64 text ({printable(texts[0][:30])} ...); "
                "store their bytes (base64.b64decode of Python)"
            )
            yield Message(text, code="images-as-text", value=printable(name))


def only_paths(rows: Rows, column: str, path: str) -> Message:
    """What is wrong with a column of paths, and what to do instead."""
    what = "web addresses" if "://" in path else "paths"
    text = (
        f"{rows.name}: column {printable(column)} holds only {what} ({printable(path[:100])} ...), no images, and "
        "files that a table refers to are not opened: store the images' bytes in it (as Dataset.to_parquet of datasets "
        "does), or put the files into one folder per class and use folder:PATH"
    )
    return Message(text, code="paths-instead-of-images", value=printable(path[:100]))


def is_place(text: str) -> bool:
    """Whether a text is the name of an image file, or an address."""
    return text.lower().partition("?")[0].endswith((*SUFFIXES, ".gif")) or bool(re.match(r"[a-z0-9]+://", text))


def _typed(schema: pa.Schema) -> list[str]:
    of = features(schema)
    return [f.name for f in schema if of.get(f.name, {}).get("_type") == "ClassLabel"]


def _named(schema: pa.Schema) -> list[str]:
    return [f.name for f in schema if f.name.lower() in LABEL_NAMES and label_kind(f.type) is not None]


def _label(rows: Rows, options: DataOptions, problems: list[Message]) -> tuple[str | None, list[str]]:
    """The column of labels, and other columns that might be it."""
    schema = rows.schema
    allowed = [f.name for f in schema if label_kind(f.type) is not None and f.name not in (options.group, "split")]
    index = _pandas_index(schema)
    likely = [
        n
        for n in allowed
        if n not in index and not _of_other_things(n) and label_kind(schema.field(n).type) != "nothing"
    ]
    typed, named = ([n for n in of(schema) if n in allowed] for of in (_typed, _named))
    typed = [n for n in typed if n in likely] or typed
    unusable = [f for f in schema if f.name.lower() in LABEL_NAMES and label_kind(f.type) is None]
    if options.label is None and not typed and not named and unusable:
        several = is_list(unusable[0].type)
        what = "holds several labels per row (multi-label)" if several else f"is {unusable[0].type}"
        how = "give each image one label" if several else "make the labels integers or strings"
        text = (
            f"{rows.name}: column {unusable[0].name} {what}, which is not supported; {how}, or set data.label to "
            "another column"
        )
        problems.append(Message(text, code="multi-label" if several else "label-type", value=str(unusable[0].type)))
        return None, []
    position = named == ["y"] and "x" in schema.names  # then y may be a coordinate
    candidates = typed or ([] if position else named) or likely
    if position and not typed:
        candidates = list(dict.fromkeys((*named, *candidates, "x")))
    if options.label is None and not candidates and allowed:
        text = (
            f"{rows.name}: no column is named like a label (label, class, target), and {some(allowed)} may be "
            f"something else; it has {some((f'{f.name} ({f.type})' for f in schema), 20)}; set data.label to the column"
        )
        problems.append(Message(text, code="no-label-column"))
        return None, []
    label = _one(rows, "label", options.label, candidates, LABEL, problems, allowed)
    return label, [] if options.label else [n for n in dict.fromkeys((*typed, *named, *likely)) if n != label]


def _pandas_index(schema: pa.Schema) -> set[str]:
    """The columns that were the index of a pandas table."""
    found = {n for n in schema.names if re.fullmatch(r"__index_level_\d+__|Unnamed: ?\d+", n)}
    try:
        of = json.loads((schema.metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, ValueError, TypeError):
        return found
    return found | {n for n in of if isinstance(n, str)} if isinstance(of, list) else found


def _of_other_things(name: str) -> bool:
    """Whether a column's name shows that it is not the label: an id, a size, a place, a fold."""
    of = words(name)
    if _LABEL_WORDS & {*of}:
        return False
    rest = [word for word in of if word not in _NUMBERING]
    counted = of[:1] in (["num"], ["n"], ["number"], ["count"], ["total"])
    return bool(not rest or counted or _OF_OTHER_THINGS & {*rest} or {*SPLIT_COLUMNS} & {*rest} or splits_in(name))


def _one(
    rows: Rows,
    what: str,
    asked: str | None,
    candidates: list[str],
    kind: str,
    problems: list[Message],
    allowed: list[str] | None = None,
) -> str | None:
    names = rows.schema.names
    if asked is not None:
        if asked not in names:
            problems.append(_no_such_column(rows, what, asked))
        elif asked not in (candidates if allowed is None else allowed):
            found = str(rows.schema.field(asked).type)
            text = f"{rows.name}: data.{what}: column {asked} is {found}; expected {kind}"
            problems.append(Message(text, code=f"{what}-type", value=found))
        else:
            return asked
        return None
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        found, code = f"several columns may be the {what} ({some(candidates, 20)})", "ambiguous-column"
    else:
        every = some((f"{f.name} ({f.type})" for f in rows.schema), 20)
        found, code = f"no column holds {kind}; it has {every}", f"no-{what}-column"
    problems.append(Message(f"{rows.name}: {found}; set data.{what} to the column", code=code))
    return None


def _no_such_column(rows: Rows, what: str, asked: str) -> Message:
    """A message about a column named in the options, by ``data.<what>``, that is not there."""
    names = rows.schema.names
    text = f"{rows.name}: data.{what}: no column {asked!r}{did_you_mean(asked, names, '.')} It has {some(names, 20)}"
    return Message(text, code="no-such-column", value=asked)
