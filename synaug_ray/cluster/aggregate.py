"""The aggregator: an actor that keeps the run's views fresh while it runs. Kill it and nothing is lost."""

from __future__ import annotations

import threading
import time
from typing import Any

import ray
from ray.util.metrics import Gauge

from synaug_ray.laws.results import Analysis
from synaug_ray.steps import STAGES
from synaug_ray.summary import Run, refresh

QUIET_SHARE = 20  # a refresh of t seconds is followed by at least 20 t of rest: 5% of a core
LEAST_SECONDS = 60.0


class LiveViews:
    """The aggregator's life: it starts after a minute (shorter runs need none) and ends before the last views.

    It must not outlive ``stop``: its "running" would overwrite the driver's "done".
    """

    def __init__(self, run: Run) -> None:
        self._run, self._lock, self._ended = run, threading.Lock(), False
        self._actor: Any = None
        self._timer = threading.Timer(LEAST_SECONDS, self._begin)
        self._timer.daemon = True
        self._timer.start()

    def _begin(self) -> None:
        with self._lock:
            if not self._ended:
                self._actor = Aggregator.remote(self._run)
                self._actor.watch.remote()

    def stop(self) -> None:
        """No further refresh."""
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._actor is not None:
                ray.kill(self._actor)


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Aggregator:
    """Refits without a bootstrap, rewrites status, tables and page, exports gauges."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._gauges = {
            "done": Gauge("synaug_steps_done", "Steps whose record stands", ("stage", "run")),
            "total": Gauge("synaug_steps_total", "Steps of the plan", ("stage", "run")),
            "failed": Gauge("synaug_steps_failed", "Steps whose last attempt failed", ("stage", "run")),
            "rate": Gauge("synaug_exchange_rate", "Synthetic images that one more real image is worth",
                          ("run", "generator", "real_share", "num_real")),
        }

    def watch(self) -> None:
        """Refresh for ever; ends with the actor."""
        while True:
            started = time.monotonic()
            analysis = refresh(self._run, "running", replicates=0)
            self._export(analysis)
            time.sleep(max(LEAST_SECONDS, QUIET_SHARE * (time.monotonic() - started)))

    def _export(self, analysis: Analysis | None) -> None:
        name, store = self._run.name, self._run.store
        for stage in STAGES:
            steps, tags = self._run.plan.steps(stage), {"stage": stage, "run": name}
            self._gauges["total"].set(len(steps), tags)
            self._gauges["done"].set(len(steps.keys() & store.keys(stage)), tags)
            self._gauges["failed"].set(len(steps.keys() & store.failed(stage).keys()), tags)
        for study in analysis.studies if analysis else ():
            for exchange in study.exchange:
                if exchange.marginal.value is not None:
                    self._gauges["rate"].set(exchange.marginal.value, {
                        "run": name, "generator": study.generator, "real_share": study.real_share,
                        "num_real": str(exchange.num_real)})
