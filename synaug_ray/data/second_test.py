"""The images of ``data.test2``, another source on which every trial is measured too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from synaug_ray.common.text import printable
from synaug_ray.data.audit.searched import searched_images
from synaug_ray.data.images import Dataset, ImageSet, concatenate
from synaug_ray.data.load import open_source, settled
from synaug_ray.data.other_source import check_classes, copies_among, load_other, pairs, renumbered
from synaug_ray.plan.subset import DataIdentity


def with_second_test(dataset: Dataset, data: DataIdentity, cache: Path) -> Dataset:
    """The data set with the test images of ``data.test2``, or all its images where it has no test split.

    Images of classes that the data set lacks are left out, and images that are also training or validation images of
    the data set, or near copies of them. A note says which images these are, and how many were left out. A change of
    these rules raises ``plan.steps.SECOND_TEST``.

    Raises:
        DataProblem: if they cannot be read, have another size or mode, or lack a class: errors on fewer classes could
            not be compared with those on the first test set.
    """
    if data.test2 is None:
        return dataset
    other, number = load_other(data.test2, dataset, "test2", cache)
    split = "test" in open_source(settled(data.test2, cache), cache).parts
    every = _asked(other, split)
    groups = None if other.groups is None else other.groups[2] if split else np.concatenate(other.groups)
    images, known = renumbered(every, number)
    theirs, ours = searched_images(data.test2, other, cache), searched_images(data, dataset, cache)
    searched = images if theirs is other else renumbered(_asked(theirs, split), number)[0]
    trained = concatenate(ours.train, ours.val)
    copies = copies_among(searched, trained, f"second_tests 1 {data.test2.key} {data.key}", cache)
    kept = np.setdiff1d(np.arange(len(images)), copies)
    check_classes(images.take(kept), dataset, other.name, "test2", "training")
    note = (
        f"every trial is measured on {'the test images' if split else 'all images'} of "
        f"{printable(data.test2.source)} too (data.test2): {len(kept):,}"
    )
    if matched := pairs(other, dataset):
        note += f"; {matched}"
    if len(known) < len(every):
        note += f"; {len(every) - len(known):,} of classes that {dataset.name} lacks are left out"
    if len(copies):
        note += f"; {len(copies):,} that are also training images here, or near copies of them, are left out"
    if groups is None and dataset.groups is not None:
        note += "; no groups (data.group) are known of them, so that each counts as independent of the others"
    return replace(
        dataset,
        test2=images.take(kept),
        test2_groups=None if groups is None else groups[known][kept],
        notes=(*dataset.notes, note),
    )


def _asked(other: Dataset, split: bool) -> ImageSet:
    """Its test images, or all where it has none of its own."""
    return other.test if split else concatenate(concatenate(other.train, other.val), other.test)
