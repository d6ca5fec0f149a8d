"""Which top folders are splits; those that only look like splits are refused, since nobody means them as classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from synaug_ray.common.errors import Message
from synaug_ray.common.text import printable, some
from synaug_ray.data.sources.base import SPLITS
from synaug_ray.data.sources.split_words import SPLIT_NAMES, splits_in
from synaug_ray.data.sources.walk import Walk


def split_folders(found: Walk, problems: list[Message]) -> list[str]:
    """The splits among the top folders, in the order of ``SPLITS``; folders that only look like one are problems."""
    top = sorted({name.partition("/")[0] for name in found.folders})
    splits = [s for s in SPLITS if s in top]
    at = printable(str(found.root))
    if alike := _alike(found, top, splits):
        images = Counter(name.partition("/")[0] for name in found.files)
        each = some((f"{t} ({images[t]:,} images)" for t in alike), 8)
        text = f"{at} has folders named {each}: name the splits exactly train, val and test"
        problems.append(Message(text, code="split-names", value=some(alike, 8)))
    elif not splits and (inner := _inside_classes(found, top)):
        text = (
            f"{at} has the splits inside the classes ({some(inner)}): put the classes inside the splits, as in "
            f"train/{printable(top[0])}"
        )
        problems.append(Message(text, code="splits-inside-classes", value=some(inner)))
    elif splits and "train" not in splits:
        text = f"{at} has {' and '.join(splits)} but no train; expected {at}/train/<class>/, or only {at}/<class>/"
        problems.append(Message(text, code="no-train-split", value=some(splits)))
    return splits


def _alike(found: Walk, top: Sequence[str], splits: Sequence[str]) -> list[str]:
    """Top folders whose names suggest a split without being exactly one, and that are not classes."""
    of = {t: splits_in(t) for t in top if t not in SPLITS and splits_in(t)}
    nested = {name.partition("/")[0] for name in found.files if name.count("/") > 1}
    several = len(set().union(*of.values())) > 1
    named_so = [t for t in of if t.lower() in SPLIT_NAMES and t.lower() != "dev"]
    if splits:  # other images, outside any class folder, are left out, which a note says
        return sorted({*named_so, *(t for t in of if t in nested)})
    return sorted(t for t in of if several or t in nested or t in named_so)


def _inside_classes(found: Walk, top: Sequence[str]) -> list[str]:
    """Folders such as cat/train, if every class has some and they name several splits."""
    inside = {name.rpartition("/")[0] for name in found.files if name.count("/") == 2}
    named = sorted(f for f in inside if splits_in(f.split("/")[1]))
    splits = set().union(*(splits_in(f.split("/")[1]) for f in named))
    return named if len(splits) > 1 and {f.split("/")[0] for f in named} == {*top} else []
