"""Training several small EDM generators at once against one after another: would packs of generators pay at 8x8?

    python tests/benchmarks/generator_packs.py [--presets edm-tiny] [--widths 2 4 8]

K networks are one whose weights have a leading dimension: ``torch.func.vmap`` of the gradient, in which convolutions
become grouped ones. Times are CPU milliseconds of the loss and gradients of one network, medians of rounds in which
both ways take turns, on one thread. Figures: `packs.md`.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap

from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.presets import GENERATORS
from synaug_ray.generators.diffusion import network
from synaug_ray.generators.edm import denoise

SHAPES = {"edm-tiny": (1, 8, 8), "edm-16px-2": (3, 16, 16)}
ROUNDS = 7


def main() -> None:
    """Print a row for each preset and width."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=SHAPES, default=["edm-tiny"])
    parser.add_argument("--widths", nargs="+", type=int, default=[2, 4, 8])
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, medians of {ROUNDS}\n")
    print("| preset | batch | K | ms a step of one, alone | in a pack | against alone | gradients apart |")
    print("|---" * 7 + "|")
    for preset in args.presets:
        for k in args.widths:
            compare(preset, k)


def compare(preset: str, k: int) -> None:
    """Print the row of ``k`` networks."""
    recipe, shape = GENERATORS[preset], SHAPES[preset]
    assert isinstance(recipe, EDMRecipe)
    nets = []
    for seed in range(k):
        torch.manual_seed(seed)
        nets.append(network(recipe, shape, 10).eval())  # type: ignore[arg-type]  # without dropout, to compare gradients
    x, sigma = torch.randn(k, recipe.batch, *shape), torch.rand(k, recipe.batch) + 0.1
    labels = torch.zeros(k, recipe.batch, dtype=torch.long)
    params, buffers = stack_module_state(nets)

    def alone() -> list[tuple[Tensor, ...]]:
        with torch.enable_grad():
            each = zip(nets, x, sigma, labels, strict=True)
            return [torch.autograd.grad(loss(net, *part), list(net.parameters())) for net, *part in each]

    def loss(net: Any, images: Tensor, noise: Tensor, classes: Tensor) -> Tensor:
        return (denoise(net, images, noise, classes, 0.5) - images).square().mean()

    def one(weights: Any, rest: Any, *part: Tensor) -> Tensor:
        return loss(lambda *a, **kw: functional_call(nets[0], (weights, rest), a, kw), *part)

    def packed() -> dict[str, Tensor]:
        return vmap(grad(one))(params, buffers, x, sigma, labels)

    with torch.no_grad():
        pairs = [
            (a, b)
            for i, found in enumerate(alone())
            for a, b in zip((g[i] for g in packed().values()), found, strict=True)
        ]
        largest = max(float(b.abs().max()) for _, b in pairs)
        apart = max(float((a - b).abs().max()) for a, b in pairs) / largest
    one_by_one, together = (1000 * statistics.median(times) for times in turns(alone, packed, k))
    print(
        f"| {preset} | {recipe.batch} | {k} | {one_by_one:.1f} | {together:.1f} | {one_by_one / together:.2f} | "
        f"{apart:.0e} |",
        flush=True,
    )


def turns(alone: Callable[[], Any], packed: Callable[[], Any], k: int) -> tuple[list[float], list[float]]:
    """CPU seconds of one network's step in either way, measured in turn."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for way, times in zip((alone, packed), spent, strict=True):
            began = time.process_time()
            way()
            times.append((time.process_time() - began) / k)
    return spent


if __name__ == "__main__":
    main()
