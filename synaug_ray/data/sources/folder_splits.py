"""Which folders at the top are splits, and which only look so: as classes they would make data that nobody intended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from synaug_ray.common.text import printable, some
from synaug_ray.data.sources.base import SPLITS
from synaug_ray.data.sources.split_words import SPLIT_NAMES, splits_in
from synaug_ray.data.sources.walk import Walk


def split_folders(found: Walk, problems: list[str]) -> list[str]:
    """The splits among the top folders, in the order of ``SPLITS``; what only looks like one goes to ``problems``."""
    top = sorted({name.partition("/")[0] for name in found.folders})
    splits = [s for s in SPLITS if s in top]
    at = printable(str(found.root))
    if alike := _alike(found, top, splits):
        images = Counter(name.partition("/")[0] for name in found.files)
        each = some((f"{t} ({images[t]:,} images)" for t in alike), 8)
        problems.append(f"{at} has folders named {each}: name the splits train, val and test, exactly")
    elif not splits and (inner := _inside_classes(found, top)):
        problems.append(
            f"{at} has the splits inside the classes ({some(inner)}): put the classes inside the splits, as "
            f"train/{printable(top[0])}"
        )
    elif splits and "train" not in splits:
        problems.append(
            f"{at} has {' and '.join(splits)} but no train; expected {at}/train/<class>/, or {at}/<class>/ alone"
        )
    return splits


def _alike(found: Walk, top: Sequence[str], splits: Sequence[str]) -> list[str]:
    """Top folders that speak of a split without being named as one, and are no classes."""
    of = {t: splits_in(t) for t in top if t not in SPLITS and splits_in(t)}
    nested = {name.partition("/")[0] for name in found.files if name.count("/") > 1}
    several = len(set().union(*of.values())) > 1
    named_so = [t for t in of if t.lower() in SPLIT_NAMES and t.lower() != "dev"]
    if splits:  # flat images beside them, in no class folder, are said to be left out
        return sorted({*named_so, *(t for t in of if t in nested)})
    return sorted(t for t in of if several or t in nested or t in named_so)


def _inside_classes(found: Walk, top: Sequence[str]) -> list[str]:
    """Folders such as cat/train, where every class has them and they tell several splits."""
    inside = {name.rpartition("/")[0] for name in found.files if name.count("/") == 2}
    speaking = sorted(f for f in inside if splits_in(f.split("/")[1]))
    told = set().union(*(splits_in(f.split("/")[1]) for f in speaking))
    return speaking if len(told) > 1 and {f.split("/")[0] for f in speaking} == {*top} else []
