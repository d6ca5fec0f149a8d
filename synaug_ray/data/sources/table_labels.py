"""The labels of a table's rows as class numbers; files that name their classes are matched by these names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synaug_ray.common.errors import Message
from synaug_ray.common.text import printable, some
from synaug_ray.data.classes_alike import alike_to
from synaug_ray.data.sources.arrow_types import LabelKind, label_kind
from synaug_ray.data.sources.base import UNLABELLED, without_labels
from synaug_ray.data.sources.columns import Columns, Rows, class_names

_LIKE_NONE = {"nan", "none", "null", "na", "n/a", "<na>"}  # missing labels, converted to text


@dataclass(frozen=True)
class Run:
    """The rows of a ``Rows`` that belong to one split."""

    rows: Rows
    index: np.ndarray  # int64 [n], ascending
    labels: list[Any]  # [n], as in the table
    groups: list[str] | None  # [n]
    names: tuple[str, ...] | None  # class names of the numbers in ``labels``


def mixed_label_types(every: Sequence[Rows], label: str) -> list[Message]:
    """A message if files hold labels of several kinds, which cannot be matched."""
    first: dict[str, str] = {}  # kind of labels -> its description, with the first file of it
    kinds: set[LabelKind | None] = set()
    for rows in every:
        kind = rows.schema.field(label).type
        of = label_kind(kind)
        if of == "nothing":
            continue
        named = class_names(rows.schema, label) if of == "integers" else None
        kinds.add("strings" if named else of)
        what = f"{kind}" + (f" with the class names {some(named)}" if named else "")
        first.setdefault("named" if named else str(of or kind), f"{what} in {rows.name}")
    if len(kinds) < 2:
        return []
    text = (
        f"column {printable(label)} is {' and '.join(first.values())}: their labels cannot be matched; use one type in "
        "all files (preferably class names as strings; integers become double in a file where some are missing)"
    )
    return [Message(text, code="mixed-label-types")]


def number_classes(
    listed: Mapping[str, list[Run]], columns: Columns, problems: list[Message], notes: list[str]
) -> tuple[tuple[str, ...], dict[str, list[list[int]]]]:
    """The class names, and for each run of each split the class numbers of its rows.

    Errors are added to ``problems``, decisions to ``notes``.
    """
    label = printable(columns.label)
    for split, runs in listed.items():
        problems += _missing(split, runs, label)
    if problems:
        return (), {}
    named = [run for runs in listed.values() for run in runs if run.names]
    lists = list(dict.fromkeys(run.names for run in named if run.names))
    if named and all(run.names and _whole(run.labels) for runs in listed.values() for run in runs) and len(lists) == 1:
        return lists[0], {split: [run.labels for run in runs] for split, runs in listed.items()}
    if len(lists) > 1:
        twice = [n for names in lists for n in names if names.count(n) > 1]
        if twice:
            names = some(dict.fromkeys(twice))
            text = f"column {label}: one file lists class {names} twice; rename one"
            problems.append(Message(text, code="duplicate-class", value=names))
        each = "; ".join(f"{run.rows.name}: {some(run.names or (), 8)}" for run in _first_of_each(named))
        notes.append(f"files list their classes differently; they are matched by name ({each})")
    values = {split: [_values(run) for run in runs] for split, runs in listed.items()}
    classes = _classes(listed, values)
    seen = sum(len(v) for v in values["train"])
    if len(classes) < 2:
        text = (
            f"column {label} holds {len(classes)} class ({some(classes)}) in train; a classifier needs at least two: "
            "add images of another class, or set data.label to another column"
        )
        problems.append(Message(text, code="too-few-classes", value=str(len(classes))))
    few = seen < 3 * len(classes)
    if few and (len(classes) > 100 or (columns.guessed and len(classes) > 2)):
        text = (
            f"column {label} holds {len(classes):,} different values in {seen:,} rows, which are not classes; set "
            "data.label to the column of classes"
        )
        problems.append(Message(text, code="not-classes", value=f"{len(classes):,}"))
    odd = [v for v in classes if isinstance(v, str) and not v.isprintable()]
    if odd:
        text = f"column {label} holds unprintable names: {some(odd)}; rename them"
        problems.append(Message(text, code="unprintable-class", value=some(odd)))
    number = {v: i for i, v in enumerate(classes)}
    for split, each in values.items():
        problems += _unknown(split, {v for run in each for v in run}, number, label)
    if none := [v for v in classes if (v == UNLABELLED and not named) or str(v).strip().lower() in _LIKE_NONE]:
        notes.append(
            f"label {some(none)} in column {label} is read as a class; if it marks a missing label, remove those rows"
        )
    if problems:
        return (), {}
    return tuple(map(str, classes)), {s: [[number[v] for v in run] for run in each] for s, each in values.items()}


def _classes(listed: Mapping[str, list[Run]], values: Mapping[str, list[list[Any]]]) -> list[Any]:
    """The classes of train: those named in its files, in that order, then the others in its rows, sorted."""
    stated = [name for run in listed["train"] for name in run.names or ()]
    return list(dict.fromkeys([*stated, *sorted({v for run in values["train"] for v in run})]))


def _whole(labels: list[Any]) -> bool:
    return all(isinstance(v, int) for v in labels)


def _values(run: Run) -> list[Any]:
    return [run.names[v] for v in run.labels] if run.names and _whole(run.labels) else run.labels


def _first_of_each(runs: Sequence[Run]) -> list[Run]:
    return list({run.names: run for run in reversed(runs)}.values())[::-1]


def no_label(value: Any) -> bool:
    """Whether a value stands for a missing label: null, NaN, an empty string."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _missing(split: str, runs: Sequence[Run], label: str) -> list[Message]:
    """Messages about rows without a label, and about class numbers without a name."""
    total = sum(len(run.labels) for run in runs)
    empty = [f"{run.rows.name}[{i}]" for run in runs for i, v in zip(run.index, run.labels, strict=True) if no_label(v)]
    if empty and len(empty) == total:
        text = f"{split}: column {label} is empty in all {total:,} rows (no image has a label); {without_labels(split)}"
        return [Message(text, code="unlabelled-split", value=split)]
    if empty:
        text = f"{split}: column {label} is empty in {len(empty):,} of {total:,} rows: {some(empty)}; remove those rows"
        otherwise = f", or {without_labels(split)}" if split != "train" else ""
        return [Message(text + otherwise, code="missing-labels", value=some(empty))]
    odd = sorted(
        {v for run in runs if run.names and _whole(run.labels) for v in run.labels if not 0 <= v < len(run.names)}
    )
    if not odd:
        return []
    highest = min(len(run.names) for run in runs if run.names) - 1
    unlabelled = " (-1 means unlabelled)" if odd == [UNLABELLED] else ""
    text = f"{split}: column {label} holds {some(odd)}{unlabelled}; expected 0 to {highest}"
    advice = f": {without_labels(split)}" if split != "train" else "; remove those rows"
    return [Message(text + advice, code="label-out-of-range", value=some(odd))]


def _unknown(split: str, values: set[Any], number: Mapping[Any, int], label: str) -> list[Message]:
    unknown = sorted(values - number.keys())
    if not unknown:
        return []
    if unknown == [UNLABELLED]:
        text = (
            f"{split}: column {label} holds -1, which train does not (-1 means unlabelled); "
            f"{'remove those rows, or ' if len(values) > 1 else ''}{without_labels(split)}"
        )
        return [Message(text, code="unlabelled-images", value="-1")]
    like = [alike for v in unknown if (alike := alike_to(str(v), map(str, number)))]
    hint = (
        f"; train has {some(map(repr, like))}, which differs only by case, spaces, Unicode form or zeros"
        if like
        else ""
    )
    no_class_of_train = f": {without_labels(split)}" if not values & number.keys() and not like else ""
    text = f"{split}: class {some(unknown)} is not in train{hint}{no_class_of_train}"
    return [Message(text, code="unknown-class", value=some(unknown))]
