"""Trials an hour of ``tune: head`` beside ``cnn``: both in one run, and scikit-learn's logistic regression as a peer.

    python tests/benchmarks/frozen.py IMAGES.npz WEIGHTS.safetensors [--model tf_efficientnet_lite0] [--size 64]

Measures CPU seconds of one process (``process_time``), so that a shared machine does not matter. Features count in full:
those of all the data set's images, and of the synthetic ones. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from synaug_ray.config.load import validate_grid
from synaug_ray.config.yaml_source import Lines
from synaug_ray.data.identify import identify
from synaug_ray.data.load import load
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.features import _rows
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.plan.plan import make_plan, packs
from synaug_ray.store.store import Store


def seconds(context: WorkerContext, work) -> float:
    """CPU seconds of a step, or of a pack of trials."""
    began = time.process_time()
    attempt(context, work)
    return time.process_time() - began


def main() -> None:
    """Run a grid's features and heads whole, and as many trainings of ``cnn`` as asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images")
    parser.add_argument("weights")
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--cnn", type=int, default=2, help="trainings of cnn that are timed")
    asked = parser.parse_args()
    head = {"family": "timm", "name": "head", "model": asked.model, "weights": asked.weights, "size": asked.size}
    grid = {
        "dataset": f"npz:{asked.images}",
        "data": {"size": 16},
        "num_real": [50, 100, 200, 400],
        "synthetic_multiples": [0, 1, 4],
        "real_share": ["proportional", 0.25, 0.5, 0.75],
        "protocols": ["mixed", "synthetic-only"],
        "generators": ["jitter"],
        "classifiers": [head | {"tune": "head"}, "cnn"],
        "draws": asked.draws,
        "seeds": 1,
        "quality_draws": 0,
        "training_check": "off",
    }
    spec = validate_grid(grid, Lines("frozen"))
    plan = make_plan(spec, identify(spec.dataset, spec.data, ""))
    use_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        context = WorkerContext(Store(folder), load(plan.data, Path(folder) / "cache"), Machine())
        for step in (*plan.generators.values(), *plan.shards.values()):
            attempt(context, step)
        features = sum(seconds(context, step) for step in plan.features.values())
        images = sum(r.result["nimg"] for r in context.store.records("features", plan.features).values())
        heads = [t for t in plan.trials.values() if t.classifier.frozen]
        took = sum(seconds(context, pack) for pack in packs(heads))
        assert not context.store.failed("trial") and not context.store.failed("features")
        largest = max(heads, key=lambda t: (t.subset.num_real + t.num_synthetic, t.pool is None))
        print("| what | CPU seconds | trials an hour of one core |\n|---|---|---|")
        print(f"| features of {images:,} images | {features:.1f} | |")
        each = took / len(heads)
        print(f"| {len(heads)} heads, 50 to 2,000 images | {took:.1f} | {3600 / each:,.0f} |")
        whole = (features + took) / len(heads)
        print(f"| heads, features included | {features + took:.1f} | {3600 / whole:,.0f} |")
        x, y, weight = _rows(context, largest)
        scaled = x[:, 0].astype(np.float64)
        scaled = (scaled - weight @ scaled) / np.sqrt(weight @ ((scaled - weight @ scaled) ** 2).sum(1))
        began = time.process_time()
        for penalty in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
            LogisticRegression(C=1 / (penalty * len(y)), max_iter=5_000).fit(scaled, y, sample_weight=weight * len(y))
        peer = time.process_time() - began
        print(f"| scikit-learn, {len(y):,} images, five penalties | {peer:.1f} | {3600 / peer:,.0f} |")
        cnn = [t for t in plan.trials.values() if not t.classifier.frozen][: asked.cnn]
        one = statistics.mean(seconds(context, [trial]) for trial in cnn)
        print(f"| cnn, 16 pixels | {one:.1f} each | {3600 / one:,.0f} |")
        print(
            f"\nheads, features included, against cnn: {one / whole:,.0f} times; heads alone: {one / each:,.0f} times"
        )
        for n in (400, 4_000):
            total = features + n * each
            print(f"a grid of {n:,} trials on these images: {n * one / total:,.0f} times")


if __name__ == "__main__":
    main()
