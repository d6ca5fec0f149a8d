"""bf16 against fp32 on this CPU: seconds a trial, and what it does to the test error.

    python tests/benchmarks/precision.py

The same trials of digits (subsets, batches, seeds) in both precisions, in turn, on one core. Seconds are CPU seconds a
trial; the difference of the test errors is paired, its standard error over draws of the subset. Figures:
`precision.md`.
"""

from __future__ import annotations

import argparse
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

DRAWS, NUM_REAL = 8, 80


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nimg", type=int, default=16_000, help="images a trial sees")
    args = parser.parse_args()
    torch.set_num_threads(1)
    identity = identify("digits", DataOptions())
    with tempfile.TemporaryDirectory() as cache:
        dataset = load(identity, Path(cache))
    print(
        f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}, "
        f"{DRAWS} draws of {NUM_REAL} images, trials of {args.nimg:,} images\n\n"
        "| network | seeds | fp32, CPU s a trial | bf16 | fp32 / bf16 | error in fp32 | bf16 less fp32, points |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name, seeds, fields in (("mlp", 8, {"widths": (128, 128), "pack": 8}), ("cnn", 1, {})):
        recipe = CLASSIFIERS[name].model_copy(update={"nimg": args.nimg, **fields})
        _compare(recipe, seeds, identity, dataset)


def _compare(recipe: ClassifierRecipe, seeds: int, identity: DataIdentity, dataset: Dataset) -> None:
    draws = Draws(dataset.train, dataset.num_classes)
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    errors: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for draw in range(DRAWS):
        subset = Subset(identity, NUM_REAL, draw)
        images = dataset.train.take(draws.index(subset))
        for precision in seconds:
            exact = recipe.model_copy(update={"precision": precision})
            pack = [Member(TrialStep(subset, None, 0, "real-only", None, exact, seed), images) for seed in range(seeds)]
            started = time.process_time()
            found = train_pack(pack, dataset.val, dataset.test, dataset.num_classes, torch.device("cpu"))
            seconds[precision].append((time.process_time() - started) / seeds)
            errors[precision].append(100 * float(np.mean([(o.predicted != dataset.test.labels).mean() for o in found])))
    gain = statistics.median(a / b for a, b in zip(seconds["fp32"], seconds["bf16"], strict=True))
    apart = np.subtract(errors["bf16"], errors["fp32"])
    print(
        f"| {recipe.name} | {seeds} | {statistics.median(seconds['fp32']):.2f} | "
        f"{statistics.median(seconds['bf16']):.2f} | {gain:.2f} | {np.mean(errors['fp32']):.1f} % | "
        f"{apart.mean():+.2f} ({apart.std(ddof=1) / DRAWS**0.5:.2f}) |",
        flush=True,
    )


if __name__ == "__main__":
    main()
