"""Do the intervals hold what they say? Simulated grids with a planted truth, analysed as a run is.

    python tests/benchmarks/laws/coverage.py --out coverage.jsonl --workers 2      (300 grids of each kind)
    python tests/benchmarks/laws/coverage.py --out coverage.jsonl --table          (only write the table)

Each grid has draw, generator and seed effects, shared test images and binomial noise (tests/helpers/simulate.py): five
sizes, three amounts, two classifier seeds, 600 test images. One line is appended per grid, and what is there already
is not done again. The table goes to coverage.md and coverage.csv beside this file.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one worker is one core

import numpy as np  # noqa: E402
from helpers.simulate import Curve, Grid, power, simulate  # noqa: E402
from scipy.stats import binomtest  # noqa: E402

from synaug_ray.analysis.advice.calculator import expectation  # noqa: E402
from synaug_ray.analysis.analyse import analyse  # noqa: E402
from synaug_ray.analysis.exchange import rates, tradeoff  # noqa: E402
from synaug_ray.analysis.results import Estimate, PredictionGrid  # noqa: E402
from synaug_ray.laws.curves import CURVES  # noqa: E402
from synaug_ray.laws.equivalence import BY_NAME, EquivalenceForm  # noqa: E402
from synaug_ray.laws.joint import JointData  # noqa: E402
from synaug_ray.laws.selection import development, fit_forms  # noqa: E402

N0 = 80.0
DRAWS = (3, 5, 8)
QUANTITIES = ("gain", "equivalent", "marginal", "average", "tradeoff", "predict inside", "predict 2x beyond")
RATES = ("marginal", "average", "tradeoff")
SEED = 20_261_121  # of the published table; tuning used others
FEW = (
    "So few grids a row say little of one row: a share is uncertain by twice its ±, and one of 100 ± 0 by more; "
    "predictions are mostly right or wrong for a whole grid at once. Read rows together."
)
LEAST, MOST, LEAST_BEYOND = 0.85, 0.95, 0.80  # the goal
WHY_BELOW = (
    "Why the failing generators: one generator in seven fails, so among three draws there is none that failed in three "
    "sizes of five, and nothing in such a cell shows how seldom it happens; with more draws seen, more is held. The "
    "average rate falls short mostly at the largest size and smallest amount, where the failures make the images worth "
    "less than nothing: the value m of the images is a bound there, the rate is that of laws, and no law of these is below "
    "zero. An upper end without a limit, wherever the cell's own gain may be negative, would hold it, at the price of all "
    "upper ends at the largest size."
)
TOLD_APART = 3.84  # noncentrality at which a chi-square test of one degree of freedom sees a difference half the time


@dataclass(frozen=True)
class Plant:
    """A law with its natural parameters, a real-only curve, and how the noise departs from ``Grid``'s."""

    form: EquivalenceForm
    parameters: tuple[float, ...] = ()
    curve: Curve = power()
    noise: Mapping[str, float] = field(default_factory=dict)
    true: EquivalenceForm | None = None  # r of the mean error, where that is not the form's

    @property
    def natural(self) -> tuple[np.ndarray, ...]:
        return tuple(np.array([[value]]) for value in self.parameters)

    @property
    def in_catalogue(self) -> bool:
        """Whether law and curve are among the forms that are fitted."""
        return self.form.name in BY_NAME and self.curve.__qualname__.startswith("power")

    def r(self, n: float, s: float) -> float:
        return float(self.form.r(self.natural, np.array([[n / N0]]), np.array([[s]]))[0, 0])

    def worth(self, n: float, s: float) -> float:
        """r of the mean error."""
        form = self.true or self.form
        return float(form.r(self.natural, np.array([[n / N0]]), np.array([[s]]))[0, 0])


def of_no_form(name: str, r: Callable[[np.ndarray, np.ndarray], np.ndarray], limit: Callable[[np.ndarray], np.ndarray]):
    """A law r(x, s), x = n / N0, that is none of the catalogue."""
    return EquivalenceForm(name, "", "", (), lambda p, x, s: r(x, s) + 0 * p[0], lambda p, x: limit(x) + 0 * p[0])


def broken(n: float) -> float:
    """A power law whose exponent changes from 0.25 to 1 at 80 images, within a third of a doubling."""
    return 0.3 * (n / 20) ** -0.25 * (1 + (n / 80) ** 4) ** (-0.75 / 4)


