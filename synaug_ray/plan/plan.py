"""Turn a GridSpec into deduplicated steps, and find those missing in a Store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from synaug_ray.config.cells import TRAINING_CHECK, CellSpec
from synaug_ray.config.generator_recipes import GeneratorRecipe, HybridRecipe
from synaug_ray.config.presets import sampler_of
from synaug_ray.config.protocols import JOINT, SHARED
from synaug_ray.config.spec import GridSpec
from synaug_ray.plan.hybrid import HybridPool
from synaug_ray.plan.joint import HeadStep
from synaug_ray.plan.step import STAGES, Stage, Step
from synaug_ray.plan.steps import GeneratorStep, Pool, QualityStep, ShardStep, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset

QUALITY_IMAGES = 1_000  # at most, per quality check: shares are then known within 3 points


@dataclass(frozen=True)
class Row:
    """A row of the measurement table: a cell's labels and the Trial that measures it."""

    cell: CellSpec
    trial: TrialStep


@dataclass(frozen=True)
class Plan:
    """The steps of a grid, deduplicated by key, in the order of the grid."""

    data: DataIdentity
    generators: dict[str, GeneratorStep] = field(default_factory=dict)
    shards: dict[str, ShardStep] = field(default_factory=dict)
    trials: dict[str, TrialStep] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    names: dict[str, str] = field(default_factory=dict)  # of generators and of pools in the grid, by key
    qualities: dict[str, QualityStep] = field(default_factory=dict)
    features: dict[str, Step] = field(default_factory=dict)  # of frozen networks

    def steps(self, stage: Stage) -> dict[str, Step]:
        """The steps of one stage by key."""
        return dict(
            {
                "generator": self.generators,
                "shard": self.shards,
                "features": self.features,
                "quality": self.qualities,
                "trial": self.trials,
            }[stage]
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Its stages: features are of grids with frozen networks alone."""
        return tuple(stage for stage in STAGES if stage != "features" or self.features)

    @property
    def training_checks(self) -> dict[str, TrialStep]:
        """The trials by key that no cell needs, only the check whether classifiers are trained to their end."""
        check = {row.trial.key: row.trial for row in self.rows if row.cell.protocol == TRAINING_CHECK}
        needed = {row.trial.key for row in self.rows if row.cell.protocol != TRAINING_CHECK} if check else set()
        return {key: trial for key, trial in check.items() if key not in needed and key in self.trials}

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.trials and not self.qualities


class Finished(Protocol):
    """What a plan needs from a Store: the keys of a stage's steps with a Record."""

    def keys(self, stage: Stage) -> set[str]: ...


def make_plan(spec: GridSpec, data: DataIdentity) -> Plan:
    """The Plan of a grid and a data set. Imports neither torch nor ray; 10,000 cells take about a second."""
    generators: dict[str, GeneratorStep] = {}
    trials: dict[str, TrialStep] = {}
    names: dict[str, str] = {}
    rows: dict[tuple[str, str, float | None, float | None, bool], Row] = {}
    cells = list(spec.cells())
    in_proportion = {cell for cell in cells if cell.protocol in SHARED and cell.real_share is None}
    subsets: dict[tuple[int, int], Subset] = {}
    pools: dict[tuple[Subset, str, str], Pool] = {}
    amounts: dict[Pool, int] = {}

    def subset(num_real: int, draw: int) -> Subset:
        return subsets.setdefault((num_real, draw), Subset(data, num_real, draw, spec.stratify))

    def pool_of(recipe: GeneratorRecipe, num_real: int, draw: int) -> Pool:
        sampler = sampler_of(recipe, spec.sampler)
        if isinstance(recipe, HybridRecipe):
            at = (subset(num_real, draw), recipe.key, sampler.key)
            if at not in pools:
                parts = [(pool_of(part, num_real, draw), weight) for part, weight in recipe.used_weights]
                largest = max((part.generator.subset for part, _ in parts), key=lambda seen: seen.num_real)
                pools[at] = HybridPool(GeneratorStep(largest, recipe), sampler, tuple(parts))
            return pools[at]
        seen = subset(recipe.trained_on or num_real, draw)
        at = (seen, recipe.key, sampler.key)
        if at not in pools:
            pools[at] = Pool(GeneratorStep(seen, recipe), sampler)
        return pools[at]

    for cell in cells:
        pool = None
        if cell.generator is not None:
            pool = pool_of(cell.generator, cell.num_real, cell.draw)
            for step in pool.generators:
                generators.setdefault(step.key, step)
                names.setdefault(step.key, step.recipe.trained_name)
            names.setdefault(pool.generator.key, cell.generator.trained_name)
            names.setdefault(pool.key, cell.generator.name)
        share, weight = _mixture(cell, in_proportion)
        kind = HeadStep if cell.protocol == JOINT else TrialStep
        trial = kind(
            subset(cell.num_real, cell.draw),
            pool,
            cell.num_synthetic,
            cell.stages.family if cell.stages else cell.protocol,  # type: ignore[arg-type]
            share,
            cell.classifier.at(cell.num_real),
            cell.seed,
            None if cell.filter.family == "none" else cell.filter,
            weight,
            cell.stages,
        )
        trial = trials.setdefault(trial.key, trial)
        if pool is not None and trial.num_raw:
            amounts[pool] = max(amounts.get(pool, 0), trial.num_raw)
        rows.setdefault((trial.key, cell.arm, cell.real_share, cell.real_weight, False), Row(cell, trial))
    for cell in spec.training_checks():
        longer = cell.classifier.at(cell.num_real)
        trial = TrialStep(subset(cell.num_real, cell.draw), None, 0, "real-only", None, longer, cell.seed)
        trial = trials.setdefault(trial.key, trial)
        rows.setdefault((trial.key, cell.arm, cell.real_share, None, True), Row(cell, trial))
    generators = in_courses(generators)
    shards = {shard.key: shard for pool, amount in amounts.items() for shard in pool.shards(amount)}
    checks = [
        QualityStep(pool, min(amount, QUALITY_IMAGES), spec.quality_features)
        for pool, amount in amounts.items()
        # a check compares with the Subset's images, and at 0 real images there are none
        if pool.generator.subset.draw < spec.quality_draws and pool.generator.subset.num_real
    ]
    return Plan(
        data,
        generators,
        shards,
        trials,
        tuple(rows.values()),
        names,
        {q.key: q for q in checks},
        features_in(trials.values()),
    )


def _mixture(cell: CellSpec, in_proportion: Collection[CellSpec]) -> tuple[float | None, float | None]:
    """The real share and real weight of a cell's trial, of all that are the same mixture those with the oldest key.

    - A share can be what the counts give anyway, as half is of as many synthetic images as real ones. Where a grid has
      both (``in_proportion``), one trial measures both, and its rows belong to both studies.
    - A weight equal to the share changes nothing.
    - A head on frozen features has no batches: its share is the weight in its loss.
    """
    share, weight = cell.real_share, cell.real_weight
    counted = cell.num_real / (cell.num_real + cell.num_synthetic)
    if weight is not None and cell.classifier.frozen:
        share, weight = weight, None
    elif weight is not None and abs(weight - (counted if share is None else share)) < 1e-9:
        weight = None
    if share is not None and abs(share - counted) < 1e-9:
        same = cell._replace(real_share=None, real_weight=weight)
        share = None if same in in_proportion else share
    return share, weight


def pending(plan: Plan, store: Finished) -> Plan:
    """The steps that are missing and needed: a generator whose shards are all done is not needed."""
    done = {stage: store.keys(stage) for stage in plan.stages}
    trials = {k: t for k, t in plan.trials.items() if k not in done["trial"]}
    qualities = {k: q for k, q in plan.qualities.items() if k not in done["quality"]}
    features = features_in(trials.values())
    features = {k: f for k, f in features.items() if k not in done.get("features", ())}
    users = (*trials.values(), *qualities.values(), *features.values())
    wanted = {parent.key for step in users for parent in step.parents()}
    shards = {k: s for k, s in plan.shards.items() if k in wanted and k not in done["shard"]}
    parents = wanted | {s.generator.key for s in shards.values()}
    generators = {k: g for k, g in plan.generators.items() if k in parents and k not in done["generator"]}
    return Plan(plan.data, generators, shards, trials, plan.rows, plan.names, qualities, features)


def features_in(trials: Iterable[TrialStep]) -> dict[str, Step]:
    """The feature steps that trials need, in their order."""
    frozen = (trial for trial in trials if trial.classifier.frozen)
    return {step.key: step for trial in frozen for step in trial.parents() if step.stage == "features"}


def in_courses(generators: Mapping[str, GeneratorStep]) -> dict[str, GeneratorStep]:
    """The same generators; the lengths of one training, shortest first, where the first of them was."""
    courses: dict[str, list[GeneratorStep]] = {}
    for key, step in generators.items():
        courses.setdefault(step.course or key, []).append(step)
    return {step.key: step for steps in courses.values() for step in sorted(steps, key=lambda s: s.images_seen)}


def reversed_plan(plan: Plan) -> Plan:
    """The same steps in reverse order, so that two drivers of one plan meet in the middle."""

    def turned(steps: dict) -> dict:
        return dict(reversed(steps.items()))

    return replace(
        plan,
        generators=in_courses(turned(plan.generators)),
        shards=turned(plan.shards),
        trials=turned(plan.trials),
        qualities=turned(plan.qualities),
        features=turned(plan.features),
    )


def failed_ancestor(step: Step, failed: Mapping[Stage, Collection[str]]) -> Step | None:
    """The first failed ancestor of a step, given the failed keys of each stage."""
    for parent in step.parents():
        if (found := parent if parent.key in failed[parent.stage] else failed_ancestor(parent, failed)) is not None:
            return found
    return None


def blocked(step: Step, failed: Mapping[Stage, Collection[str]]) -> bool:
    """Whether an ancestor of a step failed."""
    return failed_ancestor(step, failed) is not None


def packs(trials: Iterable[TrialStep]) -> list[tuple[TrialStep, ...]]:
    """Group trials for joint training: one ``pack_key`` per pack, at most ``recipe.pack`` trials.

    Trials with the same pool and size are adjacent, so that a pack needs few images; otherwise order is kept.
    """
    groups: dict[tuple[str, str, str, int, int], list[TrialStep]] = {}
    for t in trials:
        same = (t.pack_key, t.pool.key if t.pool else "", t.subset.data.key, t.subset.num_real, t.subset.draw)
        groups.setdefault(same, []).append(t)
    packed: list[tuple[TrialStep, ...]] = []
    together: dict[str, list[TrialStep]] = {}
    for (pack_key, *_), members in groups.items():
        together.setdefault(pack_key, []).extend(members)
    for members in together.values():
        width = members[0].classifier.pack
        packed += [tuple(members[i : i + width]) for i in range(0, len(members), width)]
    return packed
