"""The order of work: steps that give a first partial result come first. It changes no key and no result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from synaug_ray.plan.plan import Plan, features_in
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import Subset

Turn = tuple[int, int, int]  # draw, whether synthetic images are needed, number of real images


def early_answers_first(plan: Plan) -> Plan:
    """The same steps, sorted by draw; within a draw the real-only trials come first, then the others by num_real.

    A generator or shard comes with the first trial that needs it. Checks of the length of training come last.
    """
    checks = plan.training_checks
    trials = dict(sorted(plan.trials.items(), key=lambda item: (item[0] in checks, _turn(item[1]))))
    first: dict[str, Turn] = {}
    for trial in trials.values():
        if trial.pool is not None:
            for step in (*trial.pool.generators, *trial.shards):
                first.setdefault(step.key, _turn(trial))

    def turn(key: str, subset: Subset) -> Turn:
        return first.get(key, (subset.draw, 1, subset.num_real))

    return replace(
        plan,
        trials=trials,
        generators=dict(sorted(plan.generators.items(), key=lambda at: turn(at[0], at[1].subset))),
        shards=dict(sorted(plan.shards.items(), key=lambda at: turn(at[0], at[1].generator.subset))),
        features=features_in(trials.values()),
        # those of one Subset together: they share the networks trained on its real images
        qualities=dict(sorted(plan.qualities.items(), key=lambda at: turn("", at[1].pool.generator.subset))),
    )


def _turn(trial: TrialStep) -> Turn:
    return trial.subset.draw, int(trial.pool is not None), trial.subset.num_real


def packs_in_order(trials: Sequence[TrialStep]) -> int:
    """How many packs ``engine.local`` makes of trials of one ``pack_key``: a first result does not wait for full ones.

    In the first draw, the first pool's trials and the others may each end with a pack that real-only trials of later
    draws cannot fill; it costs as much as a full one.
    """
    width, first = trials[0].classifier.pack, min(trial.subset.draw for trial in trials)
    of_first = [trial for trial in trials if trial.subset.draw == first]
    pool = next((trial.pool for trial in of_first if trial.pool is not None), None)
    real = sum(trial.pool is None for trial in of_first)
    early = sum(trial.pool == pool for trial in of_first) if pool else 0
    fill = sum(trial.pool is None for trial in trials) - real
    if -real % width > fill:  # the last of them wait for the first pool's
        groups = [real // width * width, real % width + early]
    else:
        groups = [real, early]
    packs, left = 0, len(trials) - len(of_first)
    for group in (*groups, len(of_first) - real - early):
        filled = min(fill, -group % width)
        packs, fill, left = packs - (-group // width), fill - filled, left - filled
    return packs - (-left // width)
