"""The planes of real and synthetic images that the page shows, read from quality checks."""

from __future__ import annotations

import json
from typing import Any

from synaug_ray.plan.plan import Plan
from synaug_ray.plan.steps import QualityStep
from synaug_ray.runs.quality_table import overlap
from synaug_ray.store.store import CorruptPayload, Store

MOST = 6  # generators


def planes(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """For each of the first generators its check of the first draw at the most real images; [] in older runs."""
    chosen: dict[str, QualityStep] = {}
    for step in plan.qualities.values():
        name, subset = plan.names[step.pool.key], step.pool.generator.subset
        if subset.draw == 0 and (name not in chosen or _size(chosen[name]) < subset.num_real):
            chosen[name] = step
    chosen = dict(list(chosen.items())[:MOST])
    records = store.records("quality", [step.key for step in chosen.values()])
    found = []
    for name, step in chosen.items():
        if step.key not in records:
            continue
        try:
            check = json.loads(store.read(records[step.key], "quality.json"))
        except CorruptPayload:  # set aside; the next run repeats the check
            continue
        if check.get("plane"):
            about = {"generator": name, "num_real": _size(step), "overlap": overlap(check["domain"])}
            found.append(about | check["plane"])
    return found


def _size(step: QualityStep) -> int:
    return step.pool.generator.subset.num_real
