"""Does ``--plan`` tell the power that grids have? Planned against shown, and planned from three draws.

    python tests/benchmarks/laws/power.py --out power.jsonl            (40 grids of each design; goes on where it stopped)
    python tests/benchmarks/laws/power.py --out power.jsonl --table    (only print the table)

Grids of tests/helpers/pairs.py, planted image by image, are read and judged as measured ones are. Beside the share of
their verdicts that is "helps" stands what the planner says of the same design, with the planted noise and with the noise
that it measures in three draws of one such grid. The table of the last run is in power.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import numpy as np  # noqa: E402
from helpers.pairs import planted_shares, simulate_pairs  # noqa: E402

from synaug_ray.analysis.cells.cell_noise import measure  # noqa: E402
from synaug_ray.analysis.cells.paired_cells import pair_cells  # noqa: E402
from synaug_ray.analysis.power import Amount, Design, Noise, Rule, power  # noqa: E402
from synaug_ray.analysis.power_noise import noise_of  # noqa: E402
from synaug_ray.analysis.results import Outcome  # noqa: E402
from synaug_ray.analysis.study_key import StudyKey  # noqa: E402
from synaug_ray.analysis.verdict import outcome_of  # noqa: E402
from synaug_ray.laws.simultaneous import single_look  # noqa: E402

GRIDS, RULE = 40, Rule()
BASE = {"gain": 0.03, "sizes": (50, 100, 200), "multiples": (1, 4), "spread": 0.03, "draws": 6, "images": 600}
DESIGNS = {
    "6 draws, 600 test images": {},
    "12 draws": {"draws": 12},
    "3 draws, gain 6": {"draws": 3, "gain": 0.06},
    "2,400 test images": {"images": 2_400},
    "4 seeds": {"seeds": 4},
    "1 seed": {"seeds": 1},
    "generators differ a lot": {"spread": 0.1, "gain": 0.05},
    "two generators": {"generators": ("edm", "gan")},
    "noise of images alone": {"image": 0.6, "draw": 0.0},
    "100 test images, gain 10": {"images": 100, "gain": 0.10},
}


def planned(values: dict, noise: Noise, at: dict[int, Noise] | None = None) -> float:
    """What the planner says of a design."""
    amounts = tuple(
        Amount(StudyKey("mlp", g, "mixed", "0.5"), g, n, n * m)
        for g in values.get("generators", ("edm",))
        for n in values["sizes"]
        for m in values["multiples"]
    )
    test = (values["images"] // 2, values["images"] - values["images"] // 2)
    return power(
        Design(amounts, values["draws"], values.get("seeds", 2), test, noise, at or {}), values["gain"], RULE
    ).helps


def shown(values: dict, seed: int) -> float:
    """The share of one grid's verdicts that is "helps"."""
    cells = pair_cells(*simulate_pairs(np.random.default_rng(seed), **values))
    rng = np.random.default_rng(seed)
    looks = single_look(len(cells.draws))
    found = measure(cells, confidence=0.9, simultaneous_confidence=0.95, replicates=1, rng=rng, looks=looks)
    groups: dict[tuple, list[int]] = {}
    for i, cell in enumerate(cells.mixed):
        groups.setdefault((cell.study, cell.num_real), []).append(i)
    real = len(cells.real)
    said = [
        outcome_of([found.simultaneous(i + real, i) for i in at], [found.estimate(i + real) for i in at], RULE.delta)
        for at in groups.values()
    ]
    return float(np.mean([one is Outcome.HELPS for one in said]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    lines = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {line["design"]: line for line in lines}
    for name, changed in DESIGNS.items():
        if args.table or name in done:
            continue
        values = BASE | changed
        image, draw = planted_shares(values.get("image", 0.1), values.get("draw", 0.3), values["gain"])
        noise = Noise(error=0.3, discordance=0.1, image=image, draw=draw, spread=values["spread"])
        first = simulate_pairs(np.random.default_rng(10_000), **(values | {"draws": 3}))
        measured = noise_of(*first, replace(noise, error=0.15))
        of_grids = [shown(values, seed) for seed in range(GRIDS)]
        done[name] = {
            "design": name,
            "shown": float(np.mean(of_grids)),
            "error": float(np.std(of_grids, ddof=1) / np.sqrt(GRIDS)),
            "planned": planned(values, noise),
            "from 3 draws": planned(values, *measured),
        }
        with args.out.open("a") as file:
            file.write(json.dumps(done[name]) + "\n")
    print("| design | helps, of 100 verdicts | planned | planned from the noise of 3 draws |\n|---|---|---|---|")
    for name, line in done.items():
        numbers = (100 * line[key] for key in ("shown", "error", "planned", "from 3 draws"))
        print("| {} | {:.0f} ± {:.0f} | {:.0f} | {:.0f} |".format(name, *numbers))


if __name__ == "__main__":
    main()
