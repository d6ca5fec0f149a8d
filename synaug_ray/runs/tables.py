"""Views of the Store as tables: measurements and predictions of a plan's trials. They can be rebuilt any time."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import pandas as pd
from safetensors.numpy import load as load_arrays

from synaug_ray.analysis.generators import HYBRID_CONTROL, HYBRID_OPEN
from synaug_ray.analysis.mixing import NO_MIXTURE, mix_name
from synaug_ray.analysis.seen_before import AND, OF_BASE, OF_FILTER, UNKNOWN, of_parts
from synaug_ray.analysis.trials import HEAD_NOTES, JOINT_ARM, LEEP, STAGES
from synaug_ray.config.cells import CellSpec
from synaug_ray.config.generator_recipes import GeneratorRecipe, HybridRecipe, LatentRecipe, ReferenceRecipe
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.protocols import JOINT, SHARED
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.text_recipes import TextRecipe
from synaug_ray.config.vit_gan_recipe import ViTGANRecipe
from synaug_ray.plan.plan import Plan, Row, blocked
from synaug_ray.plan.step import Stage
from synaug_ray.plan.steps import Pool, TrialStep
from synaug_ray.runs.status import unresolved_failures, why_missing
from synaug_ray.store.store import CorruptPayload, Failure, Record, Store

MEASURED = ("test_error", "balanced_error", "test_nll", "val_error", "nimg", "seconds", "cpu_seconds")
MEASURED2 = ("test2_error", "balanced_test2_error", "test2_nll")  # of runs with ``data.test2``
COSTS = ("pool_cost_seconds", "generator_cost_seconds", "image_cost_seconds")  # of what a trial's images come from
Failures = dict[Stage, dict[str, Failure]]  # by stage and key
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet may run (OWASP, CSV injection)
COLUMNS = (
    "key",
    "status",
    "cause",
    "dataset",
    "num_real",
    "num_synthetic",
    "synthetic_multiple",
    "draw",
    "seed",
    "generator",
    "filter",
    "family",
    "trained_on",
    "classifier",
    "classifier_saw",
    "generator_saw",
    "protocol",
    "real_share",
    "real_weight",
    *STAGES,
    *MEASURED,
    LEEP,
    "cost_seconds",
    *COSTS,
    "generator_key",
    "generator_nimg",
    "recipe_key",
    "whole_recipe_key",
    "maker",
    "traced",
    "finished",
)


def measurements(spec: GridSpec, plan: Plan, store: Store) -> pd.DataFrame:
    """One tidy row a trial of the grid, done or not; errors are fractions, nll in nats, times in seconds."""
    done = store.records("trial", plan.trials)
    failed = unresolved_failures(plan, store)
    rows, pools = [], _Costs(plan, store)
    for row in plan.rows:
        rows.append(_row(spec, row, done.get(row.trial.key), failed, pools))
    joint = any(row.cell.protocol == JOINT for row in plan.rows)
    more = (*(MEASURED2 if plan.data.test2 is not None else ()), *((*JOINT_ARM, *HEAD_NOTES) if joint else ()))
    return pd.DataFrame(rows, columns=[*COLUMNS, *more])


def _row(spec: GridSpec, row: Row, record: Record | None, failed: Failures, costs: _Costs) -> dict[str, Any]:
    cell, trial = row.cell, row.trial
    pool = trial.pool
    second = MEASURED2 if trial.subset.data.test2 is not None else ()
    measured = {name: record.result[name] if record else float("nan") for name in (*MEASURED, *second)}
    return {
        "key": trial.key,
        "status": "done" if record else why_not(row, failed),
        "cause": "" if record else why_missing(trial, failed),
        "dataset": spec.dataset,
        "num_real": cell.num_real,
        "num_synthetic": cell.num_synthetic,
        "synthetic_multiple": cell.num_synthetic / cell.num_real if cell.num_real else math.nan,
        "draw": cell.draw,
        "seed": cell.seed,
        "generator": cell.arm,
        "filter": cell.filter.name,
        "family": family_of(cell),
        "trained_on": pool.generator.subset.num_real if pool else 0,
        "classifier": cell.classifier.name,
        "classifier_saw": _saw(cell.classifier.model) if cell.classifier.pretrained else "",
        "generator_saw": AND.join(filter(None, (_generator_saw(cell.generator), _filter_saw(cell)))),
        "protocol": cell.protocol,
        "real_share": share_name(cell.protocol, cell.real_share, cell.real_weight),
        "real_weight": _real_weight(cell),
        **_stages(trial),
        **measured,
        LEEP: record.result.get(LEEP, math.nan) if record else math.nan,
        **_joint(cell, record),
        "cost_seconds": device_seconds(record) if record else float("nan"),
        **(costs.of(trial) if record else dict.fromkeys(COSTS, float("nan"))),
        "generator_key": pool.generator.key if pool else "",
        "generator_nimg": sum(g.recipe.length(g.subset.num_real) for g in pool.generators) if pool else 0,
        "recipe_key": pool.generator.recipe.any_length_key + _sampled(pool) if pool else "",
        "whole_recipe_key": pool.generator.recipe.key + _sampled(pool) if pool else "",
        "maker": _maker(pool, cell) if pool else "",
        "traced": costs.traced(trial),
        "finished": record.finished if record else "",
    }


def family_of(cell: CellSpec) -> str:
    """The family of a cell's generator; ``remade`` and ``relabelled`` are the controls of ``analysis.gap``."""
    if cell.generator is None:
        return "none"
    if cell.filter.relabels:
        return "relabelled"
    if isinstance(cell.generator, HybridRecipe):
        return family_of_hybrid(cell.generator)
    made = cell.generator.held_out and cell.generator.family not in ("real-holdout", "label-shuffle")
    return "remade" if made else cell.generator.family