def plateau(n: float) -> float:
    """Falls, stays nearly flat from 50 to 130 images, and falls again."""
    steps = np.interp(np.log(n), np.log([1, 50, 130, 20_000]), [0.0, 0.55 * np.log(50), 0.55 * np.log(50) + 0.05, 3.5])
    return float(0.35 * 20**0.55 * np.exp(-steps))


RISE_AND_FALL = of_no_form(
    "rise and fall",
    lambda x, s: 1.2 * s * np.exp(-s / 2.5) - 0.05 * s,
    lambda x: np.full_like(x, 1.2 * 2.3 * np.exp(-2.3 / 2.5) - 0.05 * 2.3),
)
FLOOR = of_no_form(  # never worth more than 60 real images, however many there are
    "generator floor", lambda x, s: -60 / (N0 * x) * np.expm1(-0.5 * s * N0 * x / 60), lambda x: 60 / (N0 * x)
)
FAILING = 0.15
_LOST = (1 + FAILING * (Grid.failed - 1)) ** (-1 / 0.55)  # of n (1 + r), by what failures add to the mean error
FAILED = dataclasses.replace(
    BY_NAME["F3"],
    r=lambda p, x, s: (1 + BY_NAME["F3"].r(p, x, s)) * _LOST - 1,
    limit=lambda p, x: (1 + BY_NAME["F3"].limit(p, x)) * _LOST - 1,
)
BOUNDED = BY_NAME["F3"], (1.2, 0.6, 2.0)
PLANTS = {
    "F1": Plant(BY_NAME["F1"], (float(np.log(2.53)), 0.8)),
    "F3": Plant(*BOUNDED),
    "F5": Plant(BY_NAME["F5"], (0.3, 0.5, 0.6)),
    "changes sign": Plant(BY_NAME["F3 signed"], (0.1, 0.3, 2.0)),
    "null": Plant(BY_NAME["F0"], (0.0,)),
    "broken curve": Plant(*BOUNDED, curve=broken),
    "plateau": Plant(*BOUNDED, curve=plateau),
    "rise and fall": Plant(RISE_AND_FALL, (0.0,)),
    "generator floor": Plant(FLOOR, (0.0,)),
    "failing generators": Plant(*BOUNDED, noise={"failing": FAILING}, true=FAILED),
    "nested draws": Plant(*BOUNDED, noise={"draw_effect": 0.12, "size_effect": 0.08, "nested": 0.9}),
    "heavy tails": Plant(*BOUNDED, noise={"tails": 3.0, "generator_effect": 0.1}),
}


def grid_of(plant: str, draws: int) -> Grid:
    law = PLANTS[plant]
    return dataclasses.replace(Grid(law.curve, {("edm", "proportional"): law.r}, draws=draws), **law.noise)


def truths(plant: str, grid: Grid, n: int, amount: int) -> dict[str, float]:
    """The planted values at one cell; inf is "not reachable"."""
    law, form = PLANTS[plant], PLANTS[plant].true or PLANTS[plant].form
    at = np.array([float(n)]), N0, np.array([float(amount)])
    marginal, average, _ = (float(v[0, 0]) for v in rates(form, law.natural, *at))
    return {
        "gain": grid.gain("edm", "proportional", n, amount / n),
        "equivalent": n * law.worth(n, amount / n),
        "marginal": marginal,
        "average": average,
        "tradeoff": float(tradeoff(form, law.natural, *at)[0, 0]),
    }


INSIDE = [(n, s) for n in (28, 57, 113, 226) for s in (0.0, 2.0, 6.0)] + [(n, s) for n in (20, 80, 320) for s in (1, 8)]
BEYOND = [(640, 0.0), (640, 4.0), (320, 16.0), (80, 16.0)]  # twice the largest size, or twice the largest amount


def predictions(surface: PredictionGrid | None, grid: Grid, points: list[tuple[int, float]]) -> list[int]:
    """Which predicted errors hold the planted ones; those that are not given, or without an interval, are left out."""
    if surface is None:
        return []
    table, out = dataclasses.asdict(surface), []
    for n, s in points:
        said = expectation(table, n, round(n * s)).error
        if said.low is not None and said.high is not None:
            out.append(int(said.low <= grid.error("edm", "proportional", n, s) <= said.high))
    return out


