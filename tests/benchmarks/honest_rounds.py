"""Are runs with a budget honest? In simulated worlds: false verdicts at any look, and what the last intervals cover.

    python tests/benchmarks/honest_rounds.py [--worlds 250] [--seed 0]

Cells are chosen by their results, and a run ends because of what it found, so intervals that hold for a grid need not
hold here. Each world has three sizes and one generator whose images are worth nothing, or 0.35 real images a real one;
runs begin with 3 draws and two seeds, are asked about all sizes, and may cost 24 draws. Figures: `rounds.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers of the tests

from helpers.drawn_rounds import Ended
from helpers.simulate import Law, nothing, power
from helpers.simulated_rounds import simulated_rounds

WORTH = 0.35
WORLDS: dict[str, Law] = {"nothing": nothing, f"{WORTH} n": lambda n, s: WORTH}
TRIALS = 0.15  # of a draw's cost, as in grids at 28x28


def covered(ended: Ended, worth: float) -> tuple[int, int, int]:
    """Cells whose own interval of the gain holds, those whose interval for all cells and looks does, and all."""
    curve, own, joint, cells = power(), 0, 0, 0
    for study in ended.laws["studies"]:
        for cell in study["cells"]:
            n = float(cell["num_real"])
            gain = curve(n) - curve(n * (1 + worth))
            own += cell["gain"]["low"] <= gain <= cell["gain"]["high"]
            joint += cell["gain_simultaneous"]["low"] <= gain <= cell["gain_simultaneous"]["high"]
            cells += 1
    return own, joint, cells


def main() -> None:
    """Print a row for each world, after every ten runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(
        "| worth | runs | helps or hurts at any look | own intervals hold | those for all hold |\n|---|---|---|---|---|"
    )
    for name, law in WORLDS.items():
        told, held = 0, [0, 0, 0]
        for k in range(asked.worlds):
            ended = simulated_rounds(law, asked.seed + k, first=3, trials=TRIALS)
            told += bool(ended.ever & {"helps", "hurts"})
            held = [a + b for a, b in zip(held, covered(ended, 0.0 if law is nothing else WORTH), strict=True)]
            if k % 10 == 9 or k == asked.worlds - 1:
                parts = f"{held[0] / held[2]:.1%} | {held[1] / held[2]:.1%}"
                print(f"| {name} | {k + 1} | {told} ({told / (k + 1):.1%}) | {parts} |", flush=True)


if __name__ == "__main__":
    main()
