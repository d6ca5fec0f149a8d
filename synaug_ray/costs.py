"""What a plan will cost in core-seconds: from the Store's own records, else from figures measured before."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from synaug_ray.plan import Plan
from synaug_ray.recipes import CLASSIFIERS, GENERATORS, SAMPLERS, EDMRecipe
from synaug_ray.steps import STAGES, GeneratorStep, ShardStep, Stage, Step, TrialStep
from synaug_ray.store import Store

SAMPLE = 30  # records read per recipe: more would not change a median that a plan is shown with

# core-seconds for 1,000 images seen (or sampled) on one core of a 2 GHz-class server CPU, 8x8 grey images,
# torch 2.15, one thread: measured 2026-11-21 by the first digits run. Recipes not listed are unknown.
MEASURED: dict[str, float] = {
    GENERATORS["edm-tiny"].key: 0.95, GENERATORS["edm-smoke"].key: 0.95,
    SAMPLERS["dpmpp-8"].key: 3.6,
    CLASSIFIERS["mlp"].key: 0.006, CLASSIFIERS["mlp-smoke"].key: 0.006,
}


@dataclass(frozen=True)
class Cost:
    """Core-seconds of one stage; ``unknown`` steps have neither records nor measured figures."""

    steps: int
    seconds: float
    unknown: int


def recipe_key(step: Step) -> str:
    """The recipe that a step's cost per image is a property of."""
    if isinstance(step, GeneratorStep):
        return step.recipe.key
    if isinstance(step, ShardStep):
        return step.sampler.key
    assert isinstance(step, TrialStep)
    return step.classifier.key


def images_of(step: Step) -> float:
    """Images that a step sees or makes."""
    if isinstance(step, GeneratorStep):
        if not isinstance(step.recipe, EDMRecipe):
            return 0
        passes = step.recipe.max_passes
        return min(step.recipe.nimg, passes * step.subset.num_real) if passes else step.recipe.nimg
    if isinstance(step, ShardStep):
        return step.sampler.shard_size if step.sampler.family != "replay" else 0
    assert isinstance(step, TrialStep)
    return step.classifier.nimg


def costs(plan: Plan, missing: Plan, store: Store) -> dict[Stage, Cost]:
    """Expected cost of ``missing``, by stage."""
    table: dict[Stage, Cost] = {}
    for stage in STAGES:
        rate = _rates(plan, store, stage)
        steps = list(missing.steps(stage).values())
        known = [images_of(s) * r for s in steps if (r := rate(s)) is not None]
        table[stage] = Cost(len(steps), sum(known), len(steps) - len(known))
    return table


def _rates(plan: Plan, store: Store, stage: Stage) -> Callable[[Step], float | None]:
    done, seen = store.keys(stage), {}
    for key, step in plan.steps(stage).items():
        found = seen.setdefault(recipe_key(step), [])
        if key in done and len(found) < SAMPLE:
            result = store.record(stage, key).result
            if result["nimg"]:
                found.append(result["cpu_seconds"] / result["nimg"])
    known = {key: statistics.median(found) for key, found in seen.items() if found}

    def rate(step: Step) -> float | None:
        if not images_of(step):
            return 0.0
        key = recipe_key(step)
        return known.get(key, MEASURED[key] / 1000 if key in MEASURED else None)

    return rate


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
