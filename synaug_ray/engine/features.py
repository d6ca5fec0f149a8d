"""Features of frozen networks: computed once as steps of their own, and the heads that trials fit to them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from synaug_ray.classifiers.pretrained import FrozenNetwork
from synaug_ray.classifiers.train import Answers, Outcome
from synaug_ray.common.errors import Diverged
from synaug_ray.data.images import ImageSet, interleave
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Clock, provenance
from synaug_ray.engine.memory import WHOLE, BatchSplit
from synaug_ray.plan.features import FeatureStep, RealPart, Split, real_features
from synaug_ray.plan.footprint import FEATURES_BATCH
from synaug_ray.plan.hybrid import HybridPool
from synaug_ray.plan.steps import ShardStep, TrialStep

FILE = "features.safetensors"
SAVE_SECONDS = 30.0  # between states of an unfinished step; a kill costs at most this


def run_features(context: WorkerContext, step: FeatureStep, batch_split: BatchSplit = WHOLE) -> None:
    """Compute the features of a step's images and commit them: float16 [N, views, D]; goes on where it was stopped.

    Raises:
        Diverged: if a feature is not finite in half precision.
    """
    clock, images, last = Clock(), _images(context, step), time.monotonic()
    network: FrozenNetwork = context.network(step.classifier)
    done = _resumed(context, step)
    chunks = [] if done is None else [done]
    for start in range(sum(map(len, chunks)), len(images), FEATURES_BATCH):
        chunks.append(network.features(images.images[start : start + FEATURES_BATCH]).astype(np.float16))
        context.progress(step, start / len(images))
        if time.monotonic() - last > SAVE_SECONDS:
            context.store.save_scratch(step, FILE, save_arrays({"features": np.concatenate(chunks)}))
            last = time.monotonic()
    features = np.concatenate(chunks) if chunks else network.features(images.images[:0]).astype(np.float16)
    if not np.isfinite(features).all():
        raise Diverged(f"{step.classifier.model} gives features that are not finite; other weights, or another model")
    context.store.commit(
        step,
        {"dimensions": features.shape[2]} | clock.read(len(images)),
        {FILE: save_arrays({"features": features, "labels": np.ascontiguousarray(images.labels)})},
        provenance(context.machine, clock) | batch_split.describe(),
    )


def _images(context: WorkerContext, step: FeatureStep) -> ImageSet:
    source = step.source
    if not isinstance(source, RealPart):
        return context.shard(source)
    whole: ImageSet = getattr(context.dataset, source.split)
    rows = source.rows(len(whole))
    return ImageSet(whole.images[rows], whole.labels[rows])


def _resumed(context: WorkerContext, step: FeatureStep) -> NDArray[np.float16] | None:
    """Whole batches of features from an earlier attempt; None if there are none."""
    state = context.store.load_scratch(step, FILE)
    if state is None:
        return None
    try:
        found = load_arrays(state)["features"]
    except (SafetensorError, KeyError):  # scratch has no checksum
        return None
    return found if len(found) % FEATURES_BATCH == 0 else None


def fit_heads(context: WorkerContext, pack: Sequence[TrialStep]) -> list[Outcome]:
    """The outcomes of trials on frozen features, which are done."""
    from synaug_ray.classifiers import neighbours
    from synaug_ray.classifiers.head import Rows, choose  # scipy: see ``engine.context``

    outcomes = []
    val, test, test2 = context.dataset.val, context.dataset.test, context.dataset.test2
    classifier, data = (
        pack[0].classifier,
        pack[0].subset.data,
    )  # those of all of them

    def whole(split: Split) -> NDArray[np.float64]:
        return context.features(real_features(classifier, data, split))[0][:, 0].astype(np.float64)

    val_z, test_z = whole("val"), whole("test")
    test2_z = None if data.test2 is None else whole("test2")
    for place, trial in enumerate(pack):
        features, labels, weight = _rows(context, trial)
        views = features.shape[1]
        rows = (
            features.reshape(-1, features.shape[2]).astype(np.float64),
            np.repeat(labels, views),
            np.repeat(weight / views, views),
            context.dataset.num_classes,
        )
        if classifier.head == "knn":
            head = neighbours.choose(*rows, val_z, val.labels)
        else:
            head = choose(Rows.of(*rows), val_z, val.labels)
        val_p, log_p = head.log_probabilities(val_z), head.log_probabilities(test_z)
        second = None
        if test2 is not None and test2_z is not None:
            second = Answers.of(head.log_probabilities(test2_z), test2.labels)
        wrong = float((val_p.argmax(1) != val.labels).mean())
        outcomes.append(Outcome(*Answers.of(log_p, test.labels), wrong, len(labels), second))
        context.progress(pack[0], (place + 1) / len(pack))
    return outcomes


def _rows(
    context: WorkerContext, trial: TrialStep
) -> tuple[NDArray[np.float16], NDArray[np.int64], NDArray[np.float64]]:
    """Features [N, views, D], labels and weights of a trial's images: the Subset, then the images of its Pool."""
    index = context.draws.index(trial.subset)
    every, drawn = context.features(real_features(trial.classifier, trial.subset.data, "train"))
    real, labels, n, s = every[index], drawn[index], len(index), trial.num_synthetic
    if trial.pool is None:
        return real, labels, np.full(n, 1 / n)
    chosen = context.chosen(trial)
    pool, made = _of_pool(context, trial)
    relabels = trial.filter is not None and trial.filter.relabels
    synthetic, drawn = pool[chosen], context.synthetic(trial).labels if relabels else made[chosen]
    if trial.protocol == "synthetic-only":
        return synthetic, drawn, np.full(s, 1 / s)
    share = n / (n + s) if trial.real_share is None else trial.real_share
    share = share if trial.real_weight is None else trial.real_weight
    weight = np.concatenate([np.full(n, share / n), np.full(s, (1 - share) / s)])
    return np.concatenate([real, synthetic]), np.concatenate([labels, drawn]), weight


def _of_pool(context: WorkerContext, trial: TrialStep) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Features [S, views, D] and labels of the first images of a trial's Pool, in its order."""
    at = {step.source.key: step for step in trial.features if isinstance(step.source, ShardStep)}
    assert trial.pool is not None
    parts = {
        i: context.features([at[shard.key] for shard in part.shards(count)])
        for i, (part, count) in enumerate(trial.pool.taken(trial.num_raw))
        if count
    }
    if not isinstance(trial.pool, HybridPool):
        return parts[0]
    turns = trial.pool.turns(trial.num_raw)
    return interleave(turns, {i: x for i, (x, _) in parts.items()}), interleave(
        turns, {i: y for i, (_, y) in parts.items()}
    )
