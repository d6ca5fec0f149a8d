"""The images of ``data.judge``, if classifiers of another data set are to judge whether a pool shows its classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from synaug_ray.data.audit.searched import searched_images
from synaug_ray.data.images import Dataset, ImageSet, concatenate
from synaug_ray.data.other_source import check_classes, copies_among, load_other, pairs, renumbered
from synaug_ray.plan.subset import DataIdentity


def judge_images(dataset: Dataset, data: DataIdentity, cache: Path) -> tuple[ImageSet | None, str]:
    """Training and validation images of ``data.judge``, with the labels of ``dataset``; None for ``full``. And a note.

    Images that are also test images of ``dataset``, or near copies of them, are left out.

    Raises:
        DataProblem: if they cannot be read, have another size or mode, or lack a class.
    """
    if data.judge is None:
        return None, ""
    judge, number = load_other(data.judge, dataset, "judge", cache)
    images, _ = renumbered(concatenate(judge.train, judge.val), number)
    theirs, ours = searched_images(data.judge, judge, cache), searched_images(data, dataset, cache)
    searched = images if theirs is judge else renumbered(concatenate(theirs.train, theirs.val), number)[0]
    tested = copies_among(searched, ours.test, f"judges 1 {data.judge.key} {data.key}", cache)
    images = images.take(np.setdiff1d(np.arange(len(images)), tested))
    check_classes(images, dataset, judge.name, "judge", "test")
    matched = pairs(judge, dataset)
    return images, f"data.judge: {matched}" if matched else ""
