"""The audit of a data set: what is in it, what is wrong with it, and what that means for the results."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from synaug_ray.common.text import printable
from synaug_ray.data.audit.alike import alike_class_note, alike_problems
from synaug_ray.data.audit.duplicate_rows import SIDES, conflicts, duplicate_rows, label_row
from synaug_ray.data.audit.rows import (
    READING,
    AuditRow,
    Counts,
    class_rows,
    gain_rows,
    group_row,
    image_rows,
    note_rows,
    parts_of,
)
from synaug_ray.data.duplicates.find import PLANTED_CHANGES, Duplicates, distinct, find
from synaug_ray.data.images import Dataset

Tell = Callable[[str, float], None]
EXAMPLES = 20
METHOD = (
    "exact: equal pixels. near: low-resolution search of all pairs, mirrored or not, in several shifts and "
    "crops, then alignment and comparison at up to 32x32 pixels; score = log(distance of look-alikes / "
    "distance), threshold by a Gumbel law fitted to the set and Benjamini-Hochberg at 1%"
)


@dataclass(frozen=True)
class Audit:
    """All findings on a data set, and the numbers behind them (plain values, ready for JSON)."""

    dataset: str
    rows: tuple[AuditRow, ...]
    numbers: dict[str, Any]
    seconds: dict[str, float]  # of wall time: each search, and "total"
    method: str = METHOD

    @property
    def warnings(self) -> tuple[AuditRow, ...]:
        """Findings that put the results in doubt."""
        return tuple(row for row in self.rows if row.level == "warning")

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``audit.json``."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows]}

    @staticmethod
    def from_json(plain: dict[str, Any]) -> Audit:
        """The inverse of ``to_json``.

        Raises:
            TypeError, KeyError: for anything else.
        """
        rows = tuple(AuditRow(**row) for row in plain["rows"])
        return Audit(plain["dataset"], rows, plain["numbers"], plain["seconds"], plain["method"])


def audit(
    dataset: Dataset,
    *,
    searched: Dataset | None = None,
    seed: int = 0,
    tell: Tell = lambda what, share: None,
) -> Audit:
    """Check a data set as it was read and split; nothing is changed or written.

    Args:
        dataset: arrays may be memory-mapped; images are read in blocks.
        searched: the same images at another size, among which copies are searched for; by default ``dataset``.
        seed: of the samples that calibrate the search for duplicates.
        tell: called with the name of the current search and the share of it that is done, 0 to 1.
    """
    started = time.monotonic()
    searched = dataset if searched is None else searched
    counts = {name: np.bincount(part.labels, minlength=dataset.num_classes) for name, part in parts_of(dataset)}
    alike = [AuditRow("images all alike", "refused by a run", str(said), "warning") for said in alike_problems(dataset)]
    alike += [AuditRow("one image a class", "", f"A{said[1:]}.", "note") for said in alike_class_note(dataset)]
    rows = [*image_rows(dataset, searched.shape), *alike, *class_rows(dataset, counts)]
    found, seconds = _search(searched, seed, tell)
    rows += duplicate_rows(searched, found)
    clashes = _clashes(dataset, found)
    rows += [label_row(dataset, clashes, found), group_row(dataset)]
    gains, numbers = gain_rows(dataset, counts["test"])
    rows += gains
    seconds["total"] = round(time.monotonic() - started, 3)
    audited = Audit(
        dataset.name,
        tuple(rows),
        {
            "images": {name: int(c.sum()) for name, c in counts.items()},
            "shape": list(dataset.shape),
            "searched_shape": list(searched.shape),
            "classes": list(dataset.classes),
            "class_counts": {name: c.tolist() for name, c in counts.items()},
            "found_sizes": [list(s) for s in dataset.found.sizes],
            "found_modes": [list(m) for m in dataset.found.modes],
            "duplicates": {name: _numbers(d) | _named(dataset, name, d) for name, d in found.items()},
            "distinct_train": distinct(len(dataset.train), found["inside train"]),
            "conflicting_labels": {name: pairs.tolist() for name, pairs in clashes.items()},
            "conflicting_labels_by_name": [
                {"image": one, "class": label, "like": other, "class_of_like": as_other}
                for one, label, other, as_other in conflicts(dataset, clashes)
            ],
            **numbers,
        },
        seconds,
    )
    return as_read_now(audited, dataset)


def as_read_now(audited: Audit, dataset: Dataset) -> Audit:
    """The audit with the reader's name of the data and notes of today: one that was kept may be of a moved folder."""
    first, *rest = (row for row in audited.rows if row.what != READING)
    numbers = audited.numbers | {"notes": list(dataset.notes), "left_out": list(dataset.dropped)}
    rows = (first, *note_rows(dataset), *rest)
    return replace(audited, dataset=dataset.name, rows=rows, numbers=numbers)


