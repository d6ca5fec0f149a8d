"""How a run stands, from its folder and the Store alone: what is done, what failed, what waits for what, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from synaug_ray.common.errors import Problem, StorageProblem, UsageProblem
from synaug_ray.common.text import duration
from synaug_ray.config.checks import image_shape
from synaug_ray.config.load import validate_grid
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.yaml_source import parse_bytes
from synaug_ray.plan.plan import Plan, blocked, failed_ancestor, make_plan, pending
from synaug_ray.plan.steps import STAGES, DataIdentity, GeneratorStep, QualityStep, ShardStep, Stage, Step, TrialStep
from synaug_ray.runs.cost import PLURAL, costs
from synaug_ray.store.filesystem import check_reachable
from synaug_ray.store.run_folder import RunFolder
from synaug_ray.store.store import Failure, Record, Store

SILENT = 600.0  # seconds without a word from a running driver: views are refreshed every minute or so
RECENT = 600.0  # seconds over which a rate is counted
SHOWN = 8  # failures told at once
SHORTEST = 6  # digits of a key that are enough to ask by


@dataclass(frozen=True)
class RunStatus:
    """A run's plan, the Store it draws on, and what its driver last said."""

    name: str
    plan: Plan
    store: Store
    said: dict[str, Any]  # status.json
    spec: GridSpec

    @property
    def failed(self) -> dict[Stage, dict[str, Failure]]:
        """Failures of this plan's steps that have not been made good since, by stage and key."""
        return {stage: unresolved_failures(self.plan, self.store, stage, self.store.keys(stage)) for stage in STAGES}


def unresolved_failures(plan: Plan, store: Store, stage: Stage, done: set[str]) -> dict[str, Failure]:
    """Failures of a plan's steps that are not among the ``done`` ones, by key."""
    steps = plan.steps(stage)
    return {k: f for k, f in store.failed(stage).items() if k in steps and k not in done}


@dataclass(frozen=True)
class MissingTrials:
    """Trials of a plan that are not done, and why: how many by the cause of what failed, they or what they need."""

    trials: int
    of: int
    causes: dict[str, int]

    def sentence(self) -> str:
        """`4 of 60 trials are missing: 3 diverged, 1 out of memory`."""
        why = ", ".join(f"{count:,} {cause}" for cause, count in self.causes.items())
        return f"{self.trials:,} of {self.of:,} trials are missing: {why}"


NOT_TRIED = "not tried yet"


def why_missing(step: Step, failed: Mapping[Stage, Mapping[str, Failure]]) -> str:
    """The cause of its failure, or of the failure of what it needs."""
    at_fault = step if step.key in failed[step.stage] else failed_ancestor(step, failed)
    return NOT_TRIED if at_fault is None else failed[at_fault.stage][at_fault.key].cause


def missing_trials(plan: Plan, store: Store) -> MissingTrials:
    """What of a plan's trials is missing, and why."""
    done: dict[Stage, set[str]] = {stage: store.keys(stage) for stage in STAGES}
    failed: dict[Stage, dict[str, Failure]] = {
        stage: unresolved_failures(plan, store, stage, done[stage]) for stage in STAGES
    }
    causes = Counter(why_missing(t, failed) for k, t in plan.trials.items() if k not in done["trial"])
    return MissingTrials(sum(causes.values()), len(plan.trials), dict(causes.most_common()))


def read_run_status(run: str) -> RunStatus:
    """The run in a folder, path or URL: ``<storage>/<run>``. The data set itself is not read.

    Raises:
        UsageProblem: where there is no run.
        StorageProblem: where what lies there cannot be read.
    """
    check_reachable(run)
    storage, _, name = run.rstrip("/").rpartition("/")
    folder = RunFolder(storage or ".", name)
    grid, status = folder.read("grid.yaml"), folder.read("status.json")
    if grid is None or status is None:
        raise UsageProblem(f"no run at {run}: a run's folder is <storage>/<run>, and holds grid.yaml and status.json")
    try:
        said = json.loads(status)
        spec = validate_grid(*parse_bytes(grid, f"{folder.url}/grid.yaml"))
        data = DataIdentity(spec.dataset, said["fingerprint"], spec.data)
        datetime.fromisoformat(said["updated"]).astimezone(UTC)
        if not isinstance(said["state"], str) or said.get("data", data.key) != data.key:
            raise ValueError("its values contradict each other")
        int(said.get("cores") or 1)
        if damaged := {"grid.yaml", "status.json"} & set(folder.damaged()):
            raise ValueError(f"{' and '.join(sorted(damaged))}: not as it was written")
    except (ValueError, KeyError, TypeError, Problem) as error:
        raise StorageProblem(
            f"{folder.url}: grid.yaml or status.json is damaged or of an older version ({error}); run "
            "the grid's command again, which writes both"
        ) from None
    return RunStatus(name, make_plan(spec, data), Store(f"{storage or '.'}/store"), said, spec)


