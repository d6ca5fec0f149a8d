"""What the grid command prints about a plan before a run, and about missing results after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from synaug_ray.common.errors import Message, ResourceProblem, UsageProblem
from synaug_ray.common.hardware import free_memory
from synaug_ray.common.text import counted, duration, printable, size
from synaug_ray.config.budget import budget_seconds
from synaug_ray.config.warnings import grid_warnings, precision_warnings
from synaug_ray.plan.footprint import images_at_once, not_even_one_image
from synaug_ray.plan.plan import Plan
from synaug_ray.plan.step import Stage, Step
from synaug_ray.runs.cost import (
    MEASURED,
    PLURAL,
    Cost,
    RecordedRates,
    cost_of,
    costs,
    describe_cost,
    describe_total_cost,
    untimed,
)
from synaug_ray.runs.gpu_hours import describe, gpu_hours
from synaug_ray.runs.heartbeat import driver_of
from synaug_ray.runs.run import Run
from synaug_ray.runs.status import missing_trials
from synaug_ray.runs.timings import ASSUMED, Shape, Timings, timings
from synaug_ray.store.run_folder import SEAL, STATUS

LIBRARIES = 1_200_000_000  # bytes of a process with its libraries and a small network: tests/benchmarks/plan_costs.md
LONG = 100 * 3600.0  # seconds of one core: a grid that takes longer is meant for GPUs


def plan_timings(
    recorded: RecordedRates,
    missing: Plan,
    shape: Shape | None,
    cache: Path | None,
    say: Callable[[str], None],
    training: int | None = None,
) -> Timings:
    """Timings of what neither the Store nor an earlier measurement knows.

    Args:
        shape: of an image, [C, H, W], if known from the grid alone.
        cache: the cache folder; None measures nothing.
        say: called with a line if something has to be measured.
        training: how many training images the data set has, if known.
    """
    steps = [] if cache is None else untimed(recorded, missing, shape)
    return Timings() if cache is None or not steps else timings(steps, shape or ASSUMED, cache, say, training=training)


def plan_lines(
    path: Path, run: Run, missing: Plan, recorded: RecordedRates, shape: Shape | None, timed: Timings
) -> list[str]:
    """Where the grid and its results are, then the steps and expected cost of each stage.

    Args:
        path: of the grid's file.
        shape: of an image, [C, H, W], if known from the grid alone.
        timed: timings of this machine.
    """
    lines = [f"grid     {path}", f"results  {run.folder.url}"]
    table = costs(recorded, missing, shape, timed.figures)
    for stage in run.plan.stages:
        total = len(run.plan.steps(stage))
        lines.append(
            f"{PLURAL[stage]:<11}{total:>8,}   {total - len(missing.steps(stage)):>8,} done or not needed   "
            f"{describe_cost(table[stage], timed.unit)}"
        )
    lines += training_check_line(recorded, missing, shape, timed)
    if not sum(cost.steps for cost in table.values()):
        return lines
    lines.append(f"{'in all':<51}{describe_total_cost(table, timed.unit)}")
    hours = gpu_hours(missing, timed.counts)
    if hours and timed.unit == "core" and sum(cost.seconds for cost in table.values()) > LONG:
        lines.append(f"{'':<51}or {describe(hours)}")
    if shape is None:
        lines.append(
            f"{'':<51}for images of {ASSUMED[1]} x {ASSUMED[2]} pixels: the grid does not say their size (data.size)"
        )
    return [*lines, *budget_line(run, table), memory_line(missing, timed, free_memory())]


def budget_line(run: Run, table: Mapping[Stage, Cost]) -> list[str]:
    """What a budget means for this plan.

    Raises:
        UsageProblem: if what is missing surely takes more than the budget has left.
    """
    if run.spec.budget is None:
        return []
    spent = ((run.folder.read_json(STATUS) or {}).get("cpu_seconds") or {}).values()
    left = budget_seconds(run.spec.budget) - sum(spent)
    least = sum(cost.low or cost.seconds for cost in table.values())
    if least > left:
        before = f", and {duration(sum(spent))} are spent" if sum(spent) else ""
        text = (
            f"{run.spec.budget} are too few: what is missing of {counted(run.spec.draws, 'draw')} takes "
            f"{duration(least)} or more{before}; raise the budget, or lower draws, seeds, sizes, or the nimg of "
            "generators and classifiers"
        )
        raise UsageProblem(Message(text, "budget", "over-budget", run.spec.budget))
    return [
        f"{'budget':<51}{run.spec.budget} of one core or GPU: after these {counted(run.spec.draws, 'draw')}, more are "
        "added while something is undecided"
    ]


def training_check_line(recorded: RecordedRates, missing: Plan, shape: Shape | None, timed: Timings) -> list[str]:
    """What of the trials checks the length of training, and how to leave it out; nothing where none is left to do."""
    checks = missing.training_checks
    if not checks:
        return []
    cost = cost_of(recorded, "trial", list(checks.values()), shape, timed.figures)
    return [
        f"{'':<51}{len(checks):,} of them check whether training is long enough: {describe_cost(cost, timed.unit)} "
        "(training_check=off: none)"
    ]


def memory_line(missing: Plan, timed: Timings, free: int) -> str:
    """The memory that the largest process needs beside the images, and how much is free, in bytes."""
    most, largest, about = 0, None, "about"
    for step in _one_of_each(missing):
        if (count := timed.counts.get(step.cost_key)) is not None:
            parts = count.parts(images_at_once(step), free - LIBRARIES) if timed.unit == "core" else 1
            needed = count.memory(images_at_once(step))
            if needed > most:
                most, largest = needed, (step, parts)
        elif step.images_seen and step.stage != "quality" and step.cost_key not in MEASURED:
            about = "at least"
    said = f"{'memory':<51}{about} {size(LIBRARIES + most)} for each process"
    if largest is None:
        return f"{said}; {size(free)} are free"
    step, parts = largest
    said += f", most of it for {step.cost_name}" if most > LIBRARIES else ""
    if timed.unit != "core":
        return said
    said += f"; {size(free)} are free"
    return said if parts == 1 else f"{said}, so its batches are split into {parts} parts" if parts else said


def memory_problem(missing: Plan, timed: Timings, free: int) -> ResourceProblem | None:
    """Networks of which not even one image at a time fits into the free memory (bytes) of this machine's CPU."""
    found = [
        Message(
            f"{step.cost_name}: {not_even_one_image(LIBRARIES + count.memory(1), free)}",
            code="memory",
            value=step.cost_name,
        )
        for step in _one_of_each(missing)
        if timed.unit == "core"
        and (count := timed.counts.get(step.cost_key)) is not None
        and count.parts(images_at_once(step), free - LIBRARIES) is None
    ]
    return ResourceProblem(found) if found else None


