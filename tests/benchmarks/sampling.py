"""Images a second: the sampler of this project beside diffusers' own pipeline, same network, solver and steps, one run.

    python tests/benchmarks/sampling.py

Both make a batch of class-conditional images without guidance, which the pipeline has not, from noise to uint8. The
figures are medians of repeats in CPU seconds, on one thread.

2026-11-21, one of two shared and busy cores of an Intel Xeon server CPU, four runs: at 8 px 418 to 551 images/s against
400 to 536, ratio 0.95 to 1.04; at 28 px 37 to 44 against 33 to 42, ratio 1.02 to 1.15: both wait for the network.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import ConsistencyModelPipeline, EDMDPMSolverMultistepScheduler

from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.presets import GENERATORS
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.generators.diffusion import network
from synaug_ray.generators.edm import EDMGenerator


def main(preset: str = "edm-tiny", size: int = 8, batch: int = 64, steps: int = 8, repeats: int = 7) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = GENERATORS[preset]
    assert isinstance(recipe, EDMRecipe)
    net = network(recipe, (1, size, size), 10).eval()
    ours = EDMGenerator(net, np.full(10, 10), 0.5, (1, size, size))
    sampler = SamplerRecipe(name="s", steps=steps, guidance=1.0, batch=batch)
    scheduler: Any = EDMDPMSolverMultistepScheduler(sigma_data=0.5, solver_order=2)
    pipeline = ConsistencyModelPipeline(net, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    labels = [i % 10 for i in range(batch)]

    def theirs() -> None:
        images: Any = pipeline(
            batch_size=batch,
            class_labels=labels,
            num_inference_steps=steps,
            output_type="np",
            generator=torch.Generator().manual_seed(0),
        )
        (images.images * 255).round().astype(np.uint8)

    both: dict[str, Callable[[], Any]] = {
        "synaug_ray": lambda: ours.sample(sampler, range(batch), 0, torch.device("cpu")),
        "diffusers": theirs,
    }
    seconds: dict[str, list[float]] = {name: [] for name in both}
    for run in both.values():
        run()
    for _ in range(repeats):  # in turn, so that what else the machine does falls on both
        for name, run in both.items():
            started = time.process_time()
            run()
            seconds[name].append(time.process_time() - started)
    rate = {name: batch / statistics.median(times) for name, times in seconds.items()}
    ratio = statistics.median(b / a for a, b in zip(seconds["synaug_ray"], seconds["diffusers"], strict=True))
    print(
        f"{preset}, {size} px, batch {batch}, {steps} steps: synaug_ray {rate['synaug_ray']:,.0f} images/s, "
        f"diffusers {rate['diffusers']:,.0f} images/s, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
    main("edm-28px", 28, batch=16, repeats=5)
