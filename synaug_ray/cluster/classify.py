"""Classifier trials by Ray Tune: a Tune trial is a pack, actors are reused, a searcher hands out what is ready.

Looks at pools go the same way, one at a time, when no pack is ready: the answer does not wait for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from synaug_ray.cluster.settings import CLASSIFIER
from synaug_ray.cluster.worker import Materials, bench_here
from synaug_ray.execute import attempt
from synaug_ray.plan import packs
from synaug_ray.steps import QualityStep, TrialStep
from synaug_ray.store import Store

Steps = dict[str, TrialStep | QualityStep]
LOOKS = 4  # at pools, handed out at a time: packs that become ready come before the next
RESTARTS = 3  # of the experiment: an out-of-memory kill raises out of Tuner.fit whatever max_failures says


class PackTrial(tune.Trainable):
    """Tune's view of a pack: one step trains it whole; each of its trials is committed by itself."""

    def setup(self, config: dict[str, Any], materials: Materials, steps: Steps) -> None:
        self._bench = bench_here(materials)
        self._steps = steps
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._keys = list(new_config["keys"])
        return True

    def step(self) -> dict[str, Any]:
        work = [self._steps[k] for k in self._keys]
        trials = [step for step in work if isinstance(step, TrialStep)]
        for step in work:
            if isinstance(step, QualityStep):
                attempt(self._bench, step)
        if trials:
            attempt(self._bench, trials)
        return {"done": True, "trials": len(self._keys)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to save: the Store has what is done."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing to load."""


class ReadyPacks(Searcher):
    """Hands out full packs of trials whose images stand, and short ones when no more can join them; then looks.

    ``suggest`` never blocks, because Tune calls it in its own loop.
    """

    def __init__(self, steps: Steps, store: Store, more: Callable[[], bool],
                 stopped: Callable[[], bool]) -> None:
        """``more``: whether generators or shards are still to come; ``stopped``: whether to end early."""
        super().__init__()
        self._waiting, self._store, self._more, self._stopped = dict(steps), store, more, stopped
        self._packs: list[tuple[TrialStep | QualityStep, ...]] = []
        self._handed: dict[str, tuple[TrialStep | QualityStep, ...]] = {}
        self._looked = 0.0

    def __getstate__(self) -> dict[str, Any]:
        """Without its callables: Tune pickles a searcher at the start, for a restore that is never asked for."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_more", "_stopped")}

    def suggest(self, trial_id: str) -> Any:
        if self._stopped():
            return Searcher.FINISHED
        if not self._packs:
            finished = self._look()
            if not self._packs:
                return Searcher.FINISHED if finished else None
        pack = self._packs.pop(0)
        self._handed[trial_id] = pack
        return {"keys": [t.key for t in pack]}

    def _look(self) -> bool:
        """Pack what is ready; whether nothing is left to wait for."""
        if time.monotonic() - self._looked < self._store.poll:
            return False
        more = self._more()  # before the listing, so that the last shard is not missed
        stands = self._store.keys("shard")
        ready = [t for t in self._waiting.values() if all(s.key in stands for s in t.parents())]
        full = [p for p in packs(t for t in ready if isinstance(t, TrialStep))
                if len(p) == p[0].classifier.pack or not more]
        looks = [q for q in ready if isinstance(q, QualityStep)]
        # those of one Subset together: they share its judges
        looks.sort(key=lambda q: (q.pool.generator.subset.num_real, q.pool.generator.subset.draw))
        self._packs += full or [(q,) for q in looks[:LOOKS]]
        for step in (s for p in self._packs for s in p):
            del self._waiting[step.key]
        self._looked = time.monotonic()
        return not more

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        pack = self._handed.pop(trial_id, ())
        if error:
            for step in pack:
                if step.key not in self._store.keys(step.stage):
                    self._store.fail(step, "preempted", "its worker died, again and again", "")

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the Store has what is done."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


def run(steps: Steps, materials: Materials, scratch: str, more: Callable[[], bool],
        stopped: Callable[[], bool]) -> None:
    """Run all trials and looks that become ready; returns when none is left or ``stopped``."""
    store, slots = Store(materials.store), materials.slots
    trainable = tune.with_resources(
        tune.with_parameters(PackTrial, materials=materials, steps=steps),
        {k.lower(): v for k, v in slots.share(CLASSIFIER).items()},
    )
    for restart in range(RESTARTS + 1):
        done = store.keys("trial") | store.keys("quality")
        left = {k: step for k, step in steps.items() if k not in done}
        if not left or stopped():
            return
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(search_alg=ReadyPacks(left, store, more, stopped), num_samples=-1,
                                        reuse_actors=True, max_concurrent_trials=slots.count),
            run_config=tune.RunConfig(name=f"trials-{materials.session}-{restart}", storage_path=scratch, verbose=0,
                                      failure_config=tune.FailureConfig(max_failures=3)),
        )
        try:
            tuner.fit()
            return
        except RuntimeError:
            if restart == RESTARTS:
                raise
