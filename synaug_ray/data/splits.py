"""Assignment of images to train, val and test if a source has no such splits: stratified, and by group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.sources.base import SPLITS, Source

VAL_SHARE = 0.1  # of the images left for training


def assign(
    source: Source,
    options: DataOptions,
    labels: Mapping[str, NDArray[np.int64]],
    groups: Mapping[str, NDArray[np.int64]] | None,
) -> dict[str, NDArray[np.int8]]:
    """For each part of a source, the split of each of its images: int8 [N], an index into ``SPLITS``.

    A part keeps its images, except those held out for a missing split.

    Raises:
        DataProblem: if there are too few images or groups to hold any out.
    """
    train, val, test = range(3)
    to = {part: np.full(len(labels[part]), SPLITS.index(part), np.int8) for part in source.parts}

    def hold_out(part: str, split: int, count: int, seed: int) -> None:
        left = np.flatnonzero(to[part] == SPLITS.index(part))
        of = groups[part][left] if groups else None
        to[part][left[held_out(labels[part][left], of, count, seed, source.classes)]] = split

    if "test" not in source.parts:
        count = source.held[0] if source.held else round(options.holdout * len(labels["train"]))
        hold_out("train", test, count, options.split_seed)
    if "val" not in source.parts and source.val_of_test and "test" in source.parts:
        hold_out("test", val, max(len(source.classes), len(labels["test"]) // 10), options.split_seed)
    elif "val" not in source.parts:
        left = int((to["train"] == train).sum())
        hold_out("train", val, source.held[1] if source.held else round(VAL_SHARE * left), options.split_seed + 1)
    return to


def held_out(
    labels: NDArray[np.int64], groups: NDArray[np.int64] | None, count: int, seed: int, classes: tuple[str, ...]
) -> NDArray[np.int64]:
    """Indices of about ``count`` images (exactly, without groups) in class proportion, ascending.

    Raises:
        DataProblem: if a class has too few images or groups for both sides.
    """
    counts = np.bincount(labels, minlength=len(classes))
    units = counts
    if groups is not None:
        pairs = np.unique(np.stack([labels, groups]), axis=1)
        units = np.bincount(pairs[0], minlength=len(classes))
    rare = np.flatnonzero((counts > 0) & (units < 2))
    if len(rare):
        what = "image" if groups is None else "group"
        raise DataProblem(
            f"{len(rare):,} of {len(classes):,} classes have only one {what} "
            f"({some(classes[c] for c in rare)}): too few to hold any out; add images, or provide the "
            "splits yourself (train, val and test)",
            code="too-few-images",
        )
    present = int((counts > 0).sum())
    count = max(count, present)
    if len(labels) - count < present:
        raise DataProblem(
            f"{len(labels):,} images of {present:,} classes are too few to hold {count:,} out; add "
            "images, or provide the splits yourself (train, val and test)",
            code="too-few-images",
        )
    if groups is None:
        from sklearn.model_selection import train_test_split

        _, held = train_test_split(np.arange(len(labels)), test_size=count, stratify=labels, random_state=seed)
        return np.sort(held)
    held = _held_groups(labels, groups, count / len(labels), seed)
    if not held.any():
        raise DataProblem(
            f"no group can be held out: {len(np.unique(groups)):,} groups of {len(labels):,} images are "
            f"too large for {count / len(labels):.0%} of the images; raise data.holdout, or provide the "
            "splits yourself",
            code="groups-too-large",
        )
    return np.flatnonzero(held)


def _held_groups(labels: NDArray[np.int64], groups: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Whole groups, in a seeded order, each held out if that brings the class shares closer to the target.

    Not largest first, which would fill the test set with the patients that have the most images.
    """
    names, member = np.unique(groups, return_inverse=True)
    order = np.argsort(member, kind="stable")
    edges = np.searchsorted(member[order], np.arange(len(names) + 1))
    total = np.bincount(labels).astype(float)
    lacking = share * total
    left = total.copy()
    held = np.zeros(len(labels), bool)
    for g in np.random.default_rng(seed).permutation(len(names)):
        mine = order[edges[g] : edges[g + 1]]
        found, many = np.unique(labels[mine], return_counts=True)
        gain = (many * (2 * lacking[found] - many) / total[found] ** 2).sum()  # of squared distances to the shares
        if gain > 0 and (left[found] > many).all():
            held[mine] = True
            lacking[found] -= many
            left[found] -= many
    return held
