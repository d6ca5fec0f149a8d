"""Progress of a run: bars on a terminal, periodic plain lines in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, KeysView

from tqdm import tqdm

from synaug_ray.common.errors import StorageProblem
from synaug_ray.common.text import duration
from synaug_ray.engine.time_left import TimeLeft
from synaug_ray.plan.plan import Plan
from synaug_ray.plan.step import STAGES, Stage, Step
from synaug_ray.runs.cost import PLURAL
from synaug_ray.runs.run import Run

LINE_SECONDS = 20.0


class Progress(threading.Thread):
    """Counts Records, and shows progress and the time left."""

    def __init__(
        self,
        run: Run,
        missing: Plan,
        say: Callable[[str], None],
        expected: Callable[[Step], float | None] = lambda step: None,
    ) -> None:
        """Begin with nothing of ``missing`` done.

        Args:
            say: prints a line.
            expected: seconds of one slot that a step should take; None if unknown.
        """
        super().__init__(name="progress", daemon=True)
        self._run, self._say = run, say
        every = [s for stage in STAGES for s in missing.steps(stage).values()]
        self._left = TimeLeft(every, expected, run.session.cores, follows=False)
        self._todo: dict[Stage, KeysView[str]] = {stage: missing.steps(stage).keys() for stage in run.plan.stages}
        self._end = threading.Event()

    def stop(self) -> None:
        """Count once more, then stop."""
        self._end.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        terminal = sys.stderr.isatty()
        bars: dict[Stage, tqdm] = (
            {
                stage: tqdm(total=len(todo), desc=PLURAL[stage], unit=stage, position=i)
                for i, (stage, todo) in enumerate(self._todo.items())
                if todo
            }
            if terminal
            else {}
        )
        last = list(bars.values())[-1:]
        started = said = time.monotonic()
        done: dict[Stage, int] = dict.fromkeys(self._todo, 0)
        while not self._end.wait(2 * self._run.store.poll):
            done = self._count(done)
            for stage, bar in bars.items():
                bar.update(done[stage] - bar.n)
            for bar in last:
                bar.set_postfix_str(self._time_left())
            if not terminal and time.monotonic() - said >= LINE_SECONDS:
                said = time.monotonic()
                self._say(self._line(done, said - started))
        done = self._count(done)
        for stage, bar in bars.items():
            bar.update(done[stage] - bar.n)
            bar.close()
        if not terminal:
            self._say(self._line(done, time.monotonic() - started))

    def _count(self, before: dict[Stage, int]) -> dict[Stage, int]:
        try:
            done: dict[Stage, set[str]] = {
                stage: self._todo[stage] & self._run.store.keys(stage) for stage in self._todo
            }
        except StorageProblem:  # the storage is unreachable; workers report it if that lasts
            return before
        for keys in done.values():
            self._left.done(keys)
        return {stage: len(keys) for stage, keys in done.items()}

    def _time_left(self) -> str:
        seconds = self._left.seconds()
        return "" if seconds is None or self._left.share == 1 else f"about {duration(seconds)} left"

    def _line(self, done: dict[Stage, int], seconds: float) -> str:
        parts = [f"{PLURAL[stage]} {done[stage]:,}/{len(todo):,}" for stage, todo in self._todo.items() if todo]
        return f"{duration(seconds):>7}  " + "   ".join([*parts, *filter(None, [self._time_left()])])
