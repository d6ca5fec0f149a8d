"""What a plan will cost in core-seconds: from the Store's own records, else from earlier measurements."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from synaug_ray.common.text import duration
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, LATENT, SAMPLERS
from synaug_ray.plan.plan import Plan
from synaug_ray.plan.steps import STAGES, GeneratorStep, Stage, Step
from synaug_ray.store.store import Store

LABEL_BYTES, PREDICTION_BYTES = 8, 8  # int64; two uint16 and a float32
STEP_BYTES = 16_384  # a record, its folders and what the last block of a file leaves empty
PLURAL: dict[Stage, str] = {"generator": "generators", "shard": "shards", "quality": "qualities", "trial": "trials"}
SAMPLE = 30  # records read per recipe: more would not change the median that is shown

# core-seconds for 1,000 images seen (or sampled) on one core of a 2 GHz-class server CPU, torch 2.15, one thread:
# measured 2026-11-21 on digits, and valid for images of that shape only (shards of 28x28 X-rays took ten times as
# long). Recipes not listed are unknown.
MEASURED_SHAPE = (1, 8, 8)
MEASURED: dict[str, float] = {
    GENERATORS["edm-tiny"].key: 0.95,
    GENERATORS["edm-smoke"].key: 0.95,
    SAMPLERS["dpmpp-8"].key: 3.6,
    # measured on a busy machine, so rather too high:
    GENERATORS["ddpm-tiny"].key: 1.4,
    GENERATORS["gan-tiny"].key: 1.05,
    SAMPLERS["ddim-50"].key: 22.0,
    LATENT.key: 0.15,
    CLASSIFIERS["mlp"].key: 0.006,
    CLASSIFIERS["mlp-smoke"].key: 0.006,
    "quality": 15.0,  # 3 s a pool of 200 images; most of it trains the label classifiers
}


@dataclass(frozen=True)
class Cost:
    """Core-seconds of one stage; for ``unknown`` steps there is neither a record nor a measurement."""

    steps: int
    seconds: float
    unknown: int
    unknown_of: tuple[str, ...] = ()  # the recipes of these, by name


def costs(plan: Plan, missing: Plan, store: Store, shape: tuple[int, int, int] | None) -> dict[Stage, Cost]:
    """Expected cost of ``missing``, by stage.

    Args:
        shape: (channels, height, width) of the images, None where only they can tell. Without it, and for any shape
            but the measured one, the Store's records alone count.
    """
    figures = MEASURED if shape == MEASURED_SHAPE else {}
    table: dict[Stage, Cost] = {}
    for stage in STAGES:
        steps = list(missing.steps(stage).values())
        if not steps:  # nothing to read records for
            table[stage] = Cost(0, 0.0, 0)
            continue
        rate = _rates(plan, store, stage, figures)
        rated = [(s, rate(s)) for s in steps]
        known = [s.images_seen * r for s, r in rated if r is not None]
        unknown_of = sorted({s.cost_name for s, r in rated if r is None})
        table[stage] = Cost(len(steps), sum(known), len(steps) - len(known), tuple(unknown_of))
    return table


def _rates(plan: Plan, store: Store, stage: Stage, figures: dict[str, float]) -> Callable[[Step], float | None]:
    done, sample = store.keys(stage), {}
    for key, step in plan.steps(stage).items():
        keys = sample.setdefault(step.cost_key, [])
        if key in done and len(keys) < SAMPLE:
            keys.append(key)
    records = store.records(stage, [key for keys in sample.values() for key in keys])
    seen = {
        cost_key: [
            r.result["cpu_seconds"] / r.result["nimg"]
            for key in keys
            if (r := records.get(key)) is not None and r.result["nimg"]
        ]
        for cost_key, keys in sample.items()
    }
    known = {key: statistics.median(found) for key, found in seen.items() if found}

    def rate(step: Step) -> float | None:
        if not step.images_seen:
            return 0.0
        key = step.cost_key
        return known.get(key, figures[key] / 1000 if key in figures else None)

    return rate


def describe_cost(cost: Cost) -> str:
    """One stage's cost as a plan shows it."""
    if not cost.steps:
        return "nothing to do"
    known = f"about {duration(cost.seconds)} of one core"
    if not cost.unknown:
        return known
    return f"cost unknown for {cost.unknown:,}: the first of their kind" + (
        f", {known} for the others" if cost.seconds else ""
    )


def describe_total_cost(table: dict[Stage, Cost]) -> str:
    """The cost of all stages: what is known, and what is not included."""
    seconds = sum(cost.seconds for cost in table.values())
    unknown = [f"{PLURAL[stage]} of {', '.join(cost.unknown_of)}" for stage, cost in table.items() if cost.unknown]
    if not unknown:
        return f"about {duration(seconds)} of one core"
    known = f"about {duration(seconds)} of one core, plus " if seconds else "unknown: "
    return f"{known}{'; '.join(unknown)} (no timing available; the first one gives it)"


def disk_bytes(missing: Plan, shape: tuple[int, int, int], num_test: int) -> int:
    """About how much the Store will grow by.

    Args:
        shape: (channels, height, width) of the images.
        num_test: test images, of which each trial keeps label, prediction and probability.
    """
    pixels = shape[0] * shape[1] * shape[2]
    shards = sum(s.sampler.shard_size * (pixels + LABEL_BYTES) for s in missing.shards.values())
    trials = len(missing.trials) * num_test * PREDICTION_BYTES
    generators = sum(_network_bytes(g) for g in missing.generators.values())
    steps = len(missing.shards) + len(missing.trials) + len(missing.generators)
    return shards + trials + generators + steps * STEP_BYTES


def _network_bytes(step: GeneratorStep) -> int:
    """Weights of a U-Net in float32, by its 3x3 convolutions; the rest of it is a quarter of these, within a tenth."""
    widths, blocks = getattr(step.recipe, "channels", ()), getattr(step.recipe, "layers_per_block", 1)
    if not widths:
        return 0
    ways = sum(width**2 * (18 * blocks + 27 * (blocks + 1)) for width in widths)  # down, and up with what is skipped
    return round(4 * 1.25 * (ways + 36 * widths[-1] ** 2))
