"""Which weight decay a classifier should have at a small and a large number of real images.

    python tests/benchmarks/classifier_search.py cifar20-32.npz kannada-28.npz --size 16 --out FOLDER [--draws 5]

``.npz`` files with train and test images that no verdict uses; the test images serve for validation. Trials see real images
alone. All weight decays of a draw share their Subset, first weights and order of images, so that differences are paired by
draw; each draw has its own. Draws come one after another, so that what is done is balanced. What is in FOLDER is not done
again. One thread. ``--table`` prints the table of all that is done. Figures: `classifier_search.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path

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
TODAY = 0.01  # of every preset that uses AdamW
WEIGHT_DECAYS = (TODAY, 0.1, 0.5, 2.0)  # times the learning rate: 0.01 shrinks weights by 1.5% in 64,000 images
RECIPES = {
    "mlp": CLASSIFIERS["mlp"],
    # of the grid cifar10-16px
    "cnn-24": CLASSIFIERS["cnn"].model_copy(update={"name": "cnn-24", "widths": (24, 48, 96), "nimg": 32_000}),
    "cnn": CLASSIFIERS["cnn"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--num-real", type=int, nargs="+", default=[200, 2_000])
    parser.add_argument("--classifiers", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    if not args.table:
        search(args)
    print(table(args.out))


def search(args: argparse.Namespace) -> None:
    """Do what is not yet done."""
    data = {file.stem: images_of(file, args.size) for file in args.data}
    for classifier, draw, (name, (train, val, num_classes)), num_real, weight_decay in product(
        args.classifiers, range(args.draws), data.items(), args.num_real, WEIGHT_DECAYS
    ):
        cell = {"data": name, "size": args.size, "classifier": classifier, "num_real": num_real, "draw": draw}
        file = args.out / f"{'-'.join(str(v) for v in cell.values())}-{weight_decay:g}.json"
        if file.exists():
            continue
        order = permutation(train, num_classes, draw, "search", "natural")
        recipe = with_decay(RECIPES[classifier], weight_decay)
        started = time.process_time()
        error = validation_error(recipe, train.take(order[:num_real]), val, num_classes, draw)
        done = cell | {"weight_decay": weight_decay, "error": error, "core_s": time.process_time() - started}
        file.write_text(json.dumps(done))
        print(json.dumps(done), flush=True)


def with_decay(recipe: ClassifierRecipe, weight_decay: float) -> ClassifierRecipe:
    """The same recipe with another weight decay, trained alone."""
    optimiser = recipe.optimiser.model_copy(update={"weight_decay": weight_decay})
    return recipe.model_copy(update={"optimiser": optimiser, "pack": 1})


def validation_error(recipe: ClassifierRecipe, subset: ImageSet, val: ImageSet, num_classes: int, draw: int) -> float:
    """The share of validation images that one real-only trial gets wrong."""
    step = TrialStep(
        Subset(DataIdentity("search", "search"), len(subset), draw), None, 0, "real-only", None, recipe, seed=0
    )
    one = val.take(np.arange(1))  # there is no test set here
    [outcome] = train_pack([Member(step, subset)], val, one, num_classes, DEVICE)
    return outcome.val_error


def table(out: Path) -> str:
    """All that is done, in Markdown: today's error, and differences from it, paired by draw, with standard errors."""
    cells: dict[tuple, dict[float, dict[int, float]]] = {}
    for file in sorted(out.glob("*.json")):
        row = json.loads(file.read_text())
        at = (row["data"], row["classifier"], row["num_real"])
        cells.setdefault(at, {}).setdefault(row["weight_decay"], {})[row["draw"]] = 100 * row["error"]
    header = ("images", "classifier", "n real", "draws", "error at 0.01, %", *(f"{w:g}" for w in WEIGHT_DECAYS[1:]))
    lines = [f"| {' | '.join(header)} |", len(header) * "|---" + "|"]
    for (data, classifier, num_real), errors in sorted(cells.items()):
        today = errors.get(TODAY, {})
        others = (beside(errors.get(weight_decay, {}), today) for weight_decay in WEIGHT_DECAYS[1:])
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
