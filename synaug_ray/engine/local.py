"""Execute a plan in this process, one step after another, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from tqdm import tqdm

from synaug_ray.engine.context import WorkerContext, use_threads
from synaug_ray.engine.execute import Work, attempt
from synaug_ray.plan.plan import Plan, packs
from synaug_ray.plan.steps import QualityStep, ShardStep, Stage, Step, TrialStep
from synaug_ray.store.store import Store


def device_here() -> str:
    """Torch's name of this process's device: a GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def ready(steps: Iterable[Step], store: Store) -> list[Step]:
    """The steps whose parents are all finished."""
    finished: dict[Stage, set[str]] = {stage: store.keys(stage) for stage in ("generator", "shard")}
    return [s for s in steps if all(p.key in finished[p.stage] for p in s.parents())]


def run_local(missing: Plan, context: WorkerContext, say: Callable[[str], None]) -> None:
    """Execute a plan's steps, parents first; failures are stored and block the steps that need them."""
    use_threads(context.machine.threads)
    _each("generators", list(missing.generators.values()), context)
    _each("shards", [s for s in ready(missing.shards.values(), context.store) if isinstance(s, ShardStep)], context)
    _each(
        "quality checks",
        [q for q in ready(missing.qualities.values(), context.store) if isinstance(q, QualityStep)],
        context,
    )
    trials = [t for t in ready(missing.trials.values(), context.store) if isinstance(t, TrialStep)]
    _each("trials", packs(trials), context)
    left = len(missing.trials) - len(trials)
    if left:
        say(f"{left:,} trials were not run: a step they need failed")


def _each(name: str, works: Sequence[Work], context: WorkerContext) -> None:
    width = sum(1 if isinstance(w, Step) else len(w) for w in works)
    with tqdm(total=width, desc=name, unit="step", mininterval=1.0, disable=not works) as bar:
        for work in works:
            if not isinstance(work, Step):
                if missing := context.missing(work):
                    attempt(context, missing)
            elif context.missing([work]):
                attempt(context, work)
            bar.update(1 if isinstance(work, Step) else len(work))
