"""What is in a data set, what is wrong with it, and what that means for the answer."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.text import printable, some
from synaug_ray.data.audit.checks import SHIFT
from synaug_ray.data.audit.detectable_gain import DISCORDANCE, smallest_gain
from synaug_ray.data.duplicates.find import PLANTED_CHANGES, Duplicates, distinct, find
from synaug_ray.data.images import Dataset
from synaug_ray.data.sources.base import SPLITS

Level = Literal["ok", "note", "warning"]
Counts = NDArray[np.int64]
Tell = Callable[[str, float], None]
BALANCED = 1.5  # largest over smallest test class from which the analysis judges balanced error
SOME, MANY = 0.001, 0.01  # share of images with duplicates that is worth a note, a warning
NOTED_GAIN, WARNED_GAIN = 0.01, 0.05  # smallest gain that can be shown
TOLD = 0.5  # share of planted JPEG copies that have to be found for "none found" to mean anything
EXAMPLES = 20
VERSION = 1  # of what is looked for: raised, everything is looked at again
METHOD = (
    "exact: equal pixels. near: low-resolution search of all pairs, mirrored or not, in several shifts and "
    "crops, then alignment and comparison at up to 32x32 pixels; score = log(distance of look-alikes / "
    "distance), threshold by a Gumbel law fitted to the set and Benjamini-Hochberg at 1%"
)


@dataclass(frozen=True)
class Finding:
    """One row: what was looked at, what was found, and in a sentence what it means for the answer and what to do."""

    what: str
    value: str
    means: str
    level: Level = "ok"


@dataclass(frozen=True)
class Audit:
    """All findings on a data set, and the numbers behind them (plain values, ready for JSON)."""

    dataset: str
    rows: tuple[Finding, ...]
    numbers: dict[str, Any]
    seconds: dict[str, float]  # of wall time: each search, and "total"
    method: str = METHOD

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that put the answer in doubt."""
        return tuple(row for row in self.rows if row.level == "warning")

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``audit.json``."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows]}

    @staticmethod
    def from_json(plain: dict[str, Any]) -> Audit:
        """What ``to_json`` gave.

        Raises:
            TypeError, KeyError: for anything else.
        """
        rows = tuple(Finding(**row) for row in plain["rows"])
        return Audit(plain["dataset"], rows, plain["numbers"], plain["seconds"], plain["method"])


def audit(dataset: Dataset, *, seed: int = 0, tell: Tell = lambda what, share: None) -> Audit:
    """Look at a data set as it was read and split; nothing is changed or written.

    Args:
        dataset: arrays may be memory-mapped; images are read in blocks.
        seed: of the samples that calibrate the search for duplicates.
        tell: called with what is being done and the share of it that is done, 0 to 1.
    """
    started = time.monotonic()
    counts = {name: np.bincount(part.labels, minlength=dataset.num_classes) for name, part in _parts(dataset)}
    rows = [*_read(dataset), *_classes(dataset, counts)]
    found, seconds = _search(dataset, seed, tell)
    rows += _duplicates(dataset, found)
    clashes = _clashes(dataset, found)
    rows += [_labels(clashes, found), _groups(dataset)]
    gains, numbers = _gain(dataset, counts["test"])
    rows += gains
    seconds["total"] = round(time.monotonic() - started, 3)
    return Audit(
        dataset.name,
        tuple(rows),
        {
            "images": {name: int(c.sum()) for name, c in counts.items()},
            "shape": list(dataset.shape),
            "classes": list(dataset.classes),
            "class_counts": {name: c.tolist() for name, c in counts.items()},
            "found_sizes": [list(s) for s in dataset.found.sizes],
            "found_modes": [list(m) for m in dataset.found.modes],
            "duplicates": {name: _numbers(d) for name, d in found.items()},
            "distinct_train": distinct(len(dataset.train), found["inside train"]),
            "conflicting_labels": {name: pairs.tolist() for name, pairs in clashes.items()},
            **numbers,
        },
        seconds,
    )


def table(audited: Audit, width: int = 100) -> str:
    """The findings in aligned columns; warnings and notes are marked at the left."""
    marks = {"ok": "", "note": "note", "warning": "WARNING"}
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


def _parts(dataset: Dataset) -> list[tuple[str, Any]]:
    return list(zip(SPLITS, (dataset.train, dataset.val, dataset.test), strict=True))