def family_of_hybrid(recipe: HybridRecipe) -> str:
    """Whether it is a control, has a part that was trained on images outside the data set, or neither."""
    if recipe.reference or recipe.held_out:
        return HYBRID_CONTROL
    return (
        HYBRID_OPEN
        if any(part.open_set or isinstance(part, (LoraRecipe, TextRecipe)) for part in recipe.used)
        else recipe.family
    )


def _maker(pool: Pool, cell: CellSpec) -> str:
    """The same for the images of one generator and those that it re-makes of held-out ones."""
    assert cell.generator is not None
    recipe, sampler = pool.generator.recipe, pool.sampler.model_copy(update={"strength": 1.0, "start": "subset"})
    if isinstance(recipe, ReferenceRecipe):
        recipe = recipe.model_copy(update={"of": "subset"})
    return f"{recipe.key} {sampler.key} {cell.generator.trained_on or ''}".strip()


def _generator_saw(recipe: GeneratorRecipe | None) -> str:
    """What a generator saw before its first image of the grid."""
    if isinstance(recipe, HybridRecipe):
        return of_parts(part.name for part in recipe.used if part.open_set or _generator_saw(part))
    if isinstance(recipe, (LoraRecipe, TextRecipe)):
        return OF_BASE
    return UNKNOWN if isinstance(recipe, LatentRecipe) and recipe.given else ""


def _filter_saw(cell: CellSpec) -> str:
    """What a filter has seen besides the cell's images."""
    return OF_FILTER if cell.filter.family == "clip" else ""


def _stages(trial: TrialStep) -> dict[str, str]:
    """What stage one sees (``synthetic`` or ``real``), and the key of the options; empty for a single stage."""
    stages = trial.stages
    seen = "" if stages is None else "synthetic" if stages.synthetic else "real"
    return dict(zip(STAGES, (seen, "" if stages is None else stages.options_key), strict=True))


def _joint(cell: CellSpec, record: Record | None) -> dict[str, Any]:
    """What the head of protocol ``joint`` learnt from, and what is the same for its controls; empty for others."""
    if not isinstance(cell.generator, ViTGANRecipe) or cell.protocol != JOINT:
        return dict.fromkeys(JOINT_ARM, "")
    notes = {name: record.result.get(name, math.nan) if record else math.nan for name in HEAD_NOTES}
    return dict(zip(JOINT_ARM, (cell.generator.arm, cell.generator.joint_key), strict=True)) | notes


def _sampled(pool: Pool) -> str:
    """What tells images that are guided, or sampled by settings of their own, from the others of their generator."""
    if getattr(pool.generator.recipe, "sampler", None) is not None:
        return f" sampler {pool.sampler.key}"
    of = " of held-out images" * (pool.sampler.start == "held-out")
    return "" if pool.sampler.strength == 1 else f" strength {pool.sampler.strength:g}{of}"


