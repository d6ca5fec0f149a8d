"""A run's Prometheus gauges, served by Ray's exporter: the progress of its steps, and its verdicts so far."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress

import ray
from ray.util.metrics import Gauge

from synaug_ray.analysis.results import Analysis
from synaug_ray.config.image_sides import image_shape
from synaug_ray.laws.results import Estimate
from synaug_ray.plan.plan import pending
from synaug_ray.plan.step import Stage
from synaug_ray.runs.cost import RecordedRates, costs
from synaug_ray.runs.outputs import counted
from synaug_ray.runs.run import Run
from synaug_ray.store.backends import write_file
from synaug_ray.store.record import Cause

CELL = ("run", "classifier", "generator", "protocol", "real_share", "num_real")
MADE: dict[Stage, str] = {"generator": "trained", "trial": "trained", "shard": "sampled"}
CAUSES = tuple(cause for cause in Cause if cause is not Cause.DATA)  # shown from the start, at 0
UNKNOWN = float("nan")  # a gauge cannot be removed; Prometheus and Grafana show NaN as a gap


class Metrics:
    """The gauges of one run; Ray serves each as ``ray_<name>`` at the metrics port of the node of this process."""

    def __init__(self, run: Run) -> None:
        self._run = run
        stage = ("run", "stage")
        self._steps = {
            "total": Gauge("synaug_steps_total", "Steps of the plan", stage),
            "done": Gauge("synaug_steps_done", "Steps with a record", stage),
            "failed": Gauge("synaug_steps_failed", "Steps whose last attempt failed", stage),
            "blocked": Gauge("synaug_steps_blocked", "Steps that depend on a failed one", stage),
        }
        self._causes = Gauge("synaug_failures", "Steps whose last attempt failed, by cause", ("run", "cause"))
        self._images = Gauge("synaug_images", "Images seen in training, or sampled, by the steps done", ("run", "made"))
        self._slots = Gauge("synaug_slots", "GPUs, or else CPU cores, of the run", ("run",))
        self._left = Gauge("synaug_left_seconds", "Expected slot seconds of the remaining steps", ("run",))
        self._untimed = Gauge("synaug_left_untimed", "Steps left with no timing available", ("run",))
        self._gain = _interval("synaug_gain", "Reduction of the test error by synthetic images, as a fraction")
        self._rate = _interval("synaug_exchange_rate", "Synthetic images that one more real image is worth")

    def count(self) -> None:
        """Update steps, images, failures and time left, from listings of the Store and a few Records per recipe."""
        run, mine = self._run, {"run": self._run.name}
        counts, failed = counted(run)
        images: Counter[str] = Counter({made: 0 for made in MADE.values()})
        for stage in run.plan.stages:
            for state, gauge in self._steps.items():
                gauge.set(counts[stage][state], mine | {"stage": stage})
            if stage in MADE:
                steps = run.plan.steps(stage)
                images[MADE[stage]] += round(sum(steps[k].images_seen for k in steps.keys() & run.store.keys(stage)))
        for made, number in images.items():
            self._images.set(number, mine | {"made": made})
        causes = Counter(f.cause for of_stage in failed.values() for f in of_stage.values())
        for cause in (*CAUSES, *causes):
            self._causes.set(causes[cause], mine | {"cause": str(cause)})
        left = costs(RecordedRates(run.plan, run.store), pending(run.plan, run.store), image_shape(run.spec)).values()
        self._slots.set(run.session.cores, mine)
        self._left.set(sum(cost.seconds for cost in left), mine)
        self._untimed.set(sum(cost.unknown for cost in left), mine)

    def answer(self, analysis: Analysis) -> None:
        """Update the gain and exchange rate of each verdict, with intervals if available."""
        for verdict in analysis.verdicts:
            cell = {
                "run": self._run.name,
                "classifier": verdict.classifier,
                "generator": verdict.generator,
                "protocol": verdict.protocol,
                "real_share": verdict.real_share,
                "num_real": str(verdict.num_real),
            }
            _set(self._gain, verdict.gain, cell)
            _set(self._rate, verdict.exchange.marginal if verdict.exchange else Estimate(None), cell)


def _interval(name: str, meaning: str) -> tuple[Gauge, Gauge, Gauge]:
    return (
        Gauge(name, meaning, CELL),
        Gauge(f"{name}_low", f"{meaning}: lower end of its interval", CELL),
        Gauge(f"{name}_high", f"{meaning}: upper end of its interval", CELL),
    )


def _set(gauges: tuple[Gauge, Gauge, Gauge], estimate: Estimate, cell: dict[str, str]) -> None:
    for gauge, value in zip(gauges, (estimate.value, estimate.low, estimate.high), strict=True):
        gauge.set(UNKNOWN if value is None else float(value), cell)


def write_targets(run: Run) -> None:
    """Write the addresses of all nodes' exporters for Prometheus to ``<storage>/prometheus/<run>.json``.

    Ray itself writes such a file only if its dashboard runs. None is written to remote storage, since Prometheus reads
    local paths.
    """
    if run.store.local:
        nodes = [f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}" for node in ray.nodes() if node["Alive"]]
        found = [{"targets": sorted(nodes), "labels": {"job": "synaug_ray", "synaug_run": run.name}}]
        write_file(run.store.fs, _targets(run), json.dumps(found, indent=1).encode())


def remove_targets(run: Run) -> None:
    """Remove the file of addresses."""
    if run.store.local:
        with suppress(FileNotFoundError):
            run.store.fs.rm_file(_targets(run))


def _targets(run: Run) -> str:
    return f"{run.store.root.rpartition('/')[0]}/prometheus/{run.name}.json"