def _read(dataset: Dataset) -> list[Finding]:
    c, h, w = dataset.shape
    rows = [
        Finding(
            "images",
            ", ".join(f"{name} {len(part):,}" for name, part in _parts(dataset)),
            f"{h} x {w} pixels, {'grey' if c == 1 else 'colour'}.",
        )
    ]
    found = dataset.found
    if found.num_sizes > 1:
        (a, b), (x, y) = found.smallest, found.largest
        rows.append(
            Finding(
                "sizes before resizing",
                f"{found.num_sizes:,}, {a} x {b} to {x} x {y}",
                "All were brought to one size (data.size, data.resize). Where size goes with class, a "
                "classifier may learn the blur instead.",
                "note",
            )
        )
    if len(found.modes) > 1:
        rows.append(
            Finding(
                "modes before reading",
                ", ".join(f"{n:,} {mode}" for mode, n in found.modes),
                "All were brought to one mode (data.mode). Where mode goes with class, it gives the class away.",
                "note",
            )
        )
    if dataset.dropped:
        rows.append(
            Finding(
                "files left out",
                f"{len(dataset.dropped):,}",
                f"They cannot be read as images: {some(dataset.dropped, 3)}.",
                "note",
            )
        )
    return rows


def _classes(dataset: Dataset, counts: dict[str, Counts]) -> list[Finding]:
    train, test = counts["train"], counts["test"]
    rows = [Finding("classes", f"{dataset.num_classes}", f"{some(dataset.classes, 8)}.")]
    for name, held in counts.items():
        missing = [dataset.classes[c] for c in np.flatnonzero(held == 0)]
        if missing:
            rows.append(
                Finding(
                    f"classes not in {name}",
                    f"{len(missing)}",
                    f"No {name} image of {some(missing)}: "
                    "nothing can be said of it. Add images, or remove the class everywhere.",
                    "warning",
                )
            )
    ratio, judged = _imbalance(train), _imbalance(test)
    rows.append(
        Finding(
            "largest over smallest",
            f"train {ratio:.1f}, test {judged:.1f}",
            "The test classes are unbalanced: the balanced error is judged, the mean over classes of each one's error."
            if judged > BALANCED
            else "The plain test error is judged.",
            "note" if judged > BALANCED else "ok",
        )
    )
    apart = np.abs(train / max(train.sum(), 1) - test / max(test.sum(), 1))
    if apart.max() > SHIFT:
        k = int(apart.argmax())
        rows.append(
            Finding(
                "train and test shares",
                f"{100 * apart.max():.0f} points apart",
                f"{printable(dataset.classes[k])} is {train[k] / train.sum():.0%} of the training and "
                f"{test[k] / test.sum():.0%} of the test images: the two are not of one population, and "
                "the answer holds for the test set's.",
                "note",
            )
        )
    return rows


def _imbalance(counts: Counts) -> float:
    present = counts[counts > 0]
    return float(present.max() / present.min()) if len(present) else 1.0


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


def _duplicates(dataset: Dataset, found: dict[str, Duplicates]) -> list[Finding]:
    inside, between, test = found["inside train"], found["test in train"], found["inside test"]
    n, left = len(dataset.train), distinct(len(dataset.train), found["inside train"])
    share = len(between.images) / len(dataset.test)
    rows = [
        Finding(
            "duplicates in train",
            _counted(inside),
            f"{n:,} training images are {left:,} different ones: a curve "
            f"over num_real promises {(n - left) / n:.1%} more real images than there are."
            if left < n
            else "None found.",
            _level((n - left) / n),
        ),
        Finding(
            "test images in train",
            _counted(between),
            f"{len(between.images):,} of {len(dataset.test):,} test "
            f"images ({share:.1%}) occur in train: classifiers have seen their answers, and generators can copy "
            "them. Errors come out too low. Set data.duplicates: drop-test."
            if share
            else "None found.",
            "warning" if share >= SOME else _level(share),
        ),
    ]
    if len(test.images):
        share = len(test.images) / len(dataset.test)
        rows.append(
            Finding(
                "duplicates in test",
                _counted(test),
                f"{share:.1%} of the test images repeat another: intervals come out a little too narrow.",
                _level(share),
            )
        )
    return rows + [_told(dataset, between)]


def _told(dataset: Dataset, between: Duplicates) -> Finding:
    """What the search could see in these very images."""
    _, h, w = dataset.shape
    if not between.searched:
        return Finding(
            "near duplicates",
            "not looked for",
            "Too few training images to tell a copy from a look-alike; exact copies were looked for.",
            "note",
        )
    recall = "; ".join(f"{change} {share:.0%}" for change, share in between.recall.items())
    passed, of = between.across_classes
    check = f" Compared with other classes alone, {passed} of {of:,} pass." if of else ""
    false = f"By chance {between.expected_false:.2g} of {between.searched:,} test images pass.{check}"
    value = f"{np.mean(list(between.recall.values())):.0%} of those planted"
    if between.recall["JPEG 75"] < TOLD:
        return Finding(
            "near duplicates",
            value,
            f"At {h} x {w} pixels these images are too much alike: re-encoded "
            f"copies cannot be told ({recall}). None found means little. {false}",
            "note",
        )
    return Finding("near duplicates", value, f"{recall}. {false}")