def overview(run: RunStatus, now: datetime | None = None) -> list[str]:
    """Lines for a person: state, counts, failures by cause, rate, and what is left."""
    now = now or datetime.now(UTC)
    silent = (now - datetime.fromisoformat(run.said["updated"])).total_seconds()
    state = run.said["state"]
    if state == "running":
        state += f", heard of {duration(silent)} ago"
        if silent > SILENT:
            state += ": its driver may be gone. Run the same command to go on"
    lines, records = [f"run        {run.name}: {state}"], []
    failed, missing = run.failed, pending(run.plan, run.store)
    table = costs(run.plan, missing, run.store, image_shape(run.spec))
    for stage in STAGES:
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
    seconds, cores = sum(cost.seconds for cost in table.values()), max(1, int(run.said.get("cores") or 1))
    unknown = sum(cost.unknown for cost in table.values())
    if missing.complete:
        lines.append("left       nothing")
    else:
        parts = [f"about {duration(seconds)} of a core, {duration(seconds / cores)} on {cores} of them"] * bool(seconds)
        parts += [f"{unknown:,} steps that nobody has timed"] * bool(unknown)
        lines.append(f"left       {', and '.join(parts) or 'next to nothing'}")
    lines += _mixtures(records)
    if (lacks := missing_trials(run.plan, run.store)).trials:
        lines.append(f"missing    {lacks.sentence()}")
    told = [(run.plan.steps(stage)[key], f) for stage in STAGES for key, f in failed[stage].items()]
    for step, f in told[:SHOWN]:
        lines.append(
            f"failed     {describe(step, run.plan)}: {f.cause}, {_times(f.attempts)}: {f.message} "
            f"(--why {step.key[:12]})"
        )
    if len(told) > SHOWN:
        lines.append(f"           and {len(told) - SHOWN:,} more")
    return lines


def why(run: RunStatus, asked: str) -> list[str]:
    """Why a step is done or not.

    Args:
        asked: its key, or the first six digits of it or more.

    Raises:
        UsageProblem: where no step of this run, or more than one, begins with it.
    """
    found = {k: s for stage in STAGES for k, s in run.plan.steps(stage).items() if k.startswith(asked)}
    if len(asked) < SHORTEST or len(found) != 1:
        raise UsageProblem(
            f"--why {asked}: {len(found):,} steps of this run begin with it; give one key of "
            f"measurements.csv or of a failure, {SHORTEST} digits of it at least"
        )
    (step,) = found.values()
    return list(_why(step, run, run.failed, ""))


def _why(step: Step, run: RunStatus, failed: dict[Stage, dict[str, Failure]], indent: str) -> Iterator[str]:
    said = f"{indent}{step.stage} {step.key[:12]}, {describe(step, run.plan)}:"
    if (record := run.store.records(step.stage, [step.key]).get(step.key)) is not None:
        made = record.made
        yield (
            f"{said} done {record.finished} on {made.get('host', 'a machine unknown')}, by code "
            f"{_code(made) or 'unknown'} (commit {made.get('commit') or 'unknown'}), torch "
            f"{made.get('torch') or 'unknown'}"
        )
        return
    if (failure := failed[step.stage].get(step.key)) is not None:
        yield f"{said} failed {_times(failure.attempts)}, last {failure.at}: {failure.cause}: {failure.message}"
        yield from (f"{indent}    {line}" for line in failure.traceback.rstrip().splitlines())
        yield f"{indent}  The same command tries it again."
        return
    waits = [p for p in step.parents() if p.key not in run.store.keys(p.stage)]
    if not waits:
        yield f"{said} nothing is in its way; its turn has not come"
        return
    yield f"{said} waits for {len(waits):,} of {len(step.parents()):,} that it needs; the first:"
    first = next((p for p in waits if blocked(p, failed) or p.key in failed[p.stage]), waits[0])
    yield from _why(first, run, failed, indent + "  ")


def describe(step: Step, plan: Plan) -> str:
    """A step in words."""
    if isinstance(step, GeneratorStep):
        return f"{plan.names[step.key]} at {step.subset.num_real:,} real images, draw {step.subset.draw}"
    if isinstance(step, ShardStep):
        return f"images {step.index * step.sampler.shard_size:,} on of {describe(step.generator, plan)}"
    if isinstance(step, QualityStep):
        return f"a look at {describe(step.pool.generator, plan)}"
    assert isinstance(step, TrialStep)
    kept = f" kept by {step.filter.name}" if step.filter else ""
    pool = f" and {step.num_synthetic:,} of {describe(step.pool.generator, plan)}{kept}" if step.pool else ""
    share = "" if step.real_share is None else f", {step.real_share:.0%} real"
    return (
        f"{step.classifier.name} on {step.subset.num_real:,} real images{pool} ({step.protocol}{share}), "
        f"draw {step.subset.draw}, seed {step.seed}"
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _rate(records: Sequence[Record], now: datetime) -> int:
    return sum((now - datetime.fromisoformat(record.finished)).total_seconds() < RECENT for record in records)


def _mixtures(records: Sequence[Record]) -> Iterator[str]:
    """A warning where steps of one run were made by different code or versions of torch."""
    for what, of in (("states of the code", _code), ("versions of torch", lambda made: made.get("torch"))):
        counts = Counter(of(record.made) for record in records)
        if len(counts) > 1:
            told = ", ".join(f"{name or 'unknown'} ({count:,})" for name, count in counts.most_common(SHOWN))
            yield (
                f"mixed      the steps were made by {len(counts)} {what}: {told}. Their results may differ by more "
                "than chance; another --storage makes all of them anew"
            )


def _code(made: dict[str, Any]) -> str | None:
    """A digest of the code that made a Record: a submitted job and an installed package know no commit."""
    return made.get("code") or made.get("commit")
