"""The aggregator: an actor that refreshes a run's views during the run. Nothing is lost with its state."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ray

from synaug_ray.cluster.metrics import Metrics, remove_targets, write_targets
from synaug_ray.common.errors import StorageProblem
from synaug_ray.runs.answer import SoFar
from synaug_ray.runs.outputs import refresh
from synaug_ray.runs.run import Run, RunState

PAUSE_FACTOR = (
    40  # work of t seconds is followed by a pause of at least 40 t: counts and refits together use 5% of a core
)
LEAST_SECONDS = 60.0  # between refits, and before the first
COUNT_SECONDS = 10.0  # between counts, at least: Ray's own reporting interval
REPLICATES = 100  # bootstrap replicates of a refit: enough for a provisional interval, too few for a verdict


class LiveViews:
    """Starts the aggregator after a minute (shorter runs do not need it), and stops it before the final views.

    The aggregator must not outlive ``stop``: its "running" would overwrite the driver's "done".
    """

    def __init__(self, run: Run, say: Callable[[str], None], seconds: float | None = None) -> None:
        """``say`` is told the answers so far.

        ``seconds`` is the least time before the first refit and between two; LEAST_SECONDS by default.
        """
        self._run, self._lock, self._ended = run, threading.Lock(), False
        self._so_far, self._stopped = SoFar(run.folder, say), threading.Event()
        self._seconds = LEAST_SECONDS if seconds is None else seconds
        self._actor: Any = None
        self._timer = threading.Timer(self._seconds, self._begin)
        self._timer.daemon = True
        self._timer.start()

    def _begin(self) -> None:
        with self._lock:
            if not self._ended:
                self._actor = Aggregator.remote(self._run, self._seconds)
        while not self._stopped.wait(self._seconds):
            with suppress(StorageProblem):  # whoever writes there says so
                self._so_far()

    def stop(self) -> None:
        """End the refreshes."""
        self._timer.cancel()
        self._stopped.set()
        with self._lock:
            self._ended = True
            if self._actor is not None:
                ray.kill(self._actor)
                remove_targets(self._run)


@ray.remote(num_cpus=0, max_restarts=-1)
class Aggregator:
    """Updates the Prometheus counts every few seconds; from time to time, refits and rewrites status, tables and page.

    It works in a thread instead of a task, because Ray logs an error in the driver if a task is killed with its actor.
    """

    def __init__(self, run: Run, seconds: float) -> None:
        self._run, self._seconds, self._metrics = run, seconds, Metrics(run)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def _watch(self) -> None:
        """Count and refit until the actor is killed."""
        count_due = refit_due = 0.0
        while True:
            count_due = self._in_turn(count_due, min(COUNT_SECONDS, self._seconds), self._count)
            refit_due = self._in_turn(refit_due, self._seconds, self._refit)
            time.sleep(max(0.1, min(count_due, refit_due) - time.monotonic()))

    def _in_turn(self, due: float, least: float, work: Callable[[], None]) -> float:
        """Do the work if it is due, and return when it is due next; a failure is retried at that time."""
        started = time.monotonic()
        if started < due:
            return due
        try:
            work()
        except Exception:
            logging.getLogger(__name__).exception("the run's views were not refreshed")
        ended = time.monotonic()
        return ended + max(least, PAUSE_FACTOR * (ended - started))

    def _count(self) -> None:
        write_targets(self._run)
        self._metrics.count()

    def _refit(self) -> None:
        analysis = refresh(self._run, RunState.RUNNING, replicates=min(REPLICATES, self._run.spec.replicates))
        if analysis is not None:
            self._metrics.answer(analysis)
