"""Execute a plan in this process, one step after another, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from tqdm import tqdm

from synaug_ray.engine.context import WorkerContext, use_threads
from synaug_ray.engine.execute import attempt
from synaug_ray.plan.plan import Plan, packs
from synaug_ray.plan.steps import Stage, Step
from synaug_ray.store.store import Store

S = TypeVar("S", bound=Step)


def device_here() -> str:
    """Torch's name of this process's device: a GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def ready(steps: Iterable[S], store: Store) -> list[S]:
    """The steps whose parents are all finished."""
    finished: dict[Stage, set[str]] = {stage: store.keys(stage) for stage in ("generator", "shard")}
    return [s for s in steps if all(p.key in finished[p.stage] for p in s.parents())]


def run_local(missing: Plan, context: WorkerContext, say: Callable[[str], None]) -> None:
    """Execute a plan's steps, parents first; failures are stored and block the steps that need them."""
    use_threads(context.machine.threads)
    _each("generators", [[g] for g in missing.generators.values()], context)
    _each("shards", [[s] for s in ready(missing.shards.values(), context.store)], context)
    _each("quality checks", [[q] for q in ready(missing.qualities.values(), context.store)], context)
    trials = ready(missing.trials.values(), context.store)
    _each("trials", packs(trials), context)
    left = len(missing.trials) - len(trials)
    if left:
        say(f"{left:,} trials were not run: a step they need failed")


def _each(name: str, packs: Sequence[Sequence[Step]], context: WorkerContext) -> None:
    with tqdm(total=sum(map(len, packs)), desc=name, unit="step", mininterval=1.0, disable=not packs) as bar:
        for pack in packs:
            if missing := context.missing(pack):
                attempt(context, missing)
            bar.update(len(pack))
