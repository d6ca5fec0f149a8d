"""The flags of a quality check: what is wrong with a pool, in a word and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from synaug_ray.quality.fidelity import Fidelity
from synaug_ray.quality.intervals import Interval
from synaug_ray.quality.label_fidelity import LabelFidelity
from synaug_ray.quality.memorization import Duplicates, Memorization

CONSTANT = 0.1  # spread about the mean image, relative to that of real images, below which all images count as the same
COLLAPSED = 0.5  # ratio to real images, of distinct images, reached neighbours or recall, below which variety is little
COPIES = 0.05  # excess of near-copies over the base rate, above which a gain may come from repeating real images
IGNORES, CONFUSES = 0.3, 0.8  # label skill below which labels are ignored, and below which they are often wrong
UNREAL = 0.25  # density below which images look unreal; that of real images is 1
FAR = 1.5  # median distance to the nearest training image, relative to held-out real images, above which a pool is far


class Word(StrEnum):
    """The outcome of a quality check. Records contain the values, which therefore must never change."""

    CONSTANT = "constant"
    COLLAPSED = "collapsed"
    COPIES = "copies"
    IGNORES_LABELS = "ignores labels"
    CONFUSES_LABELS = "confuses labels"
    UNREAL = "unreal"
    NOT_JUDGED = "not judged"
    OK = "ok"


@dataclass(frozen=True)
class Flag:
    """A word, and the sentence that the report shows beside a verdict."""

    word: Word
    sentence: str


def find(
    fidelity: Fidelity,
    replay: Fidelity,
    labels: LabelFidelity | None,
    copies: Memorization | None,
    same: Duplicates | None,
) -> tuple[Flag, ...]:
    """All flags, the worst first; "ok" if everything was measured and is fine. A constant pool has no other flag."""
    if same is not None and same.spread < CONSTANT:
        return (
            Flag(
                Word.CONSTANT,
                f"All images are nearly the same: their spread is {same.spread:.0%} of that of real images. "
                "Train the generator again; no result with these images is meaningful.",
            ),
        )
    found = (_collapsed(fidelity, replay, copies, same), _copies(copies), _labels(labels), _unreal(fidelity, copies))
    flags = [flag for flag in found if flag is not None]
    if flags:
        return tuple(flags)
    if None in (labels, copies, same, fidelity.density) or (labels is not None and labels.skill is None):
        return (Flag(Word.NOT_JUDGED, _missing(fidelity, labels, copies, same)),)
    assert labels is not None and copies is not None and same is not None
    warning = " That is more than among real images: do not share the images." if copies.advise_against_sharing else ""
    return (
        Flag(
            Word.OK,
            f"No problem found: {_percent(labels.agreement)} show the requested class (real images: "
            f"{labels.reference.value:.1%}), {_percent(copies.near_copies)} are near-copies (real images: "
            f"{copies.base_rate.value:.1%}).{warning}"
            if labels.reference
            else "No problem found.",
        ),
    )


def _collapsed(
    fidelity: Fidelity, replay: Fidelity, copies: Memorization | None, same: Duplicates | None
) -> Flag | None:
    if same is not None and same.distinct <= COLLAPSED * _distinct_expected(copies, same):
        return Flag(
            Word.COLLAPSED,
            f"Little variety: only {same.distinct:,} of the {same.num_compared:,} images are different (of as many "
            f"real images: {same.distinct_real:,}); more of them add nothing new.",
        )
    if _far(copies):
        return None  # if all images are far from the real ones, their variety cannot be compared
    if same is not None and same.reached <= COLLAPSED * same.reached_real:
        return Flag(
            Word.COLLAPSED,
            f"Little variety: the {same.num_compared:,} images resemble only {same.reached:,} real ones (as many real "
            f"images resemble {same.reached_real:,}).",
        )
    recall, usual, density = fidelity.recall, replay.recall, fidelity.density
    if recall and usual and density and density.value >= UNREAL and recall.high < COLLAPSED * usual.low:
        return Flag(
            Word.COLLAPSED,
            f"Little variety: the images cover {_percent(recall)} of the real ones, the training images alone "
            f"{usual.value:.1%}; more of them add little.",
        )
    return None


def _distinct_expected(copies: Memorization | None, same: Duplicates) -> float:
    """Distinct images expected without a collapse: as many as of real images, or fewer to the extent that it copies."""
    replayed = copies.excess if copies is not None else 1.0
    return (1 - replayed) * same.distinct_real + replayed * min(same.distinct_real, same.distinct_replay)


def _copies(copies: Memorization | None) -> Flag | None:
    if copies is None or not (copies.advise_against_sharing and copies.excess >= COPIES):
        return None
    return Flag(
        Word.COPIES,
        f"{_percent(copies.near_copies)} of the images are near-copies of the "
        f"{copies.num_real:,} training images (real images: {copies.base_rate.value:.1%}): do not share them, "
        "and note that repeating the real images might give the same gain.",
    )


def _labels(labels: LabelFidelity | None) -> Flag | None:
    if labels is None or labels.skill is None or labels.reference is None or labels.skill.high >= CONFUSES:
        return None
    numbers = (
        f"{_percent(labels.agreement)} show it, {labels.reference.value:.1%} of real images, {labels.chance:.1%} with "
        "random labels"
    )
    if labels.skill.high < IGNORES:
        return Flag(Word.IGNORES_LABELS, f"The images hardly depend on the requested class: {numbers}.")
    return Flag(Word.CONFUSES_LABELS, f"The images often show a class other than the one requested: {numbers}.")


def _far(copies: Memorization | None) -> bool:
    return copies is not None and copies.distance_ratio >= FAR


def _unreal(fidelity: Fidelity, copies: Memorization | None) -> Flag | None:
    if copies is not None and _far(copies):
        return Flag(
            Word.UNREAL,
            f"The images look unlike real ones: they are {copies.distance_ratio:.1f} times as far from the training "
            "images as real images are.",
        )
    if fidelity.density is None or fidelity.density.high >= UNREAL:
        return None
    return Flag(
        Word.UNREAL,
        f"The images look unlike real ones: their density is {fidelity.density.value:.2f}, that of real images is 1.",
    )


def _missing(
    fidelity: Fidelity, labels: LabelFidelity | None, copies: Memorization | None, same: Duplicates | None
) -> str:
    missing = [
        name
        for name, value in (("copies", copies), ("duplicates", same), ("labels", labels), ("density", fidelity.density))
        if value is None
    ]
    said = [f"too few images for {', '.join(missing)} (provide more held-out real images, or a larger pool)"]
    said = said if missing else []
    if labels is not None and labels.skill is None and labels.reference is None:
        said.append("too few held-out real images to compare labels with")
    elif labels is not None and labels.reference is not None and labels.skill is None:
        said.append(
            f"the classifiers recognise only {labels.reference.value:.0%} of real images ({labels.chance:.0%} by "
            "chance), too few to tell whether the pool's images show their class"
        )
    return f"Not judged: {'; '.join(said)}."


def _percent(interval: Interval) -> str:
    return f"{interval.value:.1%} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
