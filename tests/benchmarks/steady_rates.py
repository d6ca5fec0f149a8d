"""At which learning rates does a generator's training diverge? On images that no verdict uses.

    python tests/benchmarks/steady_rates.py cifar20-32.npz [--preset edm-16px-2] [--size 16] [--draws 0 1] \\
        [--rates 6e-3 12e-3] [--beta2 0.999 0.99 0.95] [--nimg 80000] [--stop 16384]

The length of the schedule is ``--nimg``, so that the rate stays near its peak; a training ends after ``--stop`` images.
A row says the largest rise of a mean loss of some 2,048 images above the lowest one before it, and the lowest; a loss
that is not finite is a rise without end. One thread. Figures: `generator_search.md`.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from generator_search import images_of

from synaug_ray.common.errors import Diverged
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.presets import GENERATORS
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import permutation
from synaug_ray.generators import edm
from synaug_ray.training.steady import STRETCH

SUBSET = 1_000  # images


class Enough(Exception):
    """The training has gone as far as was asked."""


def means(recipe: EDMRecipe, subset: ImageSet, classes: int, seed: int, stop: int) -> list[float]:
    """The mean loss of each stretch of images seen; the last is infinite where a loss is not finite."""
    losses: list[float] = []
    backward = edm.backward

    def recorded(*args: Any) -> torch.Tensor:
        loss = backward(*args)
        losses.append(float(loss))
        return loss

    def save(state: Callable[[], bytes], nimg: int) -> None:
        if nimg >= stop:
            raise Enough

    edm.backward = recorded
    diverged = False
    try:
        edm.train(recipe, subset, tuple(map(str, range(classes))), seed, torch.device("cpu"), None, save)
    except Enough:
        pass
    except Diverged:
        diverged = True
    finally:
        edm.backward = backward
    each = math.ceil(STRETCH / recipe.batch)
    found = [float(np.mean(losses[at : at + each])) for at in range(0, len(losses) - each + 1, each)]
    found = [mean if math.isfinite(mean) else math.inf for mean in found]
    return [*found, math.inf] if diverged else found


def main() -> None:
    """Print a row for each draw, rate and beta2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="edm-16px-2")
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--rates", type=float, nargs="+", default=[6e-3, 12e-3])
    parser.add_argument("--beta2", type=float, nargs="+", default=[0.999, 0.99, 0.95])
    parser.add_argument("--nimg", type=int, default=80_000)
    parser.add_argument("--stop", type=int, default=16_384)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    train, _, classes = images_of(asked.data, asked.size)
    preset = GENERATORS[asked.preset]
    assert isinstance(preset, EDMRecipe)
    print("| draw | rate | beta2 | lowest | largest rise | core-s |\n|---|---|---|---|---|---|")
    for draw, rate, beta2 in product(asked.draws, asked.rates, asked.beta2):
        subset = train.take(permutation(train, classes, draw, "steady", "natural")[:SUBSET])
        changed = {"learning_rate": rate, "adam_beta2": beta2, "nimg": asked.nimg, "max_passes": None}
        began = time.process_time()
        found = np.array(means(preset.model_copy(update=changed), subset, classes, derive_seed("g", draw), asked.stop))
        rise = float((found / np.minimum.accumulate(found)).max())
        spent = time.process_time() - began
        print(f"| {draw} | {rate:g} | {beta2:g} | {found.min():.3f} | {rise:.2f} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