def holds(estimate: Estimate, truth: float, *, rate: bool) -> bool:
    """Whether the interval holds the truth. A rate without a lower end says "not reachable" and nothing else."""
    low = estimate.low if estimate.low is not None else (np.inf if rate else -np.inf)
    return low <= truth <= (np.inf if estimate.high is None else estimate.high)


def one(plant: str, draws: int, number: int, seed: int, replicates: int) -> dict[str, object]:
    """Simulate and analyse one grid."""
    started = time.process_time()
    grid = grid_of(plant, draws)
    stream = np.random.SeedSequence([seed, list(PLANTS).index(plant), draws, number])
    result = analyse(*simulate(grid, seed=int(stream.generate_state(1)[0])), replicates=replicates)
    study = result.studies[0]
    exchange = {(e.num_real, e.num_synthetic): e for e in study.exchange}
    hits: dict[str, list[int]] = {name: [] for name in QUANTITIES}
    unreachable, nothing, unsaid = [], [], []
    largest = {n: max(abs(grid.gain("edm", "proportional", n, s)) for s in grid.multiples) for n in grid.sizes}
    for cell in study.cells:
        rate = exchange[cell.num_real, cell.num_synthetic]
        truth = truths(plant, grid, cell.num_real, cell.num_synthetic)
        said = {
            "gain": cell.gain,
            "equivalent": cell.equivalent,
            "marginal": rate.marginal,
            "average": rate.average,
            "tradeoff": rate.tradeoff,
        }
        refused = {name for name in RATES if rate.note.startswith("not estimable") and said[name] == Estimate(None)}
        unsaid.append(int(bool(refused)))
        for name in said.keys() - refused:
            hits[name].append(int(holds(said[name], truth[name], rate=name in RATES)))
        unreachable.append(int(not rate.reachable))
    hits["predict inside"] = predictions(study.surface, grid, INSIDE)
    hits["predict 2x beyond"] = predictions(study.surface, grid, BEYOND)
    for verdict in result.verdicts:
        if verdict.outcome == "no effect":
            nothing.append(int(largest[verdict.num_real] > result.delta))
    noise = [_relative(p.error, p.error.value) for p in result.real[0].points]
    noise += [_relative(c.gain, c.error.value) for c in study.cells]
    return {
        "plant": plant,
        "draws": draws,
        "grid": number,
        "seed": seed,
        "replicates": replicates,
        "hits": hits,
        "not_reachable": unreachable,
        "not_estimable": unsaid,
        "chosen": study.chosen,
        "noise": noise,
        "outcomes": [str(v.outcome) for v in result.verdicts],
        "false_no_effect": nothing,
        "seconds": round(time.process_time() - started, 4),
    }


def _relative(estimate: Estimate, error: float | None) -> float:
    """Standard error of an error or gain over the error itself, from its 90% interval (taken as Gaussian)."""
    low, high = estimate.low or 0.0, estimate.high or 0.0
    return round((high - low) / 2 / 1.645 / max(error or 0.0, 1e-3), 5)


def _one(job: tuple[str, int, int, int, int]) -> dict[str, object]:
    return one(*job)


def equals(plant: str, noise: np.ndarray) -> set[str]:
    """Forms that no test could tell from the planted one on the cells that selection sees.

    Each is fitted to their exact errors, weighted by the noise they have in such grids [k + C]; what chi-square
    that leaves is the noncentrality of a likelihood-ratio test.
    """
    grid = grid_of(plant, 1)
    sizes, k = np.array(grid.sizes, dtype=float), len(grid.sizes)
    base, s = np.repeat(np.arange(k), len(grid.multiples)), np.tile(grid.multiples, k).astype(float)
    real = np.array([grid.curve(n) for n in sizes])
    gains = np.array([grid.gain("edm", "proportional", sizes[i], m) for i, m in zip(base, s, strict=True)])
    data = JointData(
        sizes=sizes,
        real=real,
        real_error=noise[:k] * real,
        base=base,
        s=s,
        gains=gains,
        gain_error=noise[k:] * (real[base] - gains),
        chance=0.9,
        n0=N0,
        least_error=1e-6,
    )
    masks = development(data)
    assert masks is not None
    curve = next(c for c in CURVES if c.name == "power law")
    found = fit_forms(data.subset(*masks), curve, np.log([float(grid.curve(N0)), 0.55]))
    return {name for name, candidate in found.items() if 2 * candidate.fit.cost < TOLD_APART} | {
        PLANTS[plant].form.name
    }


