"""What runs with a budget cost until they know, in simulated worlds, beside grids of a fixed number of draws.

    python tests/benchmarks/rounds.py [--worlds 20] [--seed 0] [--trials 0.15]

A world has three sizes, one generator and real test images that classifiers err on as on digits. What a run costs is
told in draws of the whole grid with two seeds, in which larger sizes cost more, in proportion. ``--trials`` is the part
of that which classifiers take: seeds are added where they are cheap. The last design is asked about one size
(``until: {num_real: [80]}``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers of the tests

from helpers.simulate import Law, nothing
from helpers.simulated_rounds import FIRST, MOST, simulated_rounds

# the worth of synthetic images in real ones, as a share of the real ones, by number of real images
WORLDS: dict[str, Law] = {
    "worth nothing": nothing,
    "worth 0.35 n": lambda n, s: 0.35,
    "worth 1 n at 40, else nothing": lambda n, s: 1.0 if n < 60 else 0.0,
    "harm at 160, 0.2 n else": lambda n, s: 0.2 if n < 120 else -0.4,
}


ASKED = 80  # real images, of the designs that are asked about one size
FEW = 3
DESIGNS: dict[str, dict[str, Any]] = {
    f"{FIRST} draws": {"first": FIRST, "most": FIRST},
    f"{MOST} draws": {"first": MOST, "most": MOST},
    f"rounds from {FIRST} draws": {"first": FIRST},
    f"rounds from {FEW} draws": {"first": FEW},
    f"rounds from {FEW} draws, asked at {ASKED}": {"first": FEW, "at": (ASKED,)},
}


def main() -> None:
    """Print a row for each world and rule."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=float, default=0.15, help="0.15: as in grids at 28x28; 1: no seeds are added")
    parser.add_argument("--designs", nargs="+", choices=tuple(DESIGNS), default=list(DESIGNS))
    asked = parser.parse_args()
    print(
        f"| world | run | cost, median (largest) | sizes decided | at {ASKED} decided | told falsely |\n{'|---' * 6}|"
    )
    for name, law in WORLDS.items():
        for design in asked.designs:
            ways = DESIGNS[design] | {"trials": asked.trials}
            runs = [simulated_rounds(law, asked.seed + k, **ways) for k in range(asked.worlds)]
            cost = [run.spent for run in runs]
            all_sizes = np.mean([[v != "undecided" for v in run.outcomes.values()] for run in runs])
            one = np.mean([run.outcomes[ASKED] != "undecided" for run in runs])
            false = sum(law is nothing and bool(run.ever & {"helps", "hurts"}) for run in runs)
            wrong = f"{false} of {asked.worlds}" if law is nothing else "\u2013"
            told = f"{np.median(cost):.1f} ({max(cost):.1f}) | {all_sizes:.0%} | {one:.0%}"
            print(f"| {name} | {design} | {told} | {wrong} |", flush=True)


if __name__ == "__main__":
    main()
