"""The rows of an audit about duplicates: how many there are, which they are, and whether their labels agree."""

from __future__ import annotations

import numpy as np

from synaug_ray.common.text import first_few, some
from synaug_ray.data.audit.rows import AuditRow, Counts, Level
from synaug_ray.data.duplicates.find import Duplicates, distinct
from synaug_ray.data.images import Dataset

SOME, MANY = 0.001, 0.01  # share of images with duplicates that gets a warning: of test images in train, of others
SIDES = {"inside train": (0, 0), "test in train": (2, 0), "inside test": (2, 2)}  # search -> the splits it compares
FIRST = 3  # pairs named in a row
RELIABLE = 0.5  # share of planted JPEG copies that must be found for "none found" to mean anything


def duplicate_rows(dataset: Dataset, found: dict[str, Duplicates]) -> list[AuditRow]:
    """Duplicates within and between training and test images."""
    inside, between, test = found["inside train"], found["test in train"], found["inside test"]
    n, left = len(dataset.train), distinct(len(dataset.train), found["inside train"])
    share = len(between.images) / len(dataset.test)
    rows = [
        AuditRow(
            "duplicates in train",
            _counted(inside),
            f"Only {left:,} of {n:,} training images are different: {(n - left) / n:.1%} of the real images that a "
            "curve over num_real counts are repeats." + _first(dataset, inside, 0, 0)
            if left < n
            else "None found.",
            _level((n - left) / n),
        ),
        AuditRow(
            "test images in train",
            _counted(between),
            f"{len(between.images):,} of {len(dataset.test):,} test "
            f"images ({share:.1%}) are also in train: classifiers were trained on them, and generators can copy them. "
            "Errors come out too low. Set data.duplicates: drop-test." + _first(dataset, between, 2, 0)
            if share
            else "None found.",
            "warning" if share >= SOME else _level(share),
        ),
    ]
    if len(test.images):
        share = len(test.images) / len(dataset.test)
        rows.append(
            AuditRow(
                "duplicates in test",
                _counted(test),
                f"{share:.1%} of the test images repeat another one: intervals come out slightly too narrow."
                + _first(dataset, test, 2, 2),
                _level(share),
            )
        )
    return rows + [_search_row(dataset, between)]


def _search_row(dataset: Dataset, between: Duplicates) -> AuditRow:
    """How well the search for near duplicates works on these images."""
    _, h, w = dataset.shape
    if not between.searched:
        return AuditRow(
            "near duplicates",
            "not searched",
            "Too few training images to distinguish copies from similar images; only exact copies were searched.",
            "note",
        )
    recall = "; ".join(f"{change} {share:.0%}" for change, share in between.recall.items())
    passed, of = between.across_classes
    check = f" Compared only with other classes, {passed:,} of {of:,} pass." if of else ""
    false = f"By chance, {between.expected_false:.2g} of {between.searched:,} test images would pass as copies.{check}"
    mean = f"{np.mean(list(between.recall.values())):.0%}"
    value = f"{mean} of those planted"
    if between.recall["JPEG 75"] < RELIABLE:
        return AuditRow(
            "near duplicates",
            value,
            f"We planted copies to test the search: it found {mean} ({recall}). At {h} x {w} pixels these images are "
            f"too similar to recognise re-encoded copies, so finding none means little. {false}",
            "note",
        )
    return AuditRow(
        "near duplicates", value, f"We planted copies to test the search: it found {mean} ({recall}). {false}"
    )


def _first(dataset: Dataset, found: Duplicates, left: int, right: int) -> str:
    """The first pairs, by the source's names of the images; ``left`` and ``right`` are their splits."""
    pairs = np.concatenate([found.exact, found.near])[:FIRST].tolist()
    names, others = dataset.names_of(left), dataset.names_of(right)
    return f" For example, {first_few((f'{names[i]} = {others[j]}' for i, j in pairs), FIRST)}." if pairs else ""


def _counted(found: Duplicates) -> str:
    exact, near = len(np.unique(found.exact[:, 0])), len(np.setdiff1d(found.near[:, 0], found.exact[:, 0]))
    return f"{exact:,} exact, {near:,} near"


def _level(share: float) -> Level:
    return "warning" if share >= MANY else "note" if share > 0 else "ok"


def label_row(dataset: Dataset, clashes: dict[str, Counts], found: dict[str, Duplicates]) -> AuditRow:
    """Whether copies of an image have the same label; ``clashes`` [P, 2] are the pairs with different labels."""
    total = sum(map(len, clashes.values()))
    if not total:
        return AuditRow("labels of duplicates", "agree", "No two copies of an image have different labels.")
    exact = sum(
        len({*map(tuple, pairs.tolist())} & {*map(tuple, found[name].exact.tolist())})
        for name, pairs in clashes.items()
    )
    pairs = [
        f"{one} ({label}) = {other} ({as_other})" for one, label, other, as_other in conflicts(dataset, clashes, FIRST)
    ]
    look = f"{some(pairs, FIRST)}{', ...' if total > FIRST else ''}; --json and audit.json list all by name."
    chance = sum(d.expected_false for d in found.values() if d.searched)
    value = f"{exact:,} exact, {total - exact:,} near differ"
    if exact or total > chance:
        return AuditRow(
            "labels of duplicates",
            value,
            f"One image of each pair has a wrong label, or near copies are only similar: look at them. {look}",
            "warning",
        )
    return AuditRow(
        "labels of duplicates",
        value,
        f"No more than expected by chance ({chance:.0f} pairs), so these may be similar images only. {look}",
        "note",
    )


def conflicts(dataset: Dataset, clashes: dict[str, Counts], most: int | None = None) -> list[tuple[str, str, str, str]]:
    """At most ``most`` pairs of duplicates with different labels: image, class, duplicate, class of the duplicate."""
    labels = (dataset.train.labels, dataset.val.labels, dataset.test.labels)
    out = []
    for search, pairs in clashes.items():
        left, right = SIDES[search]
        if not len(pairs):
            continue
        names, others = dataset.names_of(left), dataset.names_of(right)
        for i, j in pairs[: None if most is None else most - len(out)].tolist():
            classes = dataset.classes[labels[left][i]], dataset.classes[labels[right][j]]
            out.append((names[i], classes[0], others[j], classes[1]))
    return out
