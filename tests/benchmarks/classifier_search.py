"""How a classifier should be trained at a small and a large number of real images.

    python tests/benchmarks/classifier_search.py cifar20-32.npz kannada-28.npz --size 16 --out FOLDER [--draws 5]
    python tests/benchmarks/classifier_search.py cifar20-32.npz kannada-28.npz --size 8 --out OTHER --draws 2 \\
        --question small-images --classifiers cnn-small --num-real 800 3200

``.npz`` files with train and test images that no verdict uses; the test images serve for validation. Trials see real images
alone. All variants of a draw share their Subset, first weights and order of images, so that differences are paired by
draw; each draw has its own. Draws come one after another, so that what is done is balanced. What is in FOLDER is not done
again. One thread. ``--table`` prints the table of all that is done. Figures: `classifier_search.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from generator_search import images_of

from synaug_ray.classifiers.train import Member, train_pack
from synaug_ray.config.presets import CLASSIFIERS
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import permutation
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset

DEVICE = torch.device("cpu")
SHIFT_1 = {"flip": False, "shift": 1}
# What is tried, by its name in the table; the first is what the others are compared with
QUESTIONS: dict[str, dict[str, dict[str, Any]]] = {
    # 0.01 is of every preset that uses AdamW; times the learning rate it shrinks weights by 1.5% in 64,000 images
    "weight-decay": {f"{w:g}": {"optimiser": {"weight_decay": w}} for w in (0.01, 0.1, 0.5, 2.0)},
    # the preset is for photographs of 28 px and more
    "small-images": {
        "flips, shift 2": {},
        "4 times as long": {"nimg": 256_000},
        "no flips": {"flip": False},
        "neither": {"flip": False, "shift": 0},
        "shift 1": {"shift": 1},
        "shift 1, rate 0.005": {"shift": 1, "optimiser": {"learning_rate": 5e-3}},
        "no flips, shift 1": SHIFT_1,
        "no flips, shift 1, rate 0.005": SHIFT_1 | {"optimiser": {"learning_rate": 5e-3}},
        "no flips, shift 1, rate 0.005, twice as long": SHIFT_1
        | {"nimg": 128_000, "optimiser": {"learning_rate": 5e-3}},
        "no flips, shift 1, rate 0.01": SHIFT_1 | {"optimiser": {"learning_rate": 1e-2}},
    },
}
RECIPES = {
    "mlp": CLASSIFIERS["mlp"],
    # of the grid cifar10-16px
    "cnn-24": CLASSIFIERS["cnn"].model_copy(update={"name": "cnn-24", "widths": (24, 48, 96), "nimg": 32_000}),
    "cnn": CLASSIFIERS["cnn"],
    "cnn-small": CLASSIFIERS["cnn"].model_copy(update={"name": "cnn-small", "widths": (16, 32, 64)}),  # of the atlas
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--num-real", type=int, nargs="+", default=[200, 2_000])
    parser.add_argument("--question", choices=QUESTIONS, default="weight-decay")
    parser.add_argument("--classifiers", nargs="+", choices=RECIPES, default=["mlp", "cnn-24", "cnn"])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    if not args.table:
        search(args)
    print(table(args.out, list(QUESTIONS[args.question])))


def search(args: argparse.Namespace) -> None:
    """Do what is not yet done."""
    data = {file.stem: images_of(file, args.size) for file in args.data}
    for classifier, draw, (name, (train, val, num_classes)), num_real, (variant, changes) in product(
        args.classifiers, range(args.draws), data.items(), args.num_real, QUESTIONS[args.question].items()
    ):
        cell = {"data": name, "size": args.size, "classifier": classifier, "num_real": num_real, "draw": draw}
        file = args.out / f"{'-'.join(str(v) for v in cell.values())}-{variant}.json"
        if file.exists():
            continue
        order = permutation(train, num_classes, draw, "search", "natural")
        recipe = changed(RECIPES[classifier], changes)
        started = time.process_time()
        error = validation_error(recipe, train.take(order[:num_real]), val, num_classes, draw)
        done = cell | {"variant": variant, "error": error, "core_s": time.process_time() - started}
        file.write_text(json.dumps(done))
        print(json.dumps(done), flush=True)


def changed(recipe: ClassifierRecipe, changes: dict[str, Any]) -> ClassifierRecipe:
    """The same recipe with other fields, trained alone."""
    optimiser = recipe.optimiser.model_copy(update=changes.get("optimiser", {}))
    return recipe.model_copy(update=changes | {"optimiser": optimiser, "pack": 1})


def validation_error(recipe: ClassifierRecipe, subset: ImageSet, val: ImageSet, num_classes: int, draw: int) -> float:
    """The share of validation images that one real-only trial gets wrong."""
    step = TrialStep(
        Subset(DataIdentity("search", "search"), len(subset), draw), None, 0, "real-only", None, recipe, seed=0
    )
    one = val.take(np.arange(1))  # there is no test set here
    [outcome] = train_pack([Member(step, subset)], val, one, num_classes, DEVICE)
    return outcome.val_error


def table(out: Path, variants: list[str]) -> str:
    """All that is done, in Markdown: the first variant's error, and differences from it, with standard errors."""
    cells: dict[tuple, dict[str, dict[int, float]]] = {}
    for file in sorted(out.glob("*.json")):
        row = json.loads(file.read_text())
        at = (row["data"], row["classifier"], row["num_real"])
        cells.setdefault(at, {}).setdefault(row["variant"], {})[row["draw"]] = 100 * row["error"]
    header = ("images", "classifier", "n real", "draws", f"error with {variants[0]}, %", *variants[1:])
    lines = [f"| {' | '.join(header)} |", len(header) * "|---" + "|"]
    for (data, classifier, num_real), errors in sorted(cells.items()):
        today = errors.get(variants[0], {})
        others = (beside(errors.get(variant, {}), today) for variant in variants[1:])
        told = (data, classifier, f"{num_real:,}", str(len(today)), f"{np.mean(list(today.values())):.1f}", *others)
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def beside(errors: dict[int, float], today: dict[int, float]) -> str:
    """The mean difference in points over the draws that both have, and its standard error."""
    apart = np.array([errors[draw] - today[draw] for draw in sorted(errors.keys() & today.keys())])
    if len(apart) == 0:
        return ""
    if len(apart) == 1:
        return f"{apart[0]:+.2f}"
    return f"{apart.mean():+.2f} ± {apart.std(ddof=1) / np.sqrt(len(apart)):.2f}"


if __name__ == "__main__":
    main()
