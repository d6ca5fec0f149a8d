"""What a trial of protocol ``joint`` measures: the class head that its generator was trained with."""

from __future__ import annotations

from typing import cast

from synaug_ray.classifiers.train import Answers, Outcome
from synaug_ray.data.images import ImageSet
from synaug_ray.engine.context import WorkerContext
from synaug_ray.generators.base import WithHead
from synaug_ray.plan.steps import TrialStep


def head_outcome(context: WorkerContext, trial: TrialStep) -> Outcome:
    """The head's answers to the test images; images seen are those of the generator's training."""
    assert trial.pool is not None
    step, dataset = trial.pool.generator, context.dataset
    head = cast(WithHead, context.generator(step))

    def answers(images: ImageSet) -> Answers:
        return Answers.of(head.log_probabilities(images.images, context.device), images.labels)

    tested, validated = answers(dataset.test), answers(dataset.val)
    second = None
    if trial.subset.data.test2 is not None and dataset.test2 is not None:
        second = answers(dataset.test2)
    wrong = float((validated.predicted != dataset.val.labels).mean())
    seen = int(context.store.record("generator", step.key).result["nimg"])
    return Outcome(*tested, wrong, seen, second, notes=head.head_notes)
