"""The images among which an audit searches for copies: those of the data set, or the same ones larger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from synaug_ray.common.errors import DataProblem
from synaug_ray.data.audit.rows import parts_of
from synaug_ray.data.images import Dataset
from synaug_ray.data.load import load
from synaug_ray.plan.subset import DataIdentity


def searched_images(data: DataIdentity, dataset: Dataset, cache: Path) -> Dataset:
    """The images of ``dataset`` at ``data.audit_size`` pixels a side; ``dataset`` itself without that option.

    Reduced to a few pixels, different images look alike, and copies of an image that were cropped or saved again
    cannot be told from them. Image i of a split is the same image in both.

    Raises:
        DataProblem: as ``load`` does.
    """
    size = data.options.audit_size
    if size is None:
        return dataset
    options = data.options.model_copy(update={"size": size, "audit_size": None})
    larger = load(replace(data, options=options), cache)
    pairs = zip(parts_of(dataset), parts_of(larger), strict=True)
    if not all(np.array_equal(one.labels, other.labels) for (_, one), (_, other) in pairs):
        raise DataProblem(
            f"{dataset.name}: read at {size} pixels (data.audit_size) it has other images than at {data.options.size}; "
            "it changed while it was read. Give the same command again",
            code="data-changed",
        )
    return larger