def table(audited: Audit, width: int = 100) -> str:
    """The findings in aligned columns; warnings and notes are marked at the left."""
    marks = {"ok": "", "note": "note", "warning": "WARNING", "not checked": ""}
    what, value = (min(22, max(len(getattr(row, name)) for row in audited.rows)) for name in ("what", "value"))
    lines = [f"audit    {printable(audited.dataset)}, {audited.seconds['total']:.1f} s"]
    for row in audited.rows:
        cells = (
            textwrap.wrap(row.what, what),
            textwrap.wrap(row.value, value),
            textwrap.wrap(row.means, max(width - what - value - 13, 20)),
        )
        for i in range(max(map(len, cells))):
            a, b, c = (cell[i] if i < len(cell) else "" for cell in cells)
            lines.append(f"{marks[row.level] if i == 0 else '':<9}{a:<{what}}  {b:<{value}}  {c}".rstrip())
    return "\n".join(lines)


def _search(dataset: Dataset, seed: int, tell: Tell) -> tuple[dict[str, Duplicates], dict[str, float]]:
    train, test = dataset.train, dataset.test
    found, seconds = {}, {}
    for name, part, reference in (
        ("inside train", train, None),
        ("test in train", test, train),
        ("inside test", test, None),
    ):
        started = time.monotonic()
        found[name] = find(
            part.images,
            None if reference is None else reference.images,
            labels=part.labels,
            reference_labels=None if reference is None else reference.labels,
            plant=PLANTED_CHANGES if name == "test in train" else (),
            seed=seed,
            tell=lambda share, name=name: tell(name, share),
        )
        seconds[name] = round(time.monotonic() - started, 3)
    return found, seconds


def _clashes(dataset: Dataset, found: dict[str, Duplicates]) -> dict[str, Counts]:
    """Pairs of duplicates with different labels, int64 [P, 2] for each search."""
    labels = (dataset.train.labels, dataset.val.labels, dataset.test.labels)
    out = {}
    for name, d in found.items():
        (left, right), pairs = SIDES[name], np.concatenate([d.exact, d.near])
        out[name] = pairs[labels[left][pairs[:, 0]] != labels[right][pairs[:, 1]]]
    return out


def _numbers(found: Duplicates) -> dict[str, Any]:
    """Plain values; ``images`` are all that have a duplicate, ``examples`` [image, its like, score, mirrored]."""
    nearest = zip(found.near.tolist(), found.scores.tolist(), found.mirrored.tolist(), strict=True)
    return {
        "exact": len(found.exact),
        "near": len(found.near),
        "images": found.images.tolist(),
        "exact_examples": found.exact[:EXAMPLES].tolist(),
        "examples": [[i, j, round(score, 3), mirrored] for (i, j), score, mirrored in nearest][:EXAMPLES],
        "searched": found.searched,
        "threshold": _finite(found.threshold),
        "expected_false": _finite(found.expected_false),
        "calibrated_on": found.calibrated_on,
        "across_classes": list(found.across_classes),
        "recall": found.recall,
    }


def _named(dataset: Dataset, search: str, found: Duplicates) -> dict[str, Any]:
    """``pairs`` [image, its like] by what the source calls them, exact ones first: every one."""
    left, right = (dataset.names_of(i) for i in SIDES[search])
    return {"pairs": [[left[i], right[j]] for i, j in np.concatenate([found.exact, found.near]).tolist()]}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