def jobs(args: argparse.Namespace, done: set[tuple[str, int, int]]) -> Iterator[tuple[str, int, int, int, int]]:
    for number in range(args.grids):  # plants and draws inside, so that any stop leaves a balanced table
        for plant in args.plants:
            for draws in args.draws:
                if (plant, draws, number) not in done:
                    yield plant, draws, number, args.seed, args.replicates


def read(path: Path) -> list[dict]:
    """Whole lines only: a killed run may have left half of one."""
    if not path.exists():
        return []
    out = []
    for line in path.read_text().splitlines():
        try:
            out.append(json.loads(line))
        except ValueError:
            print(f"a broken line in {path} is left out", file=sys.stderr)
    return out


def _share(rows: list[dict], name: str) -> tuple[float, float]:
    """Mean share of cells whose interval holds the truth, and its standard error over grids."""
    shares = [float(np.mean(row["hits"][name])) for row in rows if row["hits"][name]] or [float("nan")]
    return float(np.mean(shares)), float(np.std(shares) / max(len(shares) - 1, 1) ** 0.5)


def summarise(rows: list[dict]) -> list[dict[str, object]]:
    """One line of the table per plant and number of draws."""
    out = []
    for plant, law in PLANTS.items():
        for draws in sorted({row["draws"] for row in rows if row["plant"] == plant}):
            own = [row for row in rows if (row["plant"], row["draws"]) == (plant, draws)]
            alike = equals(plant, np.mean([row["noise"] for row in own], axis=0)) if law.in_catalogue else set()
            line: dict[str, object] = {"plant": plant, "draws": draws, "grids": len(own)}
            for name in QUANTITIES:
                line[name], line[name + " se"] = _share(own, name)
            line["not estimable"] = float(np.mean([row["not_estimable"] for row in own]))
            line["not reachable"] = float(np.mean([row["not_reachable"] for row in own]))
            line["form right"] = float(np.mean([row["chosen"] in alike for row in own])) if alike else None
            line["alike"] = " ".join(sorted(alike))
            line["helps or hurts"] = float(np.mean([bool({"helps", "hurts"} & set(row["outcomes"])) for row in own]))
            line["no effect"] = float(np.mean([o == "no effect" for row in own for o in row["outcomes"]]))
            wrongly = [sum(row["false_no_effect"]) for row in own]
            line["false no effect"] = float(np.sum(wrongly) / sum(len(row["outcomes"]) for row in own))
            line["seconds"] = float(np.median([row["seconds"] for row in own]))
            out.append(line)
    return out


def markdown(lines: list[dict], rows: list[dict]) -> str:
    """The table with its legend."""

    def percent(value: object) -> str:
        return "-" if value is None or np.isnan(float(str(value))) else f"{100 * float(str(value)):.1f}"

    head = (
        "planted",
        "draws",
        "grids",
        *QUANTITIES,
        "not estimable",
        "not reachable",
        "right form or its equal",
        "helps or hurts said",
        "no effect said",
        "wrongly",
        "s a grid",
    )
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for line in lines:
        cells = [str(line["plant"]), str(line["draws"]), str(line["grids"])]
        cells += [f"{percent(line[q])} ± {percent(line[q + ' se'])}" for q in QUANTITIES]
        rest = ("not estimable", "not reachable", "form right", "helps or hurts", "no effect", "false no effect")
        cells += [percent(line[q]) for q in rest]
        table.append("| " + " | ".join([*cells, f"{line['seconds']:.2f}"]) + " |")
    seeds = ", ".join(sorted({str(row["seed"]) for row in rows}))
    replicates = ", ".join(sorted({str(row["replicates"]) for row in rows}))
    minutes = sum(row["seconds"] for row in rows) / 60
    alike = "; ".join(f"{line['plant']} at {line['draws']} draws: {line['alike']}" for line in lines if line["alike"])
    return "\n".join(
        [
            "# What the intervals hold",
            "",
            "Made by `python tests/benchmarks/laws/coverage.py --out grids.jsonl` from simulated grids; all but the counts "
            "and seconds in percent.",
            "",
            *table,
            "",
            "Seven columns: share of cells (of predictions: of 18 points between and at cells, and 4 at twice the largest "
            "size or amount) whose 90% interval holds the planted value, ± its standard error over grids; rates that are "
            "not estimable are left out, their share stands beside. The plants after null are none of the fitted forms, "
            "or have noise that the intervals do not assume. Not "
            "reachable: share of cells where the answer is that no amount replaces the next real image; where the planted "
            "rate is finite, such an answer counts as held only if the interval's lower end is below it. Helps or hurts "
            "said: share of grids with at least one such verdict (under the null they are false); no effect said: share of "
            "verdicts, and wrongly where the largest planted gain at that size is beyond the margin of 1 point. Forms that "
            "count as the planted one's equal, since a test on the cells that selection sees would miss the difference in "
            f"more than half of such grids: {alike}.",
            "",
            f"{len(rows)} grids, {replicates} replicates, seed {seeds}, {minutes:.0f} core-minutes. "
            + (FEW if min(int(str(line["grids"])) for line in lines) < 30 else ""),
            "",
            "## Against the goal",
            "",
            "85 to 95% inside the measured range, or *not estimable*; at least 80% at twice the range; at most 5% of false "
            "verdicts under the null. A share ± its standard error, which comes from differences between grids, since cells "
            "of one grid are missed together; in brackets how many standard errors a share is below the goal.",
            "",
            *against_goal(lines),
            "",
        ]
    )


