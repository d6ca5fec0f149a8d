"""Classifier trials with Ray Tune: a Tune trial is a pack, actors are reused, and a searcher suggests ready packs.

Quality checks run in the same way, one at a time, when no pack is ready: trials never wait for them.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ray import tune
from ray.exceptions import OutOfMemoryError
from ray.tune.search import Searcher

from synaug_ray.cluster.slots import CLASSIFIER
from synaug_ray.cluster.worker import (
    WorkerConfig,
    attempt_with_timeout,
    context_here,
    own_name,
    preempted,
    run_if_missing,
)
from synaug_ray.common.text import one_line
from synaug_ray.config.protocols import JOINT
from synaug_ray.plan.plan import packs
from synaug_ray.plan.step import Stage, Step
from synaug_ray.plan.steps import QualityStep, TrialStep
from synaug_ray.store.store import Cause, Store

Steps = dict[str, Step]
QUALITY_CHECKS = 4  # suggested at a time, so that packs that become ready in the meantime come before the rest
RETRIES = 2  # of a pack whose worker died; then each of its steps is run alone
# Tune (2.60) fails a trial at once, despite max_failures, if the idle worker that it reuses has died. Such a step is
# suggested again, and workers count how often it really began. This limit is only for workers that die before that.
LOST = 10
RESTARTS = 3  # of the experiment, if Tune itself fails


class PackTrial(tune.Trainable):
    """A pack as a Tune trial: one step trains the whole pack, and commits each member separately."""

    def setup(self, config: dict[str, Any], worker_config: WorkerConfig, steps: Steps) -> None:
        self._context, self._worker_config = context_here(worker_config, "classifier", own_name()), worker_config
        self._steps = steps
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._keys = list(new_config["keys"])
        return True

    def step(self) -> dict[str, Any]:
        if len(self._keys) == 1:
            run_if_missing(self._context, self._worker_config, self._steps[self._keys[0]])
        elif work := self._context.missing(
            [self._steps[k] for k in self._keys]
        ):  # unless another driver has run them all
            attempt_with_timeout(self._context, work)
        return {"done": True, "trials": len(self._keys)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save nothing: the Store has all results."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Load nothing."""


