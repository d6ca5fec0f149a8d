"""The status of a run, from its folder and the Store alone: what is done, failed, blocked or queued, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from synaug_ray.common.errors import Problem, StorageProblem, UsageProblem
from synaug_ray.common.text import duration
from synaug_ray.config.data_options import FULL
from synaug_ray.config.image_sides import image_shape
from synaug_ray.config.load import validate_grid
from synaug_ray.config.yaml_source import parse_bytes
from synaug_ray.data.first_image import first_shape, training_images
from synaug_ray.data.identify import judge_options, test2_options
from synaug_ray.plan.plan import Plan, blocked, failed_ancestor, make_plan, pending
from synaug_ray.plan.step import Stage, Step
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.runs.cost import PLURAL, Figure, RecordedRates, costs, untimed
from synaug_ray.runs.heartbeat import driver_of
from synaug_ray.runs.run import RunState, RunStatus
from synaug_ray.runs.timings import ASSUMED, Shape, timings
from synaug_ray.store.filesystem import check_reachable, join, split_folder
from synaug_ray.store.locations import cache_folder
from synaug_ray.store.run_folder import GRID, STATUS, RunFolder
from synaug_ray.store.store import Failure, Record, Store

SILENT = 600.0  # seconds without an update: a driver refreshes its views every minute or so
RECENT = 600.0  # seconds over which a rate is counted
SHOWN = 8  # failures listed
SHORTEST = 6  # digits of a key that --why accepts


def unresolved_failures(
    plan: Plan, store: Store, done: Mapping[Stage, set[str]] | None = None
) -> dict[Stage, dict[str, Failure]]:
    """Failures of a plan's steps that no later attempt has resolved, by stage and key.

    Args:
        done: keys of the finished steps by stage; None asks the Store.
    """
    finished = {stage: store.keys(stage) for stage in plan.stages} if done is None else done
    wanted = {stage: plan.steps(stage).keys() - finished[stage] for stage in plan.stages}
    return {stage: {k: f for k, f in store.failed(stage).items() if k in wanted[stage]} for stage in plan.stages}


@dataclass(frozen=True)
class MissingTrials:
    """Trials of a plan that are not done, counted by cause: their own failure, or that of an input."""

    trials: int
    of: int
    causes: dict[str, int]

    def sentence(self) -> str:
        """`4 of 60 trials are missing: 3 diverged, 1 out of memory`."""
        why = ", ".join(f"{count:,} {cause}" for cause, count in self.causes.items())
        return f"{self.trials:,} of {self.of:,} trials are missing: {why}"


NOT_TRIED = "not tried yet"


def why_missing(step: Step, failed: Mapping[Stage, Mapping[str, Failure]]) -> str:
    """The cause of its own failure or of the first failed input."""
    at_fault = step if step.key in failed[step.stage] else failed_ancestor(step, failed)
    return NOT_TRIED if at_fault is None else failed[at_fault.stage][at_fault.key].cause


def missing_trials(plan: Plan, store: Store) -> MissingTrials:
    """The trials of a plan that are not done, counted by cause."""
    done: dict[Stage, set[str]] = {stage: store.keys(stage) for stage in plan.stages}
    failed = unresolved_failures(plan, store, done)
    causes = Counter(why_missing(t, failed) for k, t in plan.trials.items() if k not in done["trial"])
    return MissingTrials(sum(causes.values()), len(plan.trials), dict(causes.most_common()))


def read_run_status(run: str) -> RunStatus:
    """The run in a folder, path or URL: ``<storage>/<run>``. The data set itself is not read.

    Raises:
        UsageProblem: if there is no run.
        StorageProblem: if its files cannot be read.
    """
    check_reachable(run)
    storage, name = split_folder(run)
    folder = RunFolder.at(run)
    grid, status = folder.read(GRID), folder.read(STATUS)
    if grid is None or status is None:
        raise UsageProblem(
            f"no run at {run}: a run's folder is <storage>/<run>, and holds grid.yaml and status.json", code="no-run"
        )
    try:
        values = json.loads(status)
        spec = validate_grid(*parse_bytes(grid, f"{folder.url}/grid.yaml"))
        judge = (
            None
            if spec.data.judge == FULL
            else DataIdentity(spec.data.judge, values["judge"], judge_options(spec.data))
        )
        test2 = None
        if spec.data.test2 is not None:
            test2 = DataIdentity(spec.data.test2, values["test2"], test2_options(spec.dataset, spec.data))
        data = DataIdentity(spec.dataset, values["fingerprint"], spec.data, judge, test2)
        if values.get("data", data.key) != data.key:
            raise ValueError("its values contradict each other")
        state, cores = RunState(values["state"]), int(values.get("cores") or 1)
        updated = datetime.fromisoformat(values["updated"]).astimezone(UTC)
        if damaged := {"grid.yaml", "status.json"} & set(folder.damaged()):
            raise ValueError(f"{' and '.join(sorted(damaged))}: checksum mismatch")
    except (ValueError, KeyError, TypeError, Problem) as error:
        raise StorageProblem(
            f"{folder.url}: grid.yaml or status.json is damaged or of an older version ({error}); run "
            "the grid's command again, which writes both",
            code="run-damaged",
        ) from None
    store = Store(join(storage, "store"))
    return RunStatus(name, spec, make_plan(spec, data), store, folder, state, updated, max(1, cores))


def overview(run: RunStatus, now: datetime | None = None) -> list[str]:
    """Lines for a person: state, counts, rate, what is left, and failures with their causes."""
    now = now or datetime.now(UTC)
    silent = (now - run.updated).total_seconds()
    state = str(run.state)
    if run.state is RunState.RUNNING:
        driver = driver_of(run.folder, now)
        # the driver signs every few seconds; status.json is rewritten with the page, which can be much later
        state += f", page of {duration(silent)} ago" if driver is not None else f", last update {duration(silent)} ago"
        if driver is not None and driver.alive:
            state += f"; {driver} is running it (last sign of life {duration(driver.silent)} ago)"
        elif driver is not None:
            state += f"; its driver, {driver}, has died: run the same command to continue"
        elif silent > SILENT:
            state += "; the driver may have died: run the same command to continue"
    lines, records = [f"run        {run.name}: {state}"], []
    failed, missing = unresolved_failures(run.plan, run.store), pending(run.plan, run.store)
    shape = image_shape(run.spec) or first_shape(run.spec.dataset, run.spec.data)
    recorded = RecordedRates(run.plan, run.store)
    table = costs(recorded, missing, shape, _kept(recorded, missing, shape, training_images(run.spec.dataset)))
    for stage in run.plan.stages:
        steps = run.plan.steps(stage)
        if not steps:
            continue
        done = steps.keys() & run.store.keys(stage)
        made = list(run.store.records(stage, done).values())
        records += made
        waits = sum(blocked(s, failed) for k, s in steps.items() if k not in done)
        lines.append(
            f"{PLURAL[stage]:<11}{len(done):>8,} of {len(steps):,} done, {len(failed[stage]):,} failed, "
            f"{waits:,} blocked by failures, {_rate(made, now):,} in the last 10 minutes"
        )
    seconds, cores = sum(cost.seconds for cost in table.values()), run.cores
    unknown = sum(cost.unknown for cost in table.values())
    if missing.complete:
        lines.append("left       nothing")
    else:
        parts = [f"about {duration(seconds)} of one core, {duration(seconds / cores)} on {cores}"] * bool(seconds)
        parts += [f"{unknown:,} steps of unknown duration"] * bool(unknown)
        lines.append(f"left       {', and '.join(parts) or 'almost nothing'}")
    lines += _mixtures(records)
    if (without := missing_trials(run.plan, run.store)).trials:
        lines.append(f"missing    {without.sentence()}")
    failures = [(run.plan.steps(stage)[key], f) for stage in run.plan.stages for key, f in failed[stage].items()]
    for step, f in failures[:SHOWN]:
        lines.append(
            f"failed     {step.describe(run.plan.names)}: {f.cause}, {_times(f.attempts)}: {f.message} "
            f"(--why {step.key[:12]})"
        )
    if len(failures) > SHOWN:
        lines.append(f"           and {len(failures) - SHOWN:,} more")
    return lines


def _kept(recorded: RecordedRates, missing: Plan, shape: Shape | None, training: int | None) -> Mapping[str, Figure]:
    """The timings of this machine that a plan left in the default cache folder."""
    try:
        cache = cache_folder(None)
    except Problem:
        return {}
    steps = untimed(recorded, missing, shape)
    return timings(steps, shape or ASSUMED, cache, print, limit=0, training=training).figures


def why(run: RunStatus, asked: str) -> list[str]:
    """What is known of one step: when and where it was done, how it failed, or what it waits for.

    Args:
        asked: its key, or at least its first six digits.

    Raises:
        UsageProblem: where no step of this run, or more than one, begins with it.
    """
    found = {k: s for stage in run.plan.stages for k, s in run.plan.steps(stage).items() if k.startswith(asked)}
    if len(asked) < SHORTEST or len(found) != 1:
        raise UsageProblem(
            f"--why {asked}: {len(found):,} steps of this run have a key that begins with it; give at least "
            f"{SHORTEST} digits of one key, from measurements.csv or from the failures that are listed",
            code="no-such-key",
        )
    (step,) = found.values()
    return list(_why(step, run, unresolved_failures(run.plan, run.store), ""))


def _why(step: Step, run: RunStatus, failed: dict[Stage, dict[str, Failure]], indent: str) -> Iterator[str]:
    said = f"{indent}{step.stage} {step.key[:12]}, {step.describe(run.plan.names)}:"
    if (record := run.store.records(step.stage, [step.key]).get(step.key)) is not None:
        made = record.made
        yield (
            f"{said} done {record.finished} on {made.get('host', 'an unknown machine')}, by code "
            f"{_code(made) or 'unknown'} (commit {made.get('commit') or 'unknown'}), torch "
            f"{made.get('torch') or 'unknown'}"
        )
        return
    if (failure := failed[step.stage].get(step.key)) is not None:
        yield f"{said} failed {_times(failure.attempts)}, last {failure.at}: {failure.cause}: {failure.message}"
        yield from (f"{indent}    {line}" for line in failure.traceback.rstrip().splitlines())
        yield f"{indent}  The same command retries it."
        return
    waits = [p for p in step.parents() if p.key not in run.store.keys(p.stage)]
    if not waits:
        yield f"{said} ready, queued"
        return
    yield f"{said} waits for {len(waits):,} of its {len(step.parents()):,} inputs; the first:"
    first = next((p for p in waits if blocked(p, failed) or p.key in failed[p.stage]), waits[0])
    yield from _why(first, run, failed, indent + "  ")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _rate(records: Sequence[Record], now: datetime) -> int:
    return sum((now - datetime.fromisoformat(record.finished)).total_seconds() < RECENT for record in records)


def _mixtures(records: Sequence[Record]) -> Iterator[str]:
    """A warning where steps of one run were made by different code or versions of torch."""
    for what, of in (("versions of the code", _code), ("versions of torch", lambda made: made.get("torch"))):
        counts = Counter(of(record.made) for record in records)
        if len(counts) > 1:
            each = ", ".join(f"{name or 'unknown'} ({count:,})" for name, count in counts.most_common(SHOWN))
            yield (
                f"mixed      the steps were made by {len(counts)} {what}: {each}. Their results may differ by more "
                "than chance; use a new --storage to make all of them with one"
            )


def _code(made: dict[str, Any]) -> str | None:
    """A digest of the code that made a Record: a submitted job or an installed package has no commit."""
    return made.get("code") or made.get("commit")
