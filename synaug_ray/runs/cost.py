"""What a plan will cost: from the Store's own records, else from a few seconds of the work on this machine
(``runs.timings``), else from earlier measurements."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from synaug_ray.common.text import duration
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, LATENT, SAMPLERS
from synaug_ray.plan.plan import Plan
from synaug_ray.plan.step import Stage, Step
from synaug_ray.plan.steps import GeneratorStep, TrialStep
from synaug_ray.store.store import Store

LABEL_BYTES, PREDICTION_BYTES = 8, 8  # int64; two uint16 and a float32
STEP_BYTES = 16_384  # a record, its folders and what the last block of a file leaves empty
PLURAL: dict[Stage, str] = {
    "generator": "generators",
    "shard": "shards",
    "features": "features",
    "quality": "qualities",
    "trial": "trials",
}
STATE_NETWORKS = 4  # weights, their average, and two moments of the optimiser: the end of a training that can go on
SAMPLE = 30  # Records read per recipe: more would hardly change the median


@dataclass(frozen=True)
class Figure:
    """Seconds per image, of one core or GPU, and the factor by which they may be wrong in either direction."""

    seconds: float
    spread: float


FEATURE_BYTES = 2 * 1_280  # of an image, in half precision: those of a usual network
HEAD_SECONDS = 3e-4  # for an image, of a head that is fitted to features: tests/benchmarks/frozen.md
RECORDED, TIMED, ELSEWHERE, SCALED = 1.2, 1.5, 2.0, 3.0  # the factors: see tests/benchmarks/plan_costs.md


def pool_key(generator: str, sampler: str) -> str:
    """``cost_key`` of the shards of two presets."""
    return f"{GENERATORS[generator].any_length_key} {SAMPLERS[sampler].key if sampler in SAMPLERS else LATENT.key}"


# core-seconds for 1,000 images seen (or sampled) on one core of a 2 GHz-class server CPU, torch 2.15, one thread:
# measured 2026-11-21 on digits, and valid for images of that shape only (shards of 28x28 X-rays took ten times as
# long).
MEASURED_SHAPE = (1, 8, 8)
MEASURED: dict[str, float] = {
    GENERATORS["edm-tiny"].any_length_key: 0.95,
    GENERATORS["edm-smoke"].any_length_key: 0.95,
    pool_key("edm-tiny", "dpmpp-8"): 3.6,
    pool_key("edm-smoke", "dpmpp-8"): 3.6,
    # measured on a busy machine, so rather too high:
    GENERATORS["ddpm-tiny"].any_length_key: 1.4,
    GENERATORS["gan-tiny"].any_length_key: 1.05,
    pool_key("ddpm-tiny", "ddim-50"): 22.0,
    pool_key("gan-tiny", "latent"): 0.15,
    CLASSIFIERS["mlp"].any_length_key: 0.006,  # and of mlp-smoke
    "quality": 15.0,  # 3 s a pool of 200 images; most of it trains the label classifiers
}
NONE: Mapping[str, Figure] = MappingProxyType({})


@dataclass(frozen=True)
class Cost:
    """Seconds of one stage, of one core or GPU; for ``unknown`` steps there is neither a record nor a measurement."""

    steps: int
    seconds: float
    unknown: int
    unknown_of: tuple[str, ...] = ()  # the recipes of these, by name
    low: float = 0.0  # the ends of an honest range; 0 where none was given
    high: float = 0.0


class RecordedRates:
    """The seconds per image of a plan's finished steps. A stage's Records are read once, when they are first needed."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self._store = plan, store
        self._read: dict[Stage, dict[str, Figure]] = {}

    def of(self, stage: Stage) -> Mapping[str, Figure]:
        """The median of a sample of Records, by ``cost_key``."""
        if stage not in self._read:
            self._read[stage] = self._medians(stage)
        return self._read[stage]

    def _medians(self, stage: Stage) -> dict[str, Figure]:
        done, sample = self._store.keys(stage), {}
        for key, step in self.plan.steps(stage).items():
            keys = sample.setdefault(step.cost_key, [])
            if key in done and len(keys) < SAMPLE:
                keys.append(key)
        records = self._store.records(stage, [key for keys in sample.values() for key in keys])
        seconds = {
            cost_key: [
                r.result["cpu_seconds"] / r.result["nimg"]
                for key in keys
                if (r := records.get(key)) is not None and r.result["nimg"]
            ]
            for cost_key, keys in sample.items()
        }
        return {key: Figure(statistics.median(found), RECORDED) for key, found in seconds.items() if found}


def costs(
    recorded: RecordedRates,
    missing: Plan,
    shape: tuple[int, int, int] | None,
    timed: Mapping[str, Figure] = NONE,
) -> dict[Stage, Cost]:
    """Expected cost of ``missing``, by stage.

    Args:
        recorded: of the whole plan.
        shape: (channels, height, width) of the images; None if only the images can tell. Without it, and for any shape
            but that of ``MEASURED``, only the Store's Records and ``timed`` are used.
        timed: figures of this machine, by ``cost_key``.
    """
    return {
        stage: cost_of(recorded, stage, list(missing.steps(stage).values()), shape, timed)
        for stage in recorded.plan.stages
    }


