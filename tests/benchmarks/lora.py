"""Low-rank changes of a generator of other images: better than that generator, and than one of the same images alone?

    python tests/benchmarks/lora.py DATASET --cache FOLDER --base FOLDER [--size 8] [--num-real 50] [--draws 3]
    python tests/benchmarks/lora.py DATASET --cache FOLDER --base-of SOURCE --base-images N [--apart] [--class-ids] ...

DATASET is a source such as ``digits`` or ``npz:PATH``. For each draw a Subset of so many training images, of all classes
alike, trains a closed-set EDM generator (``edm-smoke``) and ``lora`` ones that see as many images, in full and as much of
them as images choose. A network trained on the data set's test and validation images judges 500 images of each: the
share that it sees as their label, and the kernel distance of its features to those of the images that it was trained
on, which no generator has seen. ``--base-of`` trains the base first. Figures: `lora.md`.
"""

from __future__ import annotations

import argparse
import tempfile
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
BASE = GENERATORS["edm-tiny"].model_copy(update={"nimg": 24_000})  # of the grid ``datadream-base``


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--base", help="folder of a generator, with as many classes")
    given.add_argument("--base-of", metavar="SOURCE", help="train the base on images of this data set")
    parser.add_argument("--base-images", type=int, default=2_000)
    parser.add_argument("--apart", action="store_true", help="Subsets of images that the base, of the same set, lacks")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--num-real", type=int, default=50)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--class-ids", action="store_true", help="start from the base's classes 0, 1, ...")
    parser.add_argument("--learning-rate", type=float, default=LoraRecipe.model_fields["learning_rate"].default)
    parser.add_argument("--attention", action="store_true", help="also change the layers of attention alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = _loaded(args.dataset, args)
    base = args.base or tempfile.mkdtemp()
    of_base = np.empty(0, int) if args.base else _make_base(args, Path(base))
    candidates = np.setdiff1d(np.arange(len(data.train)), of_base if args.apart else ())
    unseen = concatenate(data.val, data.test)
    judge = features.train(unseen, data.num_classes, 0, CPU)
    ids = tuple(range(data.num_classes))
    own = {"base": base, "class_ids": ids if args.class_ids else (), "learning_rate": args.learning_rate}
    recipes: dict[str, Any] = {
        "the base as it is": LoraRecipe(name="base", base=base, class_ids=ids, max_passes=1e-9),
        "closed-set": GENERATORS["edm-smoke"],
        "low-rank changes": LoraRecipe(name="lora", **own),
        "as much of them as images choose": LoraRecipe(name="lora", validation_share=0.2, **own),
    }
    if args.attention:
        recipes["of attention alone"] = LoraRecipe(name="lora", adapts="attention", **own)
    print("| generator | shows its label | kernel distance | applied | core-s of training |\n|---|---|---|---|---|")
    for name, recipe in recipes.items():
        rows = []
        for draw in range(args.draws):
            subset = _subset(data, candidates, draw, args.num_real)
            rows.append(_measured(recipe, data, subset, unseen, judge, draw))
        columns = (
            ", ".join(f"{v:{form}}" for v in column)
            for column, form in zip(zip(*rows, strict=True), (".1%", ".3f", "g", ".0f"), strict=True)
        )
        print(f"| {name} | {' | '.join(columns)} |", flush=True)


def _loaded(source: str, args: argparse.Namespace) -> Dataset:
    return load(identify(source, DataOptions(size=args.size, mode="gray")), args.cache)


def _make_base(args: argparse.Namespace, folder: Path) -> np.ndarray:
    """Train a base into ``folder``; returns the indices of its images in the training images of its data set."""
    data = _loaded(args.base_of, args)
    rows = np.random.default_rng(1_000).permutation(len(data.train))[: args.base_images]
    for name, content in registry.train(BASE, data.train.take(rows), data.classes, 0, CPU)[0].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return rows


def _subset(data: Dataset, candidates: np.ndarray, draw: int, num_real: int) -> ImageSet:
    order = candidates[np.random.default_rng(draw).permutation(len(candidates))]
    labels, each = data.train.labels[order], num_real // data.num_classes
    return data.train.take(np.concatenate([order[labels == k][:each] for k in range(data.num_classes)]))


def _measured(
    recipe: Any, data: Dataset, subset: ImageSet, unseen: ImageSet, judge: features.Classifier, draw: int
) -> tuple[float, float, float, float]:
    """Share of images with their label, kernel distance, share of the changes applied, and seconds of training."""
    began = time.process_time()
    generator, _ = registry.family(recipe.family).train(recipe, subset, data.classes, draw, CPU)
    seconds = time.process_time() - began
    pool = generator.sample(SAMPLERS["dpmpp-8"], range(IMAGES), draw, CPU)
    shown = float((judge.log_probabilities(pool).argmax(1) == pool.labels).mean())
    kernel = fidelity.compare(judge.features(unseen), judge.features(pool)).kernel
    assert kernel is not None
    chosen = getattr(generator, "chosen", None)
    return shown, kernel.value, 1.0 if chosen is None else chosen.scale, seconds


if __name__ == "__main__":
    main()