class ReadyTrialSearcher(Searcher):
    """Suggests packs of trials whose images, or whose generator's head, exist, and then quality checks.

    A pack that is not full is suggested only if no more trials can join it. ``suggest`` never blocks, because Tune
    calls it in its own loop.
    """

    def __init__(
        self,
        trials: Mapping[str, TrialStep],
        checks: Mapping[str, QualityStep],
        store: Store,
        more: Callable[[], bool],
        stopped: Callable[[], bool],
        session: str = "",
        one_by_one: Iterable[Step] = (),
        features: Mapping[str, Step] | None = None,
    ) -> None:
        """Suggest nothing yet.

        Args:
            trials: by key.
            checks: quality checks, by key.
            more: whether generators or shards are still missing.
            stopped: whether to end early.
            session: of this run of the command, for what it records.
            one_by_one: steps to suggest before all others, each by itself.
            features: of frozen networks, which trials wait for, by key.
        """
        super().__init__()
        self._trials, self._checks, self._features = dict(trials), dict(checks), dict(features or {})
        self._store, self._more, self._stopped, self._session = store, more, stopped, session
        self._packs: list[tuple[Step, ...]] = [(step,) for step in one_by_one]
        self._handed: dict[str, tuple[Step, ...]] = {}
        self._lost: Counter[str] = Counter()  # how many Tune trials of a single step failed
        self._looked = 0.0

    def __getstate__(self) -> dict[str, Any]:
        """The state without callables: Tune pickles a searcher at the start, for a restore that never happens here."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_more", "_stopped")}

    def suggest(self, trial_id: str) -> Any:
        if self._stopped():
            return Searcher.FINISHED
        if not self._packs:
            finished = self._look()
            if not self._packs:  # steps in progress may fail and be suggested again, alone
                return Searcher.FINISHED if finished and not self._handed else None
        pack = self._packs.pop(0)
        self._handed[trial_id] = pack
        return {"keys": [t.key for t in pack]}

    def _look(self) -> bool:
        """Pack the steps that are ready; returns whether there is nothing left to wait for."""
        if time.monotonic() - self._looked < self._store.poll:
            return False
        more = self._more()  # before the listing, so that the last shard is not missed
        waiting = any(t.classifier.frozen for t in self._trials.values())
        done = self._store.keys("shard") | (self._store.keys("features") if waiting else set())
        done |= self._store.keys("generator") if any(t.protocol == JOINT for t in self._trials.values()) else set()
        ready = [f for f in self._features.values() if all(s.key in done for s in f.parents())]
        self._packs += [(self._features.pop(step.key),) for step in ready]
        more = more or bool(ready) or any(p[0].stage == "features" for p in self._handed.values())
        trials = [t for t in self._trials.values() if all(s.key in done for s in t.parents())]
        full = [p for p in packs(trials) if len(p) == p[0].classifier.pack or not more]
        for trial in (t for p in full for t in p):
            del self._trials[trial.key]
        self._packs += full
        if not full:
            checks = [q for q in self._checks.values() if all(s.key in done for s in q.parents())]
            # the checks of one Subset in a row, since they share its label classifiers
            checks.sort(key=lambda q: (q.pool.generator.subset.num_real, q.pool.generator.subset.draw))
            self._packs += [(self._checks.pop(q.key),) for q in checks[:QUALITY_CHECKS]]
        self._looked = time.monotonic()
        return not more

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        pack = self._handed.pop(trial_id, ())
        if not error:
            return
        done = self._store.keys(pack[0].stage) if pack else set()  # a pack is of one stage
        for step in pack:  # alone from now on: the step that killed the worker must not fail the others
            if step.key in done:
                continue
            self._lost[step.key] += len(pack) == 1
            if self._lost[step.key] < LOST:
                self._packs.append((step,))
            else:
                preempted(self._store, step, self._session)

    def handed(self) -> Steps:
        """Steps that were suggested and have not completed yet."""
        return {step.key: step for pack in self._handed.values() for step in pack}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the Store has all results."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


def run(
    trials: dict[str, TrialStep],
    checks: dict[str, QualityStep],
    config: WorkerConfig,
    scratch: str,
    more: Callable[[], bool],
    stopped: Callable[[], bool],
    features: Mapping[str, Step] | None = None,
) -> None:
    """Run all features, trials and quality checks that become ready; returns when none is left or ``stopped``.

    When Ray's memory monitor kills a worker, Tune (2.60) ends the experiment despite ``max_failures``. The steps that
    were in progress are then run first, one at a time. One that runs out of memory even alone is recorded as failed,
    and the run goes on. So each restart completes or fails at least one step.
    """
    store, session = Store(config.store), config.session
    features = features or {}
    steps: Steps = {**trials, **checks, **features}
    retry_alone: Steps = {}
    broken = 0
    for number in itertools.count():
        settled = _settled(store, session)
        retry_alone = {k: step for k, step in retry_alone.items() if k not in settled}
        if not steps.keys() - settled or stopped():
            return
        if retry_alone:
            searcher = ReadyTrialSearcher({}, {}, store, lambda: False, stopped, session, retry_alone.values())
        else:
            left_trials = {k: t for k, t in trials.items() if k not in settled}
            left_checks = {k: q for k, q in checks.items() if k not in settled}
            left_features = {k: f for k, f in features.items() if k not in settled}
            searcher = ReadyTrialSearcher(
                left_trials, left_checks, store, more, stopped, session, features=left_features
            )
        try:
            _tuner(
                searcher, 1 if retry_alone else config.slots.count, steps, config, f"trials-{session}-{number}", scratch
            ).fit()
        except RuntimeError as error:
            memory = _out_of_memory(error)
            out = {k: step for k, step in searcher.handed().items() if k not in _settled(store, session)}
            broken += memory is None or not out
            if broken > RESTARTS:
                raise
            if memory is not None and retry_alone:
                for step in out.values():
                    store.fail(step, Cause.OUT_OF_MEMORY, one_line(memory, 500), "", session)
            elif memory is not None:
                retry_alone = out
        else:
            if not retry_alone:
                return
            retry_alone = {}


def _settled(store: Store, session: str) -> set[str]:
    """Keys of features, trials and quality checks that are done, or that have failed in this session."""
    stages: tuple[Stage, ...] = ("features", "trial", "quality")
    failed = {k for stage in stages for k, f in store.failed(stage).items() if f.session == session}
    return set().union(failed, *(store.keys(stage) for stage in stages))


def _out_of_memory(error: BaseException | None) -> BaseException | None:
    """The memory monitor's error in an exception's chain of causes, if any."""
    while error is not None and not isinstance(error, OutOfMemoryError):
        error = error.__cause__ or error.__context__
    return error


def _tuner(searcher: Searcher, at_once: int, steps: Steps, config: WorkerConfig, name: str, scratch: str) -> tune.Tuner:
    share = {k.lower(): v for k, v in config.slots.share(CLASSIFIER).items()}
    return tune.Tuner(
        tune.with_resources(tune.with_parameters(PackTrial, worker_config=config, steps=steps), share),
        tune_config=tune.TuneConfig(
            search_alg=searcher, num_samples=-1, reuse_actors=True, max_concurrent_trials=at_once
        ),
        run_config=tune.RunConfig(
            name=name, storage_path=scratch, verbose=0, failure_config=tune.FailureConfig(max_failures=RETRIES)
        ),
    )
