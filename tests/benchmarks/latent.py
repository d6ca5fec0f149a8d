"""Latent diffusion beside diffusion of pixels at 64 px, for about the same core-seconds: do both work, what do they cost?

    python tests/benchmarks/latent.py DATA.npz --out FOLDER [--num-real 400] [--seconds 600]

Trains a ``latent`` and an ``edm`` generator on a Subset of the training images, each for about so many CPU seconds of one
thread. Prints a table: images seen, CPU seconds per image in training and in sampling, and for the latent one the peak
signal-to-noise ratio of the autoencoder, on images of the Subset and on ones that it has not seen. Sheets of samples go to
the folder. Figures: `latent.md`. It tells nothing of what the images are worth to a classifier: a grid measures that.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.generator_recipes import EDMRecipe, LatentRecipe
from synaug_ray.config.presets import SAMPLERS
from synaug_ray.data.identify import identify
from synaug_ray.data.images import ImageSet
from synaug_ray.data.load import load
from synaug_ray.generators import autoencoder, latent, registry
from synaug_ray.generators.diffusion import to_task

CPU = torch.device("cpu")
SHARED = {"batch": 32, "warmup_nimg": 1_280, "ema_half_life": 1_280, "flip": True, "conditioning": "scale-shift"}
RECIPES = (
    LatentRecipe(name="latent", channels=(64, 128), norm_groups=16, learning_rate=3e-3, **SHARED),
    EDMRecipe(
        name="edm", channels=(16, 32, 64, 64), attention=(False, False, False, False), learning_rate=3e-3, **SHARED
    ),
)
SHOWN = 8  # images a row of a sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--num-real", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=600.0, help="CPU seconds of each training")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    whole = load(identify(f"npz:{args.data}", DataOptions(size=args.size)), args.out / "cache")
    order = np.random.default_rng(0).permutation(len(whole.train))
    subset, unseen = whole.train.take(order[: args.num_real]), whole.train.take(order[-args.num_real :])
    _sheet(subset, args.out / "real.png")
    print(
        "| generator | images seen | core-s per 1,000, training | core-s per 1,000, sampling | PSNR, seen | PSNR, unseen |"
    )
    print("|---|---|---|---|---|---|")
    for recipe in RECIPES:
        print(_row(recipe, subset, unseen, whole.classes, args), flush=True)


def _row(
    recipe: LatentRecipe | EDMRecipe,
    subset: ImageSet,
    unseen: ImageSet,
    classes: tuple[str, ...],
    args: argparse.Namespace,
) -> str:
    short = recipe.model_copy(update={"nimg": 20 * recipe.batch})
    _, seconds = _trained(short, subset, classes)
    whole = recipe.model_copy(update={"nimg": max(round(args.seconds / seconds * short.nimg), short.nimg)})
    generator, seconds = _trained(whole, subset, classes)
    began = time.process_time()
    pool = generator.sample(SAMPLERS["dpmpp-8"].model_copy(update={"batch": 64}), range(8 * SHOWN), 0, CPU)
    sampling = (time.process_time() - began) / len(pool)
    _sheet(pool, args.out / f"{recipe.name}.png")
    decibels = ["-", "-"]
    if isinstance(generator, latent.LatentGenerator):
        parts = (to_task(part, len(classes), 0, CPU).images for part in (subset, unseen))
        decibels = [f"{float(autoencoder.psnr(generator.autoencoder, x).mean()):.1f} dB" for x in parts]
    return (
        f"| `{recipe.name}` | {whole.nimg:,} | {1_000 * seconds / whole.nimg:.1f} | {1_000 * sampling:.1f} | "
        f"{' | '.join(decibels)} |"
    )


def _trained(recipe: LatentRecipe | EDMRecipe, subset: ImageSet, classes: tuple[str, ...]):  # type: ignore[no-untyped-def]
    began = time.process_time()
    generator, _ = registry.family(recipe.family).train(recipe, subset, classes, 0, CPU)
    return generator, time.process_time() - began


def _sheet(images: ImageSet, path: Path) -> None:
    pixels = images.images[: SHOWN * SHOWN].transpose(0, 2, 3, 1)
    rows = [np.concatenate(list(pixels[i : i + SHOWN]), 1) for i in range(0, len(pixels), SHOWN)]
    whole = np.concatenate(rows)
    Image.fromarray(whole if whole.shape[-1] == 3 else whole[..., 0]).save(path)


if __name__ == "__main__":
    main()
