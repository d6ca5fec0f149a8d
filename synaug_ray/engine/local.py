"""Executes a plan in this process, one step after another, without Ray."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Sequence

import torch
from tqdm import tqdm

from synaug_ray.common.text import duration
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import use_threads
from synaug_ray.engine.time_left import TimeLeft
from synaug_ray.plan.plan import Plan, packs
from synaug_ray.plan.step import STAGES, Step
from synaug_ray.plan.steps import QualityStep, TrialStep

BAR_SECONDS = 0.5  # between updates of the progress bar
FIRST_SECONDS, LINE_SECONDS = 5.0, 20.0  # before the first line of a log, and between two


def device_here() -> str:
    """Torch's name of the device for this process: a GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def run_local(
    missing: Plan,
    context: WorkerContext,
    say: Callable[[str], None],
    expected: Callable[[Step], float | None] = lambda step: None,
    after: Callable[[bool], None] = lambda milestone: None,
) -> None:
    """Execute a plan's steps; failures are stored and block the steps that need them.

    Works draw by draw in the order of the plan's trials (``plan.order``), each after the steps that it needs, so that a
    first partial result comes early.

    Args:
        say: called with lines of progress if there is no terminal for a bar, and with what could not be run.
        expected: seconds that a step should take, for the time left; None if unknown.
        after: called between steps; with True when the first trials with synthetic images are done, and after a draw.
    """
    use_threads(context.machine.threads)
    work = _Work(missing, context, say, expected, after)
    try:
        work.all()
    finally:
        work.close()
    if work.blocked:
        say(f"{work.blocked:,} trials were not run: a step they need failed")


class _Work:
    """The execution of a plan in this process."""

    def __init__(
        self,
        missing: Plan,
        context: WorkerContext,
        say: Callable[[str], None],
        expected: Callable[[Step], float | None],
        after: Callable[[bool], None],
    ) -> None:
        steps = [s for stage in STAGES for s in missing.steps(stage).values()]
        self._missing, self._context, self._say, self._after = missing, context, say, after
        self._wanted = {s.key for s in steps}
        self._tried: set[str] = set()
        self._left = TimeLeft(steps, expected)
        self._ready: dict[str, bool] = {}
        self.blocked = 0
        self._began = time.monotonic()
        self._due = self._began + (0.0 if sys.stderr.isatty() else FIRST_SECONDS)
        self._bar = (
            tqdm(total=1.0, bar_format="{percentage:3.0f}%|{bar:30}| {desc}") if steps and sys.stderr.isatty() else None
        )
        context.progress = lambda step, share: self._show(step.key, share)
        self._show()

    def all(self) -> None:
        """Run everything, in order."""
        waves = [list(w) for _, w in itertools.groupby(self._missing.trials.values(), key=lambda t: t.subset.draw)]
        real_only = [t for wave in waves for t in wave if t.pool is None]  # can run at any time
        waiting: list[TrialStep] = []  # for other trials, to fill a pack
        shown = False  # whether a trial with synthetic images has run: the first result does not wait for full packs
        for number, wave in enumerate(waves):
            for pool, alike in itertools.groupby(wave, key=lambda t: t.pool.key if t.pool else ""):
                for trial in alike:
                    if trial.key in self._tried:
                        continue
                    if self._prepared(trial):
                        waiting.append(trial)
                    else:
                        self.blocked += 1
                        self._tried.add(trial.key)
                        self._show(trial.key, 1.0)
                waiting = self._trials(waiting, real_only, whole_packs=shown or not pool)
                if pool and not shown:
                    shown = True
                    self._after(True)
            waiting = self._trials(waiting, real_only, whole_packs=number > 0)
            self._after(True)
            self._checks(q for q in self._missing.qualities.values() if self._is_ready(q))
        self._trials(waiting, real_only, whole_packs=False)
        self._checks(self._missing.qualities.values())

    def _trials(self, waiting: list[TrialStep], fill: Sequence[TrialStep], whole_packs: bool) -> list[TrialStep]:
        """Run packs of the waiting trials; returns those that wait for others to fill their pack.

        Args:
            fill: trials that may join a pack that is not full, since its cost is the same.
            whole_packs: whether the trials of a pack that is not full wait.
        """
        rest: list[TrialStep] = []
        for pack in packs(t for t in waiting if t.key not in self._tried):
            width = pack[0].classifier.pack
            own = {t.key for t in waiting} | self._tried
            others = (t for t in fill if t.pack_key == pack[0].pack_key and t.key not in own)
            filled = [*pack, *itertools.islice(others, width - len(pack))]
            if whole_packs and len(filled) < width:
                rest += pack
            else:
                self._run(filled)
        return rest

    def _checks(self, checks: Iterable[QualityStep]) -> None:
        for check in list(checks):
            if check.key not in self._tried and self._prepared(check):
                self._run([check])

    def _prepared(self, step: Step) -> bool:
        """Run the missing steps that a step needs; returns whether all of them are done."""
        for parent in step.parents():
            if parent.key not in self._tried and parent.key in self._wanted and self._prepared(parent):
                self._run([parent])
        return self._is_ready(step)

    def _is_ready(self, step: Step) -> bool:
        return all(self._done(parent) for parent in step.parents())

    def _done(self, step: Step) -> bool:
        if not self._ready.get(step.key):
            self._ready[step.key] = self._context.store.has(step)
        return self._ready[step.key]

    def _run(self, steps: Sequence[Step]) -> None:
        began = time.monotonic()
        missing = self._context.missing(steps)
        if missing:
            attempt(self._context, missing)
        self._tried.update(step.key for step in steps)
        self._left.done(s.key for s in steps if s not in missing)
        self._left.done((s.key for s in missing), time.monotonic() - began)
        self._show()
        self._after(False)

    def _show(self, key: str = "", share: float = 0.0) -> None:
        """Show the share that is done and the time left: in a bar on a terminal, else in occasional lines."""
        self._left.begun(key, share)
        now = time.monotonic()
        if now < self._due:
            return
        if self._bar is None:
            self._due = now + LINE_SECONDS
            self._say(f"{duration(now - self._began):>7}  {self._words(now)}")
        else:
            self._due = now + BAR_SECONDS
            self._bar.n = min(1.0, self._left.share)
            self._bar.set_description_str(self._words(now))

    def _words(self, now: float) -> str:
        seconds = self._left.seconds(now)
        left = "" if seconds is None else f", about {duration(seconds)} left"
        return f"{self._left.count:,} of {self._left.total:,} steps, {self._left.share:.0%} of the work{left}"

    def close(self) -> None:
        """Remove the progress bar."""
        self._context.progress = lambda step, share: None
        if self._bar is not None:
            self._bar.close()
