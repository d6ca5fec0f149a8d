"""What runs with a budget cost until they know, in simulated worlds, beside grids of a fixed number of draws.

    python tests/benchmarks/rounds.py [--worlds 20] [--seed 0]

A world has three sizes, one generator and real test images that classifiers err on as on digits. What a run costs is
told in draws of the whole grid, in which larger sizes cost more, in proportion.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers of the tests

from helpers.simulate import Law, nothing
from helpers.simulated_rounds import FIRST, MOST, run_in_rounds

# the worth of synthetic images in real ones, as a share of the real ones, by number of real images
WORLDS: dict[str, Law] = {
    "worth nothing": nothing,
    "worth 0.35 n": lambda n, s: 0.35,
    "worth 1 n at 40, else nothing": lambda n, s: 1.0 if n < 60 else 0.0,
    "harm at 160, 0.2 n else": lambda n, s: 0.2 if n < 120 else -0.4,
}


def main() -> None:
    """Print a row for each world and rule."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("| world | run | cost, median (largest) | sizes decided | told falsely |\n|---|---|---|---|---|")
    designs: dict[str, dict[str, int]] = {f"{draws} draws": {"first": draws, "most": draws} for draws in (FIRST, MOST)}
    for name, law in WORLDS.items():
        for design, options in (*designs.items(), ("rounds", {})):
            runs = [run_in_rounds(law, asked.seed + k, **options) for k in range(asked.worlds)]
            cost = [spent for spent, *_ in runs]
            decided = np.mean([[v != "undecided" for v in last.values()] for _, last, _ in runs])
            false = sum(law is nothing and bool(ever & {"helps", "hurts"}) for *_, ever in runs)
            wrong = f"{false} of {asked.worlds}" if law is nothing else "\u2013"
            print(
                f"| {name} | {design} | {np.median(cost):.1f} ({max(cost):.1f}) | {decided:.0%} | {wrong} |", flush=True
            )


if __name__ == "__main__":
    main()