@lru_cache(maxsize=64)
def _saw(model: str) -> str:
    """The images that a model's weights were trained on: known only by timm's name for them."""
    from synaug_ray.training.pretrained import seen_images  # timm, for grids that have such a classifier

    return seen_images(model) or "other images"


def device_seconds(record: Record) -> float:
    """What a step cost: wall time on a GPU, time on the core where cores are shared; of all who worked on it."""
    if record.made.get("device", "cpu") == "cpu":
        return record.result["cpu_seconds"]
    return record.result["seconds"] * record.made.get("processes", 1)


class _Costs:
    """Device-seconds of generators and shards, each record read once."""

    def __init__(self, plan: Plan, store: Store) -> None:
        records = store.records("generator", plan.generators) | store.records("shard", plan.shards)
        self._known = {key: device_seconds(record) for key, record in records.items()}
        self._traced = {key: record.result["traced"] for key, record in records.items() if "traced" in record.result}
        images = {key: record.result["nimg"] for key, record in records.items() if record.stage == "shard"}
        self._by_shard = ((self._known, math.nan), (images, 0.0))  # seconds and images, and what is not known

    def of(self, trial: TrialStep) -> dict[str, float]:
        """Of a trial's generator and its pool up to the amount it uses, together and apart; 0 without one.

        Shards have more images than are taken of them: an image costs its share of its shard. One that a filter keeps
        costs what was dropped for it, too.
        """
        if trial.pool is None:
            return dict.fromkeys(COSTS, 0.0)
        trained, sampled, each = sum(self._known.get(g.key, math.nan) for g in trial.pool.generators), 0.0, 0.0
        for part, count in trial.pool.taken(trial.num_raw):
            shards = [shard.key for shard in part.shards(count)]
            seconds, images = (sum(of.get(k, none) for k in shards) for of, none in self._by_shard)
            sampled += seconds
            each += (seconds / images if images else math.nan) * count / trial.num_synthetic if count else 0.0
        return dict(zip(COSTS, (trained + sampled, trained, each), strict=True))

    def traced(self, trial: TrialStep) -> float:
        """The share of re-made held-out images that are still nearest to their own source; NaN for other images."""
        known = [self._traced[shard.key] for shard in trial.shards if shard.key in self._traced]
        return sum(known) / len(known) if known else math.nan


def why_not(row: Row, failed: Failures) -> str:
    """``failed``, ``blocked`` (something it needs failed) or ``missing`` (not tried yet)."""
    if row.trial.key in failed["trial"]:
        return "failed"
    return "blocked" if blocked(row.trial, failed) else "missing"


def share_name(protocol: str, real_share: float | None, real_weight: float | None = None) -> str:
    """How a real share is written in tables: ``proportional``, ``0.5``, ``0.5@0.9``; ``none`` without mixtures."""
    return mix_name(real_share, real_weight) if protocol in SHARED else NO_MIXTURE


def _real_weight(cell: CellSpec) -> float:
    """The weight of real images in the loss of a mixture, 0 to 1; NaN where nothing is mixed."""
    if cell.protocol != "mixed":
        return math.nan
    share = cell.num_real / (cell.num_real + cell.num_synthetic) if cell.real_share is None else cell.real_share
    return share if cell.real_weight is None else cell.real_weight


def predictions(plan: Plan, store: Store, name: str = "predictions.safetensors") -> pd.DataFrame:
    """One row a done trial: ``key``, ``label``, ``predicted`` [T], ``probability`` of the true class [T].

    ``name`` is of the payload: predictions2.safetensors has those of ``data.test2``.

    A payload that differs from its Record is left out, its Record set aside: the next run makes it again.
    """

    def read(record: Record) -> dict[str, Any] | None:
        try:
            arrays = load_arrays(store.read(record, name))
        except CorruptPayload:
            return None
        return {"key": record.key, **{name: arrays[name] for name in ("label", "predicted", "probability")}}

    rows = [row for row in store.map(read, store.records("trial", plan.trials).values()) if row is not None]
    return pd.DataFrame(rows, columns=["key", "label", "predicted", "probability"])


def csv_text(table: pd.DataFrame) -> str:
    """CSV in which no cell starts a spreadsheet formula."""
    safe = table.copy()
    for name in safe.select_dtypes(include=["object", "str"]).columns:
        safe[name] = [f"'{v}" if isinstance(v, str) and v[:1] in FORMULA else v for v in safe[name]]
    return safe.to_csv(index=False)
