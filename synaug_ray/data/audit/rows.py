"""The rows of an audit: each says what was found in a data set and what it means for the results."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.text import first_few, printable, some
from synaug_ray.data.audit.class_shares import shares_apart
from synaug_ray.data.audit.detectable_gain import DISCORDANCE, smallest_gain
from synaug_ray.data.images import Dataset
from synaug_ray.data.sources.base import SPLITS

Level = Literal["ok", "note", "warning", "not checked"]
Counts = NDArray[np.int64]
BALANCED = 1.5  # ratio of the largest to the smallest test class above which the analysis uses the balanced error
NOTED_GAIN, WARNED_GAIN = 0.01, 0.05  # smallest gain that can be shown
REDUCED = 1.5  # times the pixels that images had before they were reduced, from which that is noted
READING = "while reading"  # ``what`` of the rows that hold the reader's notes


@dataclass(frozen=True)
class AuditRow:
    """One row: what was checked, what was found, what it means for the results and what to do."""

    what: str
    value: str
    means: str
    level: Level = "ok"


def parts_of(dataset: Dataset) -> list[tuple[str, Any]]:
    """The splits with their names."""
    return list(zip(SPLITS, (dataset.train, dataset.val, dataset.test), strict=True))


def image_rows(dataset: Dataset, searched: tuple[int, int, int]) -> list[AuditRow]:
    """Numbers, sizes and modes of the images, and files that were left out.

    Args:
        searched: channels, height and width of the images among which copies are searched for.
    """
    c, h, w = dataset.shape
    rows = [
        AuditRow(
            "images",
            ", ".join(f"{name} {len(part):,}" for name, part in parts_of(dataset)),
            f"{h} x {w} pixels, {'grey' if c == 1 else 'colour'}.",
        )
    ]
    found = dataset.found
    _, high, wide = searched
    if found.largest[0] * found.largest[1] > REDUCED * high * wide:
        x, y = found.largest
        rows.append(
            AuditRow(
                "search for copies",
                f"at {high} x {wide} pixels",
                f"The images have up to {x} x {y} pixels (data.size reduces them). Small images of different things "
                "look alike, so that fewer copies can be told from others, and drop-test leaves more of them in: let "
                "the audit search larger ones (data.audit_size, such as 32) before you believe that there are few.",
                "note",
            )
        )
    elif (high, wide) != (h, w):
        rows.append(
            AuditRow(
                "search for copies",
                f"at {high} x {wide} pixels",
                f"Training is at {h} x {w}, where fewer copies could be told from other images.",
            )
        )
    if found.num_sizes > 1:
        (a, b), (x, y) = found.smallest, found.largest
        rows.append(
            AuditRow(
                "sizes before resizing",
                f"{found.num_sizes:,}, {a} x {b} to {x} x {y}",
                "All were resized to one size (data.size, data.resize). If size is related to class, a classifier may "
                "learn the blur instead.",
                "note",
            )
        )
    if len(found.modes) > 1:
        rows.append(
            AuditRow(
                "modes before reading",
                ", ".join(f"{n:,} {mode}" for mode, n in found.modes),
                "All were converted to one mode (data.mode). If mode is related to class, it gives the class away.",
                "note",
            )
        )
    if dataset.dropped:
        rows.append(
            AuditRow(
                "files left out",
                f"{len(dataset.dropped):,}",
                f"They cannot be read as images: {first_few(dataset.dropped, 3)}.",
                "note",
            )
        )
    return rows


def note_rows(dataset: Dataset) -> list[AuditRow]:
    """One row for each of the reader's notes on images that it left out, chose or changed."""
    rows = []
    for note in dataset.notes:
        counted = re.match(r"[\d,]+ \w+", note)
        sentence = note[:1].upper() + note[1:].rstrip(".") + "."
        rows.append(AuditRow(READING, counted[0] if counted else "said", sentence, "note"))
    return rows


