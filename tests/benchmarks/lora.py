"""Low-rank changes of a generator of other images: better than that generator, and than one of the same images alone?

    python tests/benchmarks/lora.py DATASET --base FOLDER --cache FOLDER [--size 8] [--num-real 50] [--draws 2]

DATASET is a source such as ``digits`` or ``npz:PATH``. For each draw a Subset of so many training images, of all classes
alike, trains a closed-set EDM generator (``edm-smoke``) and ``lora`` ones that see as many images. A network trained on
the data set's test and validation images judges 500 images of each: the share that it sees as their label, and the
kernel distance of its features to those of the images that it was trained on, which no generator has seen. Figures: `lora.md`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.presets import GENERATORS, SAMPLERS
from synaug_ray.data.identify import identify
from synaug_ray.data.images import Dataset, ImageSet, concatenate
from synaug_ray.data.load import load
from synaug_ray.generators import registry
from synaug_ray.quality import features, fidelity

CPU = torch.device("cpu")
IMAGES = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--base", required=True, help="folder of a generator, with as many classes")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--num-real", type=int, default=50)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--class-ids", action="store_true", help="start from the base's classes 0, 1, ...")
    parser.add_argument("--learning-rate", type=float, default=LoraRecipe.model_fields["learning_rate"].default)
    parser.add_argument("--attention", action="store_true", help="also change the layers of attention alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load(identify(args.dataset, DataOptions(size=args.size, mode="gray")), args.cache)
    unseen = concatenate(data.val, data.test)
    judge = features.train(unseen, data.num_classes, 0, CPU)
    ids = tuple(range(data.num_classes))
    own = {"base": args.base, "class_ids": ids if args.class_ids else (), "learning_rate": args.learning_rate}
    recipes: dict[str, Any] = {
        "the base as it is": LoraRecipe(name="base", base=args.base, class_ids=ids, max_passes=1e-9),
        "closed-set": GENERATORS["edm-smoke"],
        "low-rank changes": LoraRecipe(name="lora", **own),
    }
    if args.attention:
        recipes["of attention alone"] = LoraRecipe(name="lora", adapts="attention", **own)
    print("| generator | shows its label | kernel distance | core-s of training |\n|---|---|---|---|")
    for name, recipe in recipes.items():
        rows = [_measured(recipe, data, unseen, judge, draw, args.num_real) for draw in range(args.draws)]
        shown, distance, seconds = (
            ", ".join(f"{v:{form}}" for v in column)
            for column, form in zip(zip(*rows, strict=True), (".1%", ".3f", ".0f"), strict=True)
        )
        print(f"| {name} | {shown} | {distance} | {seconds} |", flush=True)


def _measured(
    recipe: Any, data: Dataset, unseen: ImageSet, judge: features.Classifier, draw: int, num_real: int
) -> tuple[float, float, float]:
    """Share of images with their label, kernel distance, and seconds of training."""
    order = np.random.default_rng(draw).permutation(len(data.train))
    labels, each = data.train.labels[order], num_real // data.num_classes
    subset = data.train.take(np.concatenate([order[labels == k][:each] for k in range(data.num_classes)]))
    began = time.process_time()
    generator, _ = registry.family(recipe.family).train(recipe, subset, data.classes, draw, CPU)
    seconds = time.process_time() - began
    pool = generator.sample(SAMPLERS["dpmpp-8"], range(IMAGES), draw, CPU)
    shown = float((judge.log_probabilities(pool).argmax(1) == pool.labels).mean())
    kernel = fidelity.compare(judge.features(unseen), judge.features(pool)).kernel
    assert kernel is not None
    return shown, kernel.value, seconds


if __name__ == "__main__":
    main()
