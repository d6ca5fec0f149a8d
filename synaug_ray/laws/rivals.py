"""Does a learnt generator beat plain jitter of the real images? Paired, cell by cell, where both ran."""

from __future__ import annotations

import numpy as np

from synaug_ray.laws import bootstrap
from synaug_ray.laws.sentences import CONTROLS
from synaug_ray.laws.table import Table

JITTER = "jitter"


def jitter_rivals(
    table: Table, *, confidence: float, rng: np.random.Generator, replicates: int
) -> dict[str, bool]:
    """Per learnt generator with cells where jitter ran too: whether it surely beats jitter in any of them.

    Compared at the same classifier, protocol, real share and amount, with intervals that hold for all
    these cells at once. Empty where there are no intervals (one draw, or ``replicates`` 0).
    """
    if len(table.draws) < 2 or not replicates:
        return {}
    jitter = {
        (*cell.study._replace(generator=""), cell.num_real, cell.num_synthetic): cell
        for cell in table.mixed
        if table.kinds[cell.study.generator].family == JITTER
    }
    names, sizes, values = [], [], []
    for cell in table.mixed:
        rival = jitter.get((*cell.study._replace(generator=""), cell.num_real, cell.num_synthetic))
        if rival is None or table.kinds[cell.study.generator].family in CONTROLS:
            continue
        difference = cell.gains - rival.gains
        if (~np.isnan(difference[:, 0])).sum() > 1:
            names.append(cell.study.generator)
            sizes.append(np.log(cell.num_real))
            values.append(difference)
    if not values:
        return {}
    parts = bootstrap.components(
        np.stack(values), table.image_weights, table.strata, len(table.draws) * len(table.seeds)
    )
    errors = bootstrap.moderate(parts, np.array(sizes))
    quantile = bootstrap.simultaneous_quantile(
        parts, errors, np.array(sizes), 1 - (1 - confidence) / 2, replicates, rng
    )
    beats = parts.estimates - quantile * errors.error > 0
    return {
        name: bool(beats[[i for i, other in enumerate(names) if other == name]].any()) for name in set(names)
    }