def class_rows(dataset: Dataset, counts: dict[str, Counts], before: Dataset | None = None) -> list[AuditRow]:
    """Missing classes, class balance, and whether training and test images have the same class shares.

    Args:
        before: the data set with the test images that were left out, if any were.
    """
    train, test = counts["train"], counts["test"]
    rows = [AuditRow("classes", f"{dataset.num_classes}", f"{first_few(dataset.classes, 8)}.")]
    for name, held in counts.items():
        missing = [dataset.classes[c] for c in np.flatnonzero(held == 0)]
        if missing:
            rows.append(
                AuditRow(
                    f"classes not in {name}",
                    f"{len(missing)}",
                    f"No {name} image of {some(missing)}: nothing can be measured for it. Add images, or remove the "
                    "class from all splits.",
                    "warning",
                )
            )
    ratio, judged = _imbalance(train), _imbalance(test)
    rows.append(
        AuditRow(
            "largest over smallest",
            f"train {ratio:.1f}, test {judged:.1f}",
            "The test classes are unbalanced: verdicts use the balanced error, the mean of the errors of all classes."
            if judged > BALANCED
            else "Verdicts use the test error.",
            "note" if judged > BALANCED else "ok",
        )
    )
    if apart := shares_apart(dataset, before):
        means = f"{apart.found}: {apart.means}."
        rows.append(AuditRow("train and test shares", f"{apart.points:.0f} points apart", means, "note"))
    return rows


def _imbalance(counts: Counts) -> float:
    present = counts[counts > 0]
    return float(present.max() / present.min()) if len(present) else 1.0


def group_row(dataset: Dataset) -> AuditRow:
    """Groups (patients, scenes) that have images in both train and test."""
    if dataset.groups is None:
        return AuditRow(
            "groups",
            "not checked",
            "No groups are given, so images of one patient or one scene may be in both train and test. If several "
            "images may come from one source, name it with data.group.",
            "not checked",
        )
    train, val, test = (np.unique(part) for part in dataset.groups)
    both = np.intersect1d(train, test)
    if not len(both):
        return AuditRow("groups", f"{len(np.union1d(train, test)):,}", "None is in both train and test.")
    images = int(np.isin(dataset.groups[2], both).sum())
    return AuditRow(
        "groups",
        f"{len(both):,} on both sides",
        f"{len(both):,} of {len(test):,} test groups ({images:,} images) are also in train: errors come out too low. "
        "Move each group to one split, or merge the splits and let data.holdout divide them.",
        "warning",
    )


def gain_rows(dataset: Dataset, counts: Counts) -> tuple[list[AuditRow], dict[str, Any]]:
    """The smallest gain that this test set can show, and the numbers it is computed from."""
    balanced = _imbalance(counts) > BALANCED
    gain, often = (smallest_gain(counts, balanced, power=power) for power in (0.5, 0.8))
    level: Level = "warning" if gain > WARNED_GAIN else "note" if gain > NOTED_GAIN else "ok"
    more = "" if level == "ok" else " More test images would make the results more precise."
    rows = [
        AuditRow(
            "smallest gain shown",
            f"{100 * gain:.1f} points",
            f"{int(counts.sum()):,} test images: one pair of classifiers cannot distinguish a smaller gain from none, "
            f"and detects a gain of {100 * often:.1f} points in 4 cases of 5 (assuming that they differ on "
            f"{DISCORDANCE:.0%} of the images).{more}",
            level,
        )
    ]
    by_class = [smallest_gain(counts[[c]], False) if counts[c] else None for c in range(len(counts))]
    if balanced:
        c = int(np.where(counts > 0, counts, counts.max() + 1).argmin())
        rows.append(
            AuditRow(
                "and in one class",
                f"{100 * (by_class[c] or 0):.1f} points",
                f"{printable(dataset.classes[c])} has {counts[c]:,} test images, the fewest, and counts as much as any "
                "other class in the balanced error.",
                "note",
            )
        )
    return rows, {
        "judged": "balanced_error" if balanced else "test_error",
        "smallest_gain": gain,
        "smallest_gain_4_in_5": often,
        "smallest_gain_by_class": by_class,
        "discordance": DISCORDANCE,
    }
