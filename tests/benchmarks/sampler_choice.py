"""Which sampler a grid should use: error of classifiers trained on its images, beside what the images cost.

    python tests/benchmarks/sampler_choice.py [--dataset digits] [--generator edm-tiny] [--num-real 160]
        [--storage FOLDER]

One grid for each sampler, all over the same generators: classifiers that saw four synthetic images a real one, and no
real one (where images of another quality show most) or half of each batch real. Differences are from Heun with 18
steps, the reference of Karras et al., paired by draw and seed, with standard errors over draws. The default is chosen
by the validation images; the test error stands beside it. Costs are CPU seconds of one thread. Figures:
`sampler_choice.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from synaug_ray.config.load import load_grid
from synaug_ray.data.identify import identify
from synaug_ray.plan.plan import make_plan
from synaug_ray.store.store import Store

REFERENCE = ("heun", 18)
SOLVERS = [
    REFERENCE,
    ("heun", 9),
    ("euler", 18),
    ("dpmpp-2m", 18),
    ("dpmpp-2m", 10),
    ("dpmpp-2m", 8),
    ("dpmpp-2m", 6),
    ("dpmpp-2m", 4),
    ("dpmpp-3m", 8),
]
CELL = ["num_real", "draw", "seed", "protocol"]
HEADER = (
    "sampler",
    "evaluations",
    "CPU s per 1,000 images",
    "error, synthetic only: validation",
    "test",
    "with real images: validation",
    "test",
)


def evaluations(family: str, steps: int) -> int:
    """Calls of the denoiser for one image; guidance makes each of them two of the network."""
    return 2 * steps - 1 if family == "heun" else steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data", default={}, type=yaml.safe_load, help="the grid's data: section")
    parser.add_argument("--generator", default="edm-tiny")
    parser.add_argument("--num-real", nargs="+", type=int, default=[160])
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--storage", type=Path)
    args = parser.parse_args()
    storage = args.storage or Path(tempfile.mkdtemp(prefix="sampler-choice-"))
    tables = {solver: table(args, solver, storage) for solver in SOLVERS}
    reference = tables[REFERENCE]
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}; "
        f"{args.dataset}, {args.generator}, num_real {args.num_real}, {args.draws} draws, {args.seeds} seeds\n\n"
        f"| {' | '.join(HEADER)} |\n|{len(HEADER) * '---|'}"
    )
    for (family, steps), (trials, cost) in tables.items():
        cells = [
            told(trials, reference[0], protocol, column)
            for protocol in ("synthetic-only", "mixed")
            for column in ("val_error", "test_error")
        ]
        print(f"| {family}, {steps} steps | {evaluations(family, steps)} | {cost:.2f} | {' | '.join(cells)} |")


def told(trials: pd.DataFrame, reference: pd.DataFrame, protocol: str, column: str) -> str:
    """Mean error in %, and in points how far it is from the reference's, with its standard error."""
    both = trials.join(reference, rsuffix="_of_reference").xs(protocol, level="protocol")
    by_draw = 100 * (both[column] - both[f"{column}_of_reference"]).groupby("draw").mean()
    mean = f"{100 * both[column].mean():.1f}"
    if not by_draw.any():
        return mean
    return f"{mean} ({by_draw.mean():+.1f} ± {by_draw.std() / np.sqrt(len(by_draw)):.1f})"


def table(args: argparse.Namespace, solver: tuple[str, int], storage: Path) -> tuple[pd.DataFrame, float]:
    """Errors by cell of a grid with this sampler, and CPU seconds per 1,000 of its images."""
    family, steps = solver
    name = f"sampler-{args.generator}-{family}-{steps}"
    grid: dict[str, Any] = {
        "dataset": args.dataset,
        "data": args.data,
        "num_real": args.num_real,
        "synthetic_multiples": [0, 4],
        "real_share": [0.5],
        "protocols": ["mixed", "synthetic-only"],
        "generators": [args.generator],
        "classifiers": ["mlp"],
        "sampler": {"name": name, "family": family, "steps": steps},
        "draws": args.draws,
        "seeds": args.seeds,
        "quality_draws": 0,
        "training_check": {"draws": 0},
    }
    if not grid["data"]:
        del grid["data"]
    file = storage / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(grid))
    subprocess.run(
        [sys.executable, "-m", "synaug_ray.grid", str(file), "--local", "--name", name, "--storage", str(storage)],
        check=True,
        stdout=sys.stderr,
    )
    trials = pd.read_parquet(storage / name / "measurements.parquet")
    trials = trials[(trials["status"] == "done") & (trials["num_synthetic"] > 0)]
    spec = load_grid(storage / name / "grid.yaml", [])
    plan = make_plan(spec, identify(spec.dataset, spec.data))
    shards = Store(f"{storage}/store").records("shard", plan.shards)
    images = sum(record.result["nimg"] for record in shards.values())
    cost = 1000 * sum(record.result["cpu_seconds"] for record in shards.values()) / images
    return trials.set_index(CELL)[["val_error", "test_error"]], cost


if __name__ == "__main__":
    main()