def cost_of(
    recorded: RecordedRates,
    stage: Stage,
    steps: Sequence[Step],
    shape: tuple[int, int, int] | None,
    timed: Mapping[str, Figure] = NONE,
) -> Cost:
    """Expected cost of some ``steps`` of one stage; other arguments as of ``costs``."""
    if not steps:  # so that no Records are read
        return Cost(0, 0.0, 0)
    rate = _rates(recorded, stage, shape, timed)
    rated = [(s, rate(s)) for s in steps]
    before = _seen_before(recorded.plan) if stage == "generator" else {}
    known = [((s.images_seen - before.get(s.key, 0.0)) * f.seconds, f.spread) for s, f in rated if f is not None]
    return Cost(
        len(rated),
        sum(seconds for seconds, _ in known),
        len(rated) - len(known),
        tuple(sorted({s.cost_name for s, f in rated if f is None})),
        sum(seconds / spread for seconds, spread in known),
        sum(seconds * spread for seconds, spread in known),
    )


def expected_seconds(
    recorded: RecordedRates, shape: tuple[int, int, int] | None, timed: Mapping[str, Figure] = NONE
) -> Callable[[Step], float | None]:
    """The expected time of each step of a plan, in seconds of one core or GPU; arguments as of ``costs``."""
    rates = {stage: _rates(recorded, stage, shape, timed) for stage in recorded.plan.stages}
    before = _seen_before(recorded.plan)

    def seconds(step: Step) -> float | None:
        figure = rates[step.stage](step)
        return None if figure is None else figure.seconds * (step.images_seen - before.get(step.key, 0.0))

    return seconds


def untimed(recorded: RecordedRates, missing: Plan, shape: tuple[int, int, int] | None) -> list[Step]:
    """The missing steps for whose kind there is neither a Record nor a measurement in ``MEASURED``."""
    found: list[Step] = []
    for stage in missing.stages:
        if steps := missing.steps(stage).values():  # otherwise no Records need to be read
            rate = _rates(recorded, stage, shape, NONE)
            found += [step for step in steps if rate(step) is None]
    return found


def _seen_before(plan: Plan) -> dict[str, float]:
    """For generators that continue a shorter training, by key: the images that the shorter one has already seen."""
    courses: dict[str, list[GeneratorStep]] = {}
    for step in plan.generators.values():
        if step.course:
            courses.setdefault(step.course, []).append(step)
    ordered = (sorted(steps, key=lambda step: step.images_seen) for steps in courses.values())
    return {longer.key: shorter.images_seen for steps in ordered for shorter, longer in pairwise(steps)}


def _rates(
    recorded: RecordedRates,
    stage: Stage,
    shape: tuple[int, int, int] | None,
    timed: Mapping[str, Figure],
) -> Callable[[Step], Figure | None]:
    known = recorded.of(stage)
    figures = MEASURED if shape == MEASURED_SHAPE else {}

    def rate(step: Step) -> Figure | None:
        if not step.images_seen:
            return Figure(0.0, 1.0)
        key = step.cost_key
        if isinstance(step, TrialStep) and step.classifier.frozen:
            return known.get(key, Figure(HEAD_SECONDS, ELSEWHERE))
        elsewhere = Figure(figures[key] / 1000, ELSEWHERE) if key in figures else None
        return known.get(key, timed.get(key, elsewhere))

    return rate


def describe_cost(cost: Cost, unit: str = "core") -> str:
    """One stage's cost as a plan shows it."""
    if not cost.steps:
        return "nothing to do"
    known = f"about {duration(cost.seconds)} of one {unit}"
    if not cost.unknown:
        return known
    return f"cost unknown for {cost.unknown:,}: the first of their kind" + (
        f", {known} for the others" if cost.seconds else ""
    )


def describe_total_cost(table: Mapping[Stage, Cost], unit: str = "core") -> str:
    """The cost of all stages with its range: what is known, and what is not included."""
    seconds = sum(cost.seconds for cost in table.values())
    low, high = sum(cost.low for cost in table.values()), sum(cost.high for cost in table.values())
    unknown = [f"{PLURAL[stage]} of {', '.join(cost.unknown_of)}" for stage, cost in table.items() if cost.unknown]
    about = f"about {duration(seconds)} of one {unit}"
    if seconds and high:
        about += f" ({duration(low)} to {duration(high)})"
    if not unknown:
        return about
    known = f"{about}, plus " if seconds else "unknown: "
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
    ends = {g.course: STATE_NETWORKS * _network_bytes(g) for g in missing.generators.values() if g.course}
    steps = len(missing.shards) + len(missing.trials) + len(missing.generators) + len(missing.features)
    features = round(sum(step.images_seen for step in missing.features.values()) * FEATURE_BYTES)
    return features + shards + trials + generators + sum(ends.values()) + steps * STEP_BYTES


def _network_bytes(step: GeneratorStep) -> int:
    """Weights of a U-Net in float32, by its 3x3 convolutions; the rest of it is a quarter of these, within a tenth."""
    widths, blocks = getattr(step.recipe, "channels", ()), getattr(step.recipe, "layers_per_block", 1)
    if not widths:
        return 0
    ways = sum(width**2 * (18 * blocks + 27 * (blocks + 1)) for width in widths)  # down, and up with what is skipped
    return round(4 * 1.25 * (ways + 36 * widths[-1] ** 2))
