"""An audit where test images that are also in train are left out (``data.duplicates: drop-test``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synaug_ray.common.errors import DataProblem
from synaug_ray.data.audit.audit import Audit
from synaug_ray.data.audit.duplicate_rows import MANY
from synaug_ray.data.audit.rows import AuditRow, class_rows, gain_rows, parts_of
from synaug_ray.data.images import Dataset, joined


def known_in_train(audited: Audit) -> list[int]:
    """Indices of the test images that are also in train."""
    return list(audited.numbers["duplicates"]["test in train"]["images"])


def without_known(dataset: Dataset, known: Sequence[int]) -> Dataset:
    """The data set without the test images of indices ``known``.

    Raises:
        DataProblem: if none is left.
    """
    kept = np.setdiff1d(np.arange(len(dataset.test)), known)
    if not len(kept):
        raise DataProblem(
            f"{dataset.name}: all {len(dataset.test):,} test images, or near copies of them, are also in train, so "
            "that data.duplicates: drop-test leaves none. Give other test images, or leave the test split out "
            "(data.leave_out: [test]), so that images of train are held out instead",
            code="no-test-images-left",
        )
    groups = None if dataset.groups is None else (*dataset.groups[:2], dataset.groups[2][kept])
    names = None
    if dataset.names is not None:
        every = dataset.names_of(2)
        names = (*dataset.names[:2], joined([every[i] for i in kept]))
    return replace(dataset, test=dataset.test.take(kept), groups=groups, names=names)


def told_without(audited: Audit, before: Dataset, after: Dataset) -> Audit:
    """The audit of ``before`` with what holds of ``after``: its classes, and the smallest gain that it can show.

    What was found is in ``numbers`` as it was; ``left_out_of_test`` counts the images, and the smallest gains and
    ``images_judged`` are those of the test images that are left.
    """
    counts = {name: np.bincount(part.labels, minlength=after.num_classes) for name, part in parts_of(after)}
    gains, numbers = gain_rows(after, counts["test"])
    renewed = {row.what: row for row in [*class_rows(after, counts, before), *gains]}
    renewed |= {row.what: row for row in _copy_rows(audited, before, after)}
    there = {row.what for row in audited.rows}
    rows = [renewed.get(row.what, row) for row in audited.rows]
    rows = [row for row in rows if row.what != "duplicates in test" or "duplicates in test" in renewed]
    rows += [row for what, row in renewed.items() if what not in there]  # such as a class that lost all its images
    left_out = len(before.test) - len(after.test)
    more = {"left_out_of_test": left_out, "images_judged": len(after.test)}
    return replace(audited, rows=tuple(rows), numbers=audited.numbers | numbers | more)


def _copy_rows(audited: Audit, before: Dataset, after: Dataset) -> list[AuditRow]:
    total, left = len(before.test), len(after.test)
    found = audited.numbers["duplicates"]
    recall = list(found["test in train"]["recall"].values())
    missed = f" The search found {np.mean(recall):.0%} of planted copies, so some may be left." if recall else ""
    (was,) = [row for row in audited.rows if row.what == "test images in train"]
    rows = [
        AuditRow(
            "images",
            ", ".join(f"{name} {len(part):,}" for name, part in parts_of(after)),
            f"{after.shape[1]} x {after.shape[2]} pixels, {'grey' if after.shape[0] == 1 else 'colour'}. The test "
            f"images are those left of {total:,}.",
        ),
        AuditRow(
            was.what,
            was.value,
            f"{total - left:,} of {total:,} test images ({(total - left) / total:.1%}) are also in train, and were "
            f"left out (data.duplicates: drop-test). Errors are measured on the other {left:,}.{missed}",
            "note",
        ),
    ]
    kept = set(np.setdiff1d(np.arange(total), found["test in train"]["images"]).tolist())
    index = {name: i for i, name in enumerate(before.names_of(2))}
    pairs = [(index.get(a), index.get(b)) for a, b in found["inside test"]["pairs"]]
    still = {a for a, b in pairs if a in kept and b in kept}
    if still:
        share = len(still) / left
        rows.append(
            AuditRow(
                "duplicates in test",
                f"{len(still):,} of those left",
                f"{share:.1%} of the test images repeat another one: intervals come out slightly too narrow.",
                "warning" if share >= MANY else "note",
            )
        )
    return rows