def _counted(found: Duplicates) -> str:
    exact, near = len(np.unique(found.exact[:, 0])), len(np.setdiff1d(found.near[:, 0], found.exact[:, 0]))
    return f"{exact:,} exact, {near:,} near"


def _level(share: float) -> Level:
    return "warning" if share >= MANY else "note" if share > 0 else "ok"


def _clashes(dataset: Dataset, found: dict[str, Duplicates]) -> dict[str, Counts]:
    """Pairs of duplicates with different labels, int64 [P, 2] for each search."""
    train, test = dataset.train.labels, dataset.test.labels
    sides = {"inside train": (train, train), "test in train": (test, train), "inside test": (test, test)}
    out = {}
    for name, d in found.items():
        pairs = np.concatenate([d.exact, d.near])
        out[name] = pairs[sides[name][0][pairs[:, 0]] != sides[name][1][pairs[:, 1]]]
    return out


def _labels(clashes: dict[str, Counts], found: dict[str, Duplicates]) -> Finding:
    total = sum(map(len, clashes.values()))
    if not total:
        return Finding("labels of duplicates", "agree", "No two copies of an image have different labels.")
    exact = sum(
        len({*map(tuple, pairs.tolist())} & {*map(tuple, found[name].exact.tolist())})
        for name, pairs in clashes.items()
    )
    name, pair = next((name, pairs[0]) for name, pairs in clashes.items() if len(pairs))
    look = f"First {name} {pair[0]} and {pair[1]}; audit.json lists all."
    chance = sum(d.expected_false for d in found.values() if d.searched)
    value = f"{exact:,} exact, {total - exact:,} near differ"
    if exact or total > chance:
        return Finding(
            "labels of duplicates",
            value,
            f"One of two is labelled wrong, or near ones only look alike: look at them. {look}",
            "warning",
        )
    return Finding(
        "labels of duplicates",
        value,
        f"No more than chance names ({chance:.0f} pairs), so these may only look alike. {look}",
        "note",
    )


def _groups(dataset: Dataset) -> Finding:
    if dataset.groups is None:
        return Finding(
            "groups",
            "not given",
            "If several images come from one patient or one scene, say so with "
            "data.group: else they may lie on both sides.",
        )
    train, val, test = (np.unique(part) for part in dataset.groups)
    both = np.intersect1d(train, test)
    if not len(both):
        return Finding("groups", f"{len(np.union1d(train, test)):,}", "None is in train and in test.")
    images = int(np.isin(dataset.groups[2], both).sum())
    return Finding(
        "groups",
        f"{len(both):,} on both sides",
        f"{len(both):,} of {len(test):,} test groups "
        f"({images:,} images) are in train as well: errors come out too low. Move each to one side, or join "
        "the splits and let data.holdout part them.",
        "warning",
    )


def _gain(dataset: Dataset, counts: Counts) -> tuple[list[Finding], dict[str, Any]]:
    balanced = _imbalance(counts) > BALANCED
    gain, often = (smallest_gain(counts, balanced, power=power) for power in (0.5, 0.8))
    level: Level = "warning" if gain > WARNED_GAIN else "note" if gain > NOTED_GAIN else "ok"
    more = "" if level == "ok" else " More test images would sharpen the answer."
    rows = [
        Finding(
            "smallest gain shown",
            f"{100 * gain:.1f} points",
            f"{int(counts.sum()):,} test images: a smaller gain cannot be told from none by one pair of "
            f"classifiers, and {100 * often:.1f} points are seen 4 times in 5 (they differ on "
            f"{DISCORDANCE:.0%} of the images, it is assumed).{more}",
            level,
        )
    ]
    by_class = [smallest_gain(counts[[c]], False) if counts[c] else None for c in range(len(counts))]
    if balanced:
        c = int(np.where(counts > 0, counts, counts.max() + 1).argmin())
        rows.append(
            Finding(
                "and in one class",
                f"{100 * (by_class[c] or 0):.1f} points",
                f"{printable(dataset.classes[c])} has {counts[c]:,} test images, the fewest, and weighs as "
                "much as any other class in the balanced error.",
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


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
