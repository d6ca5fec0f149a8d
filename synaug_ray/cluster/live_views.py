"""The aggregator: an actor that keeps the run's views fresh while it runs. Kill it and nothing is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import ray

from synaug_ray.cluster.metrics import Metrics, tell_gone, tell_where
from synaug_ray.runs.outputs import refresh
from synaug_ray.runs.run import Run, RunState

QUIET_SHARE = 40  # what took t seconds rests for 40 t at least: counts and refits together take 5% of a core
LEAST_SECONDS = 60.0  # between refits, and before the first
COUNT_SECONDS = 10.0  # between counts, at least: Ray reports as often
REPLICATES = 100  # of a refit: enough for an interval that is looked at and made anew, too few for a verdict


class LiveViews:
    """The aggregator's life: it starts after a minute (shorter runs need none) and ends before the last views.

    It must not outlive ``stop``: its "running" would overwrite the driver's "done".
    """

    def __init__(self, run: Run, seconds: float | None = None) -> None:
        """``seconds`` before the first refit and at least between two; LEAST_SECONDS by default."""
        self._run, self._lock, self._ended = run, threading.Lock(), False
        self._seconds = LEAST_SECONDS if seconds is None else seconds
        self._actor: Any = None
        self._timer = threading.Timer(self._seconds, self._begin)
        self._timer.daemon = True
        self._timer.start()

    def _begin(self) -> None:
        with self._lock:
            if not self._ended:
                self._actor = Aggregator.remote(self._run, self._seconds)

    def stop(self) -> None:
        """No further refresh."""
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._actor is not None:
                ray.kill(self._actor)
                tell_gone(self._run)


@ray.remote(num_cpus=0, max_restarts=-1)
class Aggregator:
    """Counts for Prometheus every few seconds; now and then refits, and rewrites status, tables and page.

    In a thread of its own, and not in a task: of a task that ends with its actor Ray complains in the driver's log.
    """

    def __init__(self, run: Run, seconds: float) -> None:
        self._run, self._seconds, self._metrics = run, seconds, Metrics(run)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def _watch(self) -> None:
        """Count and refit for ever; ends with the actor."""
        count_due = refit_due = 0.0
        while True:
            count_due = self._in_turn(count_due, min(COUNT_SECONDS, self._seconds), self._count)
            refit_due = self._in_turn(refit_due, self._seconds, self._refit)
            time.sleep(max(0.1, min(count_due, refit_due) - time.monotonic()))

    def _in_turn(self, due: float, least: float, work: Callable[[], None]) -> float:
        """Do what is due; when it is again. What goes wrong once is tried again in its turn: views can wait."""
        started = time.monotonic()
        if started < due:
            return due
        try:
            work()
        except Exception:
            logging.getLogger(__name__).exception("the run's views were not refreshed")
        ended = time.monotonic()
        return ended + max(least, QUIET_SHARE * (ended - started))

    def _count(self) -> None:
        tell_where(self._run)
        self._metrics.count()

    def _refit(self) -> None:
        analysis = refresh(self._run, RunState.RUNNING, replicates=min(REPLICATES, self._run.spec.replicates))
        if analysis is not None:
            self._metrics.answer(analysis)