def _one_of_each(missing: Plan) -> list[Step]:
    return list({step.cost_key: step for stage in missing.stages for step in missing.steps(stage).values()}.values())


def disk_line(needed: int, free: int | None) -> str:
    """The disk space that the missing steps need, and how much is free (None if unknown), in bytes."""
    return f"{'disk':<51}about {size(needed)}{'' if free is None else f' of the {size(free)} that are free'}"


def plan_notes(run: Run, damaged: Sequence[str]) -> list[str]:
    """Warnings about the grid, about another running driver, and on damaged files of the folder or changed data."""
    notes = grid_warnings(run.spec) + precision_warnings(run.spec)
    other = driver_of(run.folder)
    if other is not None and other.alive:
        notes.append(
            f"{other} is running this grid (last update {duration(other.silent)} ago): a second driver "
            "joins it, from the last step, and both share this machine or cluster; to follow the first alone, use "
            f"python -m synaug_ray.status {run.folder.url}"
        )
    if damaged:
        return [*notes, f"{run.folder.url}: {', '.join(damaged)} differ from {SEAL}: made again"]
    notes += _second_test_note(run)
    key = run.plan.data.key
    before = (run.folder.read_json(STATUS) or {}).get("data", key)
    if before == key:
        return notes
    return [
        *notes,
        f"the images, or how they are read, are not those of the last run in {run.folder.url} "
        f"({str(before)[:12]} then, {key[:12]} now): none of its results are used; give another --name to keep both",
    ]


def _second_test_note(run: Run) -> list[str]:
    """What ``data.test2`` costs a run whose trials are done without it: no trial keeps its weights."""
    data = run.plan.data
    if data.test2 is None:
        return []
    done, plain = run.store.keys("trial"), replace(data, test2=None)
    left = [trial for key, trial in run.plan.trials.items() if key not in done]
    again = sum(replace(trial, subset=replace(trial.subset, data=plain)).key in done for trial in left)
    if not again:
        return []
    return [
        f"{again:,} trials that are done have not been measured on {printable(data.test2.source)} (data.test2): they "
        "are trained again, with the same results on the first test set. Generators and their images are kept"
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


def only_generators_failed(run: Run) -> bool:
    """Whether each missing trial is missing since its generator diverged or collapsed: verdicts allow for these."""
    from synaug_ray.analysis.trials import GENERATOR_FAILURES  # pandas takes a while, which a dry run need not wait for

    return set(missing_trials(run.plan, run.store).causes) <= {*GENERATOR_FAILURES}
