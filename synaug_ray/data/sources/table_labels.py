"""The labels of a table's rows as class numbers: by name where files name their classes, and none invented."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synaug_ray.common.text import printable, some
from synaug_ray.data.classes_alike import alike_to
from synaug_ray.data.sources.arrow_types import LabelKind, label_kind
from synaug_ray.data.sources.base import UNLABELLED, way_out
from synaug_ray.data.sources.columns import Columns, Rows, class_names

_LIKE_NONE = {"nan", "none", "null", "na", "n/a", "<na>"}  # what missing labels become as text


@dataclass(frozen=True)
class Run:
    """The rows of a ``Rows`` that belong to one split."""

    rows: Rows
    index: np.ndarray  # int64 [n], ascending
    labels: list[Any]  # [n], as in the table
    groups: list[str] | None  # [n]
    names: tuple[str, ...] | None  # of the numbers in labels


def kinds_differ(every: Sequence[Rows], label: str) -> list[str]:
    """A sentence where files hold labels of several kinds, which cannot be matched."""
    first: dict[str, str] = {}  # what the labels are -> the first file of it
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
    return [
        f"column {printable(label)} is {' and '.join(first.values())}: which label of one is which of the other cannot "
        "be told; write it alike into all files (the classes' names as strings are the surest; whole numbers become "
        "double where some are missing)"
    ]


def number_classes(
    listed: Mapping[str, list[Run]], columns: Columns, problems: list[str], notes: list[str]
) -> tuple[tuple[str, ...], dict[str, list[list[int]]]]:
    """The class names, and for each run of each split the class numbers of its rows.

    What is wrong goes to ``problems``, what was decided to ``notes``.
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
            problems.append(
                f"column {label}: class {some(dict.fromkeys(twice))} is named twice in one file; rename one"
            )
        each = "; ".join(f"{run.rows.name}: {some(run.names or (), 8)}" for run in _first_of_each(named))
        notes.append(f"files list their classes differently, and are matched by the names ({each})")
    values = {split: [_values(run) for run in runs] for split, runs in listed.items()}
    classes = _classes(listed, values)
    seen = sum(len(v) for v in values["train"])
    if len(classes) < 2:
        problems.append(
            f"column {label} holds {len(classes)} class ({some(classes)}) in train; a classifier "
            "needs at least two: add images of another, or set data.label to another column"
        )
    few = seen < 3 * len(classes)
    if few and (len(classes) > 100 or (columns.guessed and len(classes) > 2)):
        problems.append(
            f"column {label} holds {len(classes):,} values in {seen:,} rows; "
            "these are not classes; set data.label to the column of classes"
        )
    odd = [v for v in classes if isinstance(v, str) and not v.isprintable()]
    if odd:
        problems.append(f"column {label} holds unprintable names: {some(odd)}; rename them")
    number = {v: i for i, v in enumerate(classes)}
    for split, each in values.items():
        problems += _unknown(split, {v for run in each for v in run}, number, label)
    if none := [v for v in classes if (v == UNLABELLED and not named) or str(v).strip().lower() in _LIKE_NONE]:
        notes.append(
            f"label {some(none)} in column {label} is a class like others; where it means none, remove those rows"
        )
    if problems:
        return (), {}
    return tuple(map(str, classes)), {s: [[number[v] for v in run] for run in each] for s, each in values.items()}


def _classes(listed: Mapping[str, list[Run]], values: Mapping[str, list[list[Any]]]) -> list[Any]:
    """The classes of train: those its files name, in their order, then those in its rows, sorted."""
    stated = [name for run in listed["train"] for name in run.names or ()]
    return list(dict.fromkeys([*stated, *sorted({v for run in values["train"] for v in run})]))


def _whole(labels: list[Any]) -> bool:
    return all(isinstance(v, int) for v in labels)


def _values(run: Run) -> list[Any]:
    return [run.names[v] for v in run.labels] if run.names and _whole(run.labels) else run.labels


def _first_of_each(runs: Sequence[Run]) -> list[Run]:
    return list({run.names: run for run in reversed(runs)}.values())[::-1]


def no_label(value: Any) -> bool:
    """Whether a value says that there is no label: null, NaN, an empty string."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _missing(split: str, runs: Sequence[Run], label: str) -> list[str]:
    """Rows without a label, and numbers without a name."""
    total = sum(len(run.labels) for run in runs)
    empty = [f"{run.rows.name}[{i}]" for run in runs for i, v in zip(run.index, run.labels, strict=True) if no_label(v)]
    if empty and len(empty) == total:
        return [f"{split}: column {label} is empty in all {total:,} rows (no image has a label); {way_out(split)}"]
    if empty:
        return [
            f"{split}: column {label} is empty in {len(empty):,} of {total:,} rows: {some(empty)}; remove those rows"
            + (f", or {way_out(split)}" if split != "train" else "")
        ]
    found = []
    odd = sorted(
        {v for run in runs if run.names and _whole(run.labels) for v in run.labels if not 0 <= v < len(run.names)}
    )
    if odd:
        highest = min(len(run.names) for run in runs if run.names) - 1
        without = " (-1 means unlabelled)" if odd == [UNLABELLED] else ""
        found.append(
            f"{split}: column {label} holds {some(odd)}{without}; expected 0 to {highest}"
            + (f": {way_out(split)}" if split != "train" else "; remove those rows")
        )
    return found


def _unknown(split: str, values: set[Any], number: Mapping[Any, int], label: str) -> list[str]:
    unknown = sorted(values - number.keys())
    if not unknown:
        return []
    if unknown == [UNLABELLED]:
        return [
            f"{split}: column {label} holds -1, which train does not (-1 means unlabelled); "
            + ("remove those rows, or " if len(values) > 1 else "")
            + way_out(split)
        ]
    like = [alike for v in unknown if (alike := alike_to(str(v), map(str, number)))]
    hint = f"; train has {some(map(repr, like))}, which differs by case, spaces or Unicode form alone" if like else ""
    no_class_of_train = f": {way_out(split)}" if not values & number.keys() and not like else ""
    return [f"{split}: class {some(unknown)} is not in train{hint}{no_class_of_train}"]
