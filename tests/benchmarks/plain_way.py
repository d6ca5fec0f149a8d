"""The digits grid as most people would write it with Ray Tune, beside this project: trials an hour, in one run.

    python tests/benchmarks/plain_way.py [--trials 24] [--generators 2]

The plain way: a Tune trial a generator, which trains diffusers' U-Net and writes a pool made by diffusers' pipeline;
then a Tune trial a cell, which reads subset and pool, trains the same MLP on as many images from a DataLoader, and
reports its test error. Once with Ray's defaults, and once as its documentation advises for short trials: actors used
again, data handed over once, no loggers, one thread a trial. Both are timed on some of the cells and generators of the
grid, and their times are then those of the whole grid; this project runs a grid of its own of the same trials
(``digits`` with two draws). Every side has all cores. Figures: `plain_way.md`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import diffusers
import numpy as np
import ray
import torch
from ray import tune
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

TRIALS, GENERATORS = 576, 30  # of grids/digits.yaml
NIMG, BATCH, STEPS = 64_000, 64, 8
GENERATOR_NIMG, GENERATOR_BATCH = 16_000, 32


class Images(Dataset[tuple[torch.Tensor, int]]):
    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.images[index]).float() / 8 - 1, int(self.labels[index])


def digits() -> tuple[np.ndarray, np.ndarray]:
    found: Any = load_digits()
    return found.images[:, None].astype(np.float32), found.target


def subset(data: tuple[np.ndarray, np.ndarray], n: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
    index = np.random.default_rng(draw).permutation(1_197)[:n]
    return data[0][index], data[1][index]


def generate(config: dict[str, Any], data: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Train a class-conditional U-Net on a subset, with diffusers' own scheduler, and write a pool."""
    images, labels = subset(data, config["n"], config["draw"])
    net = diffusers.UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        time_embedding_type="positional",
        num_class_embeds=10,
    )
    scheduler: Any = diffusers.EDMDPMSolverMultistepScheduler(sigma_data=0.5)
    optimiser, seen = torch.optim.Adam(net.parameters(), 2e-3), 0
    while seen < GENERATOR_NIMG:
        for x, y in DataLoader(Images(images, labels), min(GENERATOR_BATCH, len(images)), shuffle=True, drop_last=True):
            sigma = (torch.randn(len(x), 1, 1, 1) * 1.2 - 1.2).exp()
            noisy = x + sigma * torch.randn_like(x)
            scale = (sigma**2 + 0.25).sqrt()
            raw = net(noisy / scale, sigma.flatten().log() / 4, class_labels=y).sample
            loss = (((0.25 / scale**2) * noisy + sigma * 0.5 / scale * raw - x) * scale / (sigma * 0.5)).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            seen += len(x)
    pipeline = diffusers.ConsistencyModelPipeline(net.eval(), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    made, asked = [], np.arange(4 * config["n"]) % 10
    for start in range(0, len(asked), 64):
        part = asked[start : start + 64]
        out: Any = pipeline(
            batch_size=len(part), class_labels=part.tolist(), num_inference_steps=STEPS, output_type="np"
        )
        made.append(out.images)
    np.savez(config["pool"], images=np.concatenate(made).transpose(0, 3, 1, 2) * 16, labels=asked)
    return {"done": True, "loss": float(loss)}


def classify(config: dict[str, Any], data: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Train an MLP on a subset and a pool, and measure it."""
    images, labels = subset(data, config["n"], config["draw"])
    if config["s"]:
        pool = np.load(config["pool"])
        images = np.concatenate([images, pool["images"][: config["s"]].astype(np.float32)])
        labels = np.concatenate([labels, pool["labels"][: config["s"]]])
    torch.manual_seed(config["seed"])
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    optimiser, seen = torch.optim.AdamW(net.parameters(), 3e-3), 0
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, NIMG // BATCH)
    while seen < NIMG:
        for x, y in DataLoader(Images(images, labels), min(BATCH, len(images)), shuffle=True, drop_last=True):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimiser.step()
            rate.step()
            seen += len(x)
    test = Images(data[0][1_197:], data[1][1_197:])
    wrong = [(net(x).argmax(1) != y).float() for x, y in DataLoader(test, 200)]
    return {"done": True, "test_error": float(torch.cat(wrong).mean())}


class Reused(tune.Trainable):
    """The same work in an actor that is used again."""

    def setup(self, config: dict[str, Any], data: Any, work: Any) -> None:
        torch.set_num_threads(1)
        self.data, self.work, self.asked = data, work, config["cell"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.asked = new_config["cell"]
        return True

    def step(self) -> dict[str, float]:
        return self.work(self.asked, self.data)

    def save_checkpoint(self, checkpoint_dir: str) -> None: ...

    def load_checkpoint(self, checkpoint: Any) -> None: ...


def seconds(work: Any, configs: list[dict[str, Any]], tuned: bool, folder: str) -> float:
    """Wall seconds of one experiment over all the configurations."""

    def trial(config: dict[str, Any]) -> None:
        tune.report(work(config["cell"], digits()))

    trainable: Any = tune.with_parameters(Reused, data=digits(), work=work) if tuned else trial
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1" if tuned else "0"
    started = time.perf_counter()
    found = tune.Tuner(
        trainable,
        param_space={"cell": tune.grid_search(configs)},
        tune_config=tune.TuneConfig(reuse_actors=tuned),
        run_config=tune.RunConfig(storage_path=folder, name=f"{work.__name__}-{tuned}", verbose=0),
    ).fit()
    assert not found.errors and len(found) == len(configs)
    return time.perf_counter() - started


def ours(folder: str) -> tuple[float, int, int]:
    """Wall seconds of the whole command on ``digits`` with two draws, start of Ray and answer included."""
    command = [
        sys.executable,
        "-m",
        "synaug_ray.grid",
        "digits",
        "draws=2",
        "quality_draws=0",
        "training_check.draws=0",
        "--storage",
        folder,
    ]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    store = Path(folder) / "store" / "records"
    return wall, len(list((store / "trial").iterdir())), len(list((store / "generator").iterdir()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--generators", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plain") as folder:
        wall, trials, generators = ours(f"{folder}/ours")
        rate = 3600 * trials / wall
        print(
            f"| way | s a generator and pool, all cores | s a trial, all cores | {TRIALS} trials and {GENERATORS} "
            "generators | trials an hour | ours against it |\n|---|---|---|---|---|---|"
        )
        print(
            f"| this project ({trials} trials, {generators} generators in {wall:.0f} s) | | | "
            f"{3600 * TRIALS / rate:,.0f} s | {rate:,.0f} | 1 |",
            flush=True,
        )
        ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        sizes = [(n, draw) for draw in range(args.generators) for n in (80,)]
        pools = [{"n": n, "draw": draw, "pool": f"{folder}/{n}-{draw}.npz"} for n, draw in sizes]
        cells = [p | {"s": s, "seed": seed} for seed in range(args.trials) for p in pools for s in (80, 160, 320)]
        for name, tuned in (("Ray's defaults", False), ("as Ray's documentation advises", True)):
            made = seconds(generate, pools, tuned, folder) / len(pools)
            each = seconds(classify, cells[: args.trials], tuned, folder) / args.trials
            whole = GENERATORS * made + TRIALS * each
            print(
                f"| plain, {name} | {made:.1f} | {each:.2f} | {whole:,.0f} s | {3600 * TRIALS / whole:,.0f} | "
                f"{rate / (3600 * TRIALS / whole):.1f} |",
                flush=True,
            )
        ray.shutdown()


if __name__ == "__main__":
    main()