def against_goal(lines: list[dict[str, object]]) -> list[str]:
    """Every share below the goal, how many are above 95%, and the false verdicts under the null."""

    def number(line: dict[str, object], name: str) -> float:
        return float(str(line[name]))

    below, above = [], dict.fromkeys(QUANTITIES, 0)
    for line in lines:
        for name in QUANTITIES:
            share, error = number(line, name), number(line, f"{name} se")
            least = LEAST_BEYOND if name == "predict 2x beyond" else LEAST
            above[name] += int(share > MOST)
            if share < least:
                short = f"{(least - share) / error:.1f}" if error else "-"
                below.append(
                    f"- {line['plant']}, {line['draws']} draws: {name} {100 * share:.1f} ± {100 * error:.1f} ({short})"
                )
    null = [line for line in lines if line["plant"] == "null"]
    grids = sum(int(str(line["grids"])) for line in null)
    false = round(sum(number(line, "helps or hurts") * int(str(line["grids"])) for line in null))
    low, high = binomtest(false, grids).proportion_ci(method="wilson")
    shares = ", ".join(f"{name} in {count}" for name, count in above.items() if count and name != "predict 2x beyond")
    return [
        f"Below it, of {len(lines) * len(QUANTITIES)} shares:",
        "",
        *(below or ["- none"]),
        "",
        *([WHY_BELOW, ""] if any("failing" in line for line in below) else []),
        f"Above 95%, wider than needed, of {len(lines)} rows: {shares or 'none'}. The intervals of marginal rates and "
        "trade-offs span the measured slopes on both sides of a cell.",
        "",
        f"False verdicts of help or harm under the null: {false} of {grids} grids (95% interval {100 * low:.1f} to "
        f"{100 * high:.1f}%); *no effect* said wrongly: {100 * max(number(line, 'false no effect') for line in lines):.1f}% "
        "at most.",
    ]


def write(lines: list[dict], rows: list[dict], folder: Path) -> None:
    (folder / "coverage.md").write_text(markdown(lines, rows))
    with open(folder / "coverage.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, one a grid; appended to")
    parser.add_argument("--grids", type=int, default=300, help="of each planted law and number of draws")
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--draws", type=int, nargs="+", default=list(DRAWS))
    parser.add_argument("--plants", nargs="+", default=list(PLANTS), choices=list(PLANTS))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--table", action="store_true", help="simulate nothing, only write the table")
    parser.add_argument("--folder", type=Path, default=HERE, help="where coverage.md and coverage.csv go")
    args = parser.parse_args()
    if not args.table:
        done = {(row["plant"], row["draws"], row["grid"]) for row in read(args.out) if row["seed"] == args.seed}
        todo = list(jobs(args, done))
        halved = args.out.exists() and not args.out.read_text().endswith("\n")
        with args.out.open("a") as file, ProcessPoolExecutor(args.workers) as pool:
            file.write("\n" if halved else "")  # a killed run left half a line: the next one stands by itself
            for row in pool.map(_one, todo, chunksize=4):
                file.write(json.dumps(row) + "\n")
                file.flush()
    rows = read(args.out)
    if rows:
        lines = summarise(rows)
        write(lines, rows, args.folder)
        print(markdown(lines, rows))


if __name__ == "__main__":
    main()
