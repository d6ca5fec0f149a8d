"""Trials at once against one after another: the same classifiers, data and batches on one core.

    python tests/benchmarks/packs.py

For each width the same 32 trials are trained in packs of that width; seconds are CPU seconds a trial, medians of
repeats taken in turn. Width 1 is the plain module, step by step, as most would write it. Predicted probabilities are
compared with width 1's. Figures: `packs.md`.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from synaug_ray.classifiers.train import Member, train_pack
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.presets import CLASSIFIERS
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.identify import identify
from synaug_ray.data.images import Dataset
from synaug_ray.data.load import load
from synaug_ray.data.subsets import Draws
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset

TRIALS = 32
WIDTHS = (1, 2, 4, 8, 16, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nimg", type=int, default=16_000, help="images a trial sees")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    identity = identify("digits", DataOptions())
    with tempfile.TemporaryDirectory() as cache:
        dataset = load(identity, Path(cache))
    print(
        f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}, {TRIALS} trials of "
        f"{args.nimg:,} images, medians of {args.repeats}\n\n| network | width | CPU s a trial | against width 1 | "
        "largest difference of a probability |\n|---|---|---|---|---|"
    )
    for name, widths in (("digits' mlp, 128-128", (128, 128)), ("mlp, 512-512", (512, 512))):
        recipe = CLASSIFIERS["mlp"].model_copy(update={"nimg": args.nimg, "widths": widths})
        _compare(name, recipe, identity, dataset, args.repeats)


def _compare(name: str, recipe: ClassifierRecipe, identity: DataIdentity, dataset: Dataset, repeats: int) -> None:
    seconds: dict[int, list[float]] = {width: [] for width in WIDTHS}
    probability: dict[int, np.ndarray] = {}
    for _, width in itertools.product(range(repeats), WIDTHS):
        members = _members(recipe.model_copy(update={"pack": width}), identity, dataset)
        started = time.process_time()
        found = [
            o
            for i in range(0, TRIALS, width)
            for o in train_pack(members[i : i + width], dataset.val, dataset.test, 10, torch.device("cpu"))
        ]
        seconds[width].append((time.process_time() - started) / TRIALS)
        probability[width] = np.stack([o.probability for o in found])
    for width in WIDTHS:
        gain = statistics.median(a / b for a, b in zip(seconds[1], seconds[width], strict=True))
        apart = np.abs(probability[width] - probability[1]).max()
        print(f"| {name} | {width} | {statistics.median(seconds[width]):.3f} | {gain:.2f} | {apart:.1e} |", flush=True)


def _members(recipe: ClassifierRecipe, identity: DataIdentity, dataset: Dataset) -> list[Member]:
    """Four draws of 80 images, eight seeds each; the key of a recipe's pack must not change what is trained."""
    draws, members = Draws(dataset.train, dataset.num_classes), []
    for draw in range(4):
        subset = Subset(identity, 80, draw)
        images = dataset.train.take(draws.index(subset))
        members += [Member(TrialStep(subset, None, 0, "real-only", None, recipe, seed), images) for seed in range(8)]
    return members


if __name__ == "__main__":
    main()
