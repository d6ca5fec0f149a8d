"""The start and the end of a session: reads and checks the data, and writes the views of the results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from synaug_ray.classifiers.models import check as check_classifier
from synaug_ray.classifiers.models import incompatibility
from synaug_ray.common.errors import DataProblem, collect_problems
from synaug_ray.common.provenance import environment
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.generator_recipes import singles
from synaug_ray.config.image_sides import image_shape
from synaug_ray.config.protocols import JOINT
from synaug_ray.data.audit.audit import table
from synaug_ray.data.audit.checks import describe, problems
from synaug_ray.data.audit.gate import apply_duplicate_policy
from synaug_ray.data.audit.mirrored import with_mirrored
from synaug_ray.data.images import Dataset
from synaug_ray.data.judge import judge_images
from synaug_ray.data.load import Unsettled, load, settled
from synaug_ray.data.second_test import with_second_test
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.plan.hybrid import HybridPool
from synaug_ray.plan.plan import Plan, pending
from synaug_ray.quality.pretrained_features import open_space
from synaug_ray.runs.classes import write_classes
from synaug_ray.runs.cost import disk_bytes
from synaug_ray.runs.outputs import begin, interrupted, refresh, write_test_groups
from synaug_ray.runs.run import Run, RunState
from synaug_ray.runs.sample_sheets import sheets
from synaug_ray.store.run_folder import AUDIT, ENV, SAMPLES, TEST2_GROUPS, check_space
from synaug_ray.store.store import CorruptPayload, MissingRecord


def open_run(run: Run, cache: Path, place: Callable[[int], str]) -> Dataset:
    """Read the data, make all checks that are possible before training, and write the first files.

    Args:
        cache: the folder for downloads and decoded images.
        place: returns the place of a number of real images in the grid, for messages.

    Raises:
        DataProblem, UsageProblem, StorageProblem: with everything that is wrong, before anything is written.
        Unsettled: if the images show that the plan has to be made again.
    """
    spec, plan, store = run.spec, run.plan, run.store
    recipes = {t.classifier.key: t.classifier for t in plan.trials.values() if t.protocol != JOINT}.values()
    spaces = {s.key: s for step in pending(plan, store).qualities.values() for s in step.spaces}.values()
    clips = {
        t.filter.key: t.filter for t in pending(plan, store).trials.values() if t.filter and t.filter.family == "clip"
    }
    expected = image_shape(spec)
    collect_problems(
        *(partial(check_classifier, recipe, expected) for recipe in recipes),
        *(partial(open_space, recipe) for recipe in spaces),
        *(partial(_open_clip, recipe) for recipe in clips.values()),
    )
    dataset = load(plan.data, cache)
    if settled(plan.data, cache) != plan.data:
        print(
            "note     some images are transparent and are drawn on a background (data.ground); the plan with it:",
            flush=True,
        )
        raise Unsettled
    left = pending(plan, store)
    (judge, matched), dataset = collect_problems(
        partial(judge_images, dataset, plan.data, cache) if left.qualities else lambda: (None, ""),
        partial(with_second_test, dataset, plan.data, cache),
    )
    dataset = replace(dataset, judge=judge, notes=(*dataset.notes, *filter(None, [matched])))
    found = problems(plan, dataset, place)
    if dataset.shape != expected:  # otherwise the check of the grid has covered it
        found += [
            message for recipe in recipes if (message := incompatibility(recipe, dataset.shape, dataset.num_classes))
        ]
    if found:
        raise DataProblem(found)
    dropping = plan.data.options.duplicates == "drop-test"  # the audit, which can take minutes, says what is left
    if not dropping:
        print(describe(dataset), flush=True)
    before = dataset
    dataset, audited = apply_duplicate_policy(plan.data, dataset, cache)
    if dropping:
        print(describe(dataset, before), flush=True)
    audited = with_mirrored(audited, dataset.train, _mirroring(plan))
    print(table(replace(audited, rows=tuple(row for row in audited.rows if row.level != "ok"))), flush=True)
    tested = len(dataset.test) + (0 if dataset.test2 is None else len(dataset.test2))
    check_space(run.folder.storage, disk_bytes(left, dataset.shape, tested))
    store.check_writable()
    begin(run)
    write_classes(run.folder, dataset.classes)
    write_test_groups(run.folder, None if dataset.groups is None else dataset.groups[2].tolist())
    write_test_groups(run.folder, None if dataset.test2_groups is None else dataset.test2_groups.tolist(), TEST2_GROUPS)
    run.folder.write_json(AUDIT, audited.to_json())
    return dataset


def _mirroring(plan: Plan) -> list[str]:
    """The names of recipes that mirror the images they are trained on, and are not told which (EDM's ``augment``)."""
    recipes = [t.classifier for t in plan.trials.values()]
    recipes += [one for step in plan.generators.values() for one in singles(step.recipe)]
    return list(dict.fromkeys(recipe.name for recipe in recipes if getattr(recipe, "flip", False)))


def _open_clip(recipe: FilterRecipe) -> None:
    """Load the model of a ``clip`` filter, so that what is wrong with it is told before any training."""
    from synaug_ray.quality.clip import open_clip

    open_clip(recipe)


def finish(run: Run, dataset: Dataset, state: RunState) -> str:
    """Rebuild all views for the last time; returns the result in one sentence."""
    stopped = state is RunState.INTERRUPTED
    if stopped:
        interrupted(run)
    run.folder.write_json(ENV, environment(run.session.device, 1))
    write_samples(run, dataset)
    analysis = refresh(run, state, replicates=0 if stopped else None)
    if not stopped:
        run.folder.seal()
    return analysis.headline if analysis else "no result yet: no real-only cell is done"


def write_samples(run: Run, dataset: Dataset) -> None:
    """One sheet for each generator of the first draw: real, synthetic and nearest training images side by side."""
    use_threads(1)
    context, index, seen = WorkerContext(run.store, dataset, Machine()), [], set()
    done, amounts = run.store.keys("shard"), dict[str, int]()
    for trial in (row.trial for row in run.plan.rows):
        if trial.pool is not None:
            amounts[trial.pool.key] = max(trial.num_raw, amounts.get(trial.pool.key, 0))
    for row in run.plan.rows:
        pool = row.trial.pool
        if pool is None or row.cell.draw != 0 or pool.key in seen:
            continue
        shown = min(pool.sampler.shard_size, amounts[pool.key]) if isinstance(pool, HybridPool) else 0
        first = pool.shards(shown) if shown else (pool.shard(0),)
        if not all(shard.key in done for shard in first):
            continue
        seen.add(pool.key)
        subset = pool.generator.subset
        try:
            synthetic = context.pool(pool, shown) if shown else context.shard(first[0])
        except (CorruptPayload, MissingRecord):
            continue
        made = sheets(dataset.train.take(context.draws.index(subset)), synthetic, dataset.num_classes)
        names = {}
        for part in ("real", "synthetic", "nearest"):
            names[part] = f"{pool.key[:12]}-{part}.png"
            run.folder.write(f"samples/{names[part]}", getattr(made, part))
        index.append(
            {
                "generator": run.plan.names[pool.key],
                "num_real": subset.num_real,
                "draw": 0,
                "classes": list(dataset.classes),
                "columns": made.columns,
                **names,
            }
        )
    run.folder.write(SAMPLES, json.dumps(index, indent=1))
