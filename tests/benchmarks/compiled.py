"""``torch.compile`` against eager: seconds to compile, then seconds of a training step of the EDM presets' U-Nets.

    python tests/benchmarks/compiled.py [--presets edm-tiny edm-16px] [--steps 60]

One thread on a CPU, or a GPU where there is one. Steps are medians, the two in turn. Figures: `compiled.md`.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.presets import GENERATORS
from synaug_ray.generators.diffusion import network
from synaug_ray.generators.edm import denoise

SHAPES = {"edm-tiny": (1, 8, 8), "edm-16px": (3, 16, 16), "edm-28px": (1, 28, 28), "edm-small": (3, 32, 32)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["edm-tiny", "edm-16px"], choices=SHAPES)
    parser.add_argument("--steps", type=int, default=60)
    args = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    where = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    print(
        f"{where}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}\n\n"
        "| preset | batch | eager, ms a step | compiled | eager / compiled | compiling, s | pays after images |\n"
        f"|{7 * '---|'}"
    )
    for preset in args.presets:
        recipe = GENERATORS[preset]
        assert isinstance(recipe, EDMRecipe)
        torch.manual_seed(0)
        nets = {"eager": network(recipe, SHAPES[preset], 10).to(device)}  # type: ignore[arg-type]
        nets["compiled"] = network(recipe, SHAPES[preset], 10).to(device)  # type: ignore[arg-type]
        nets["compiled"].compile()
        steps = {name: step(net, recipe, SHAPES[preset], device) for name, net in nets.items()}
        began = time.perf_counter()
        steps["compiled"]()
        compiling = time.perf_counter() - began
        steps["eager"]()
        spent: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(args.steps):
            for name, one in steps.items():
                began = time.perf_counter()
                one()
                spent[name].append(time.perf_counter() - began)
        eager, compiled = (statistics.median(spent[name]) for name in ("eager", "compiled"))
        after = compiling / (eager - compiled) * recipe.batch if compiled < eager else 0
        pays = f"{after:,.0f} of {recipe.nimg:,}" if after else "never"
        print(
            f"| {preset} | {recipe.batch} | {1000 * eager:.1f} | {1000 * compiled:.1f} | {eager / compiled:.2f} | "
            f"{compiling:.0f} | {pays} |"
        )


def step(net: Any, recipe: EDMRecipe, shape: tuple[int, int, int], device: torch.device) -> Callable[[], None]:
    """One step of training on noise."""
    x = torch.randn(recipe.batch, *shape, device=device)
    sigma = torch.rand(recipe.batch, device=device) + 0.1
    labels = torch.zeros(recipe.batch, dtype=torch.long, device=device)
    optimiser = torch.optim.Adam(net.parameters(), fused=True)

    def once() -> None:
        optimiser.zero_grad(set_to_none=True)
        (denoise(net, x, sigma, labels, 0.5) - x).square().mean().backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return once


if __name__ == "__main__":
    main()
