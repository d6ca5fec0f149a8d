"""What the grid command prints about a plan before a run, and about missing results after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synaug_ray.common.text import duration
from synaug_ray.config.warnings import grid_warnings, precision_warnings
from synaug_ray.plan.plan import Plan
from synaug_ray.plan.steps import STAGES
from synaug_ray.runs.cost import PLURAL, costs, describe_cost, describe_total_cost
from synaug_ray.runs.heartbeat import driver_of
from synaug_ray.runs.run import Run
from synaug_ray.runs.status import missing_trials
from synaug_ray.store.disk import size
from synaug_ray.store.run_folder import SEAL, STATUS


def plan_lines(path: Path, run: Run, missing: Plan, shape: tuple[int, int, int] | None) -> list[str]:
    """Where the grid and its results are, then the steps and expected cost of each stage.

    Args:
        path: of the grid's file.
        shape: of an image, [C, H, W], if known from the grid alone.
    """
    lines = [f"grid     {path}", f"results  {run.folder.url}"]
    table = costs(run.plan, missing, run.store, shape)
    for stage in STAGES:
        total = len(run.plan.steps(stage))
        lines.append(
            f"{PLURAL[stage]:<11}{total:>8,}   {total - len(missing.steps(stage)):>8,} done or not needed   "
            f"{describe_cost(table[stage])}"
        )
    if sum(cost.steps for cost in table.values()):
        lines.append(f"{'in all':<51}{describe_total_cost(table)}")
    return lines


def disk_line(needed: int, free: int | None) -> str:
    """The disk space that the missing steps need, and how much is free (None if unknown), in bytes."""
    return f"{'disk':<51}about {size(needed)}{'' if free is None else f' of the {size(free)} that are free'}"


def plan_notes(run: Run, damaged: Sequence[str]) -> list[str]:
    """Warnings about the grid, about another driver at work, and on damaged files of the folder or changed data."""
    notes = grid_warnings(run.spec) + precision_warnings(run.spec)
    other = driver_of(run.folder)
    if other is not None and other.alive:
        notes.append(
            f"{other} works on this run now (last sign of life {duration(other.silent)} ago): a second driver "
            "joins it, from the last step, and both share this machine or cluster; to follow the first alone, use "
            f"python -m synaug_ray.status {run.folder.url}"
        )
    if damaged:
        return [*notes, f"{run.folder.url}: {', '.join(damaged)} differ from {SEAL}: made again"]
    key = run.plan.data.key
    before = (run.folder.read_json(STATUS) or {}).get("data", key)
    if before == key:
        return notes
    return [
        *notes,
        f"the images, or how they are read, are not those of the last run in {run.folder.url} "
        f"({str(before)[:12]} then, {key[:12]} now): none of its results are used; give another --name to keep both",
    ]


def missing_results(run: Run, left: Plan) -> str:
    """What is still missing after a run, with the causes."""
    plan = run.plan
    parts = ((left.trials, plan.trials, "trials"), (left.qualities, plan.qualities, "quality checks"))
    counts = " and ".join(f"{len(some):,} of {len(all_):,} {what}" for some, all_, what in parts if some)
    causes = ", ".join(f"{count:,} {cause}" for cause, count in missing_trials(plan, run.store).causes.items())
    return (
        f"{counts} are missing{f' ({causes})' if causes else ''}; see {run.folder.url}/status.json. Run the same "
        "command to retry them"
    )
