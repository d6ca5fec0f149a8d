"""How often are verdicts false, also after looking again, and do the gains' intervals hold? Simulated worlds.

    python tests/benchmarks/laws/verdicts.py --out verdicts.jsonl            (200 worlds of each kind)
    python tests/benchmarks/laws/verdicts.py --out verdicts.jsonl --table    (only print the table)

The simulator shares nothing with tests/helpers/simulate.py. Effects are added to errors, so that a planted gain is the
mean over draws exactly: real-only errors of a draw move along its nested subsets (a random walk over sizes); each
generator moves all amounts of its pool together, with Gaussian or heavy-tailed (t, 3 degrees of freedom) noise, more for
some generators than for others; some generators fail; some test images come in groups (patients). Each world is looked at
several times, with more draws each time. No law is fitted. The table is printed; that of the last run is in verdicts.md beside
this file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one worker is one core

import numpy as np  # noqa: E402
from scipy.special import ndtri  # noqa: E402

from synaug_ray.analysis.cells.cell_noise import measure  # noqa: E402
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells, RealCell  # noqa: E402
from synaug_ray.analysis.generators import Kind  # noqa: E402
from synaug_ray.analysis.results import Outcome  # noqa: E402
from synaug_ray.analysis.study_key import StudyKey  # noqa: E402
from synaug_ray.analysis.verdict import outcome_of  # noqa: E402
from synaug_ray.laws import simultaneous  # noqa: E402
from synaug_ray.laws.simultaneous import Look, next_look  # noqa: E402

CONFIDENCE, DELTA, SEED = 0.9, 0.01, 20_261_129


@dataclass(frozen=True)
class World:
    """What is simulated. Errors, gains and standard deviations are fractions."""

    sizes: tuple[int, ...] = (50, 100, 200, 400)
    multiples: tuple[int, ...] = (1, 2, 4)
    noise: tuple[float, ...] = (0.004,)  # per generator: what all amounts of one pool share
    gain: float = 0.0  # at 4x; in proportion to log(1 + s)
    looks: tuple[int, ...] = (5, 8, 12)  # draws at each look
    heavy: bool = False  # t with 3 degrees of freedom instead of Gaussian
    failing: float = 0.0  # share of generators that fail
    images: int = 400
    group: int = 1  # test images of one patient
    seeds: int = 2

    def error(self, n: int) -> float:
        return 0.03 + 0.3 * (n / self.sizes[0]) ** -0.6

    def planted(self, s: int) -> float:
        return self.gain * float(np.log1p(s) / np.log1p(4))


BASE = World()
WORLDS = {
    "null: little noise": replace(BASE, noise=(0.002,)),
    "null: generator noise dominates": replace(BASE, noise=(0.03,)),
    "null: 4 generators, their noise dominates": replace(BASE, noise=(0.03,) * 4, multiples=(1, 4)),
    "null: 4 generators, one 5 times as noisy": replace(BASE, noise=(0.006, 0.006, 0.006, 0.03), multiples=(1, 4)),
    "null: heavy tails": replace(BASE, noise=(0.02,), heavy=True),
    "null: a third of the generators fail": replace(BASE, noise=(0.02,), failing=0.33),
    "null: patients of 10 images": replace(BASE, noise=(0.004,), group=10),
    "null: one size, one amount": replace(BASE, sizes=(100,), multiples=(2,), noise=(0.02,)),
    "null: one size, noise dominates": replace(BASE, sizes=(100,), noise=(0.03,)),
    "null: 3, 4, 5, 6, 8 draws": replace(BASE, noise=(0.02,), looks=(3, 4, 5, 6, 8)),
    "gain: little noise": replace(BASE, noise=(0.002,), gain=0.03),
    "gain: generator noise dominates": replace(BASE, noise=(0.03,), gain=0.03),
    "gain: 4 generators, one 5 times as noisy": replace(
        BASE, noise=(0.006, 0.006, 0.006, 0.03), multiples=(1, 4), gain=0.03
    ),
    "gain: heavy tails": replace(BASE, noise=(0.02,), heavy=True, gain=0.03),
    "gain: patients of 10 images": replace(BASE, noise=(0.004,), group=10, gain=0.03),
    "gain: a third of the generators fail": replace(BASE, noise=(0.02,), failing=0.33, gain=0.03),
}


def simulate(world: World, rng: np.random.Generator) -> PairedCells:
    """All draws of a world, as cells."""
    draws, seeds = world.looks[-1], world.seeds
    patients = np.arange(world.images) // world.group

    def score(*shape: int) -> np.ndarray:
        return rng.standard_normal((*shape, patients[-1] + 1), dtype=np.float32)[..., patients]

    def effect(scale: float, *shape: int) -> np.ndarray:
        if world.heavy:
            return scale / np.sqrt(3) * rng.standard_t(3, shape)
        return scale * rng.standard_normal(shape)

    shared = (np.sqrt(0.5) * score() + np.sqrt(0.2) * score(draws))[:, None]  # hard images; those a draw does not cover

    def wrong(error: np.ndarray) -> np.ndarray:
        """Which images trials with these expected errors [draws, seeds] get wrong: float32 [draws, seeds, images]."""
        own = rng.standard_normal((draws, seeds, world.images), dtype=np.float32)
        limit = -ndtri(np.clip(error, 0.002, 0.98))[..., None]
        return (shared + np.sqrt(0.3) * own > limit).astype(np.float32)

    walk = np.cumsum(effect(0.01, draws, len(world.sizes)), axis=1)  # nested subsets: sizes of a draw move together
    real, mixed = [], []
    for i, n in enumerate(world.sizes):
        base = world.error(n) * (1 + walk[:, i, None]) + effect(0.004, draws, seeds)
        without = wrong(base)
        real.append(RealCell("mlp", n, without.mean(axis=1), draws * seeds, 1.0))
        for g, scale in enumerate(world.noise):
            pool = effect(scale, draws, 1)
            failed = rng.random(draws) < world.failing
            for s in world.multiples:
                errors = wrong(base - world.planted(s) + pool + effect(0.25 * scale, draws, 1))
                errors[failed] = np.nan
                mixed.append(
                    MixedCell(
                        study=StudyKey("mlp", f"edm-{g}", "mixed", "proportional"),
                        num_real=n,
                        num_synthetic=n * s,
                        gains=(without - errors).mean(axis=1),
                        errors=errors.mean(axis=1),
                        trials=draws * seeds,
                        seconds=1.0,
                        pool_seconds=1.0,
                    )
                )
    return PairedCells(
        error="test_error",
        real=tuple(real),
        mixed=tuple(mixed),
        draws=tuple(range(draws)),
        seeds=tuple(range(seeds)),
        image_weights=np.full(world.images, 1 / world.images),
        strata=np.zeros(world.images, dtype=int),
        num_classes=2,
        warnings=(),
        kinds={f"edm-{g}": Kind("edm", False) for g in range(len(world.noise))},
        generation={},
        groups=patients if world.group > 1 else None,
    )


def first(cells: PairedCells, draws: int) -> PairedCells:
    """What is seen of a world after some draws."""
    return replace(
        cells,
        draws=cells.draws[:draws],
        real=tuple(replace(cell, errors=cell.errors[:draws]) for cell in cells.real),
        mixed=tuple(
            replace(cell, gains=cell.gains[:draws], errors=cell.errors[:draws])
            for cell in cells.mixed
            if not np.isnan(cell.gains[:draws, 0]).all()
        ),
    )


def one(kind: str, number: int, replicates: int) -> dict[str, object]:
    """Simulate one world and look at it several times."""
    started, world = time.process_time(), WORLDS[kind]
    simultaneous.LEAST_PATHS = replicates  # fewer than in a run, for speed: boundaries are noisier, not biased
    stream = np.random.SeedSequence([SEED, list(WORLDS).index(kind), number])
    whole = simulate(world, np.random.default_rng(stream))
    hits, false, said = [], [], []
    looks: list[Look] = []
    for draws in world.looks:
        cells = first(whole, draws)
        uncertainty = measure(
            cells,
            confidence=CONFIDENCE,
            simultaneous_confidence=1 - (1 - CONFIDENCE) / 2,
            replicates=replicates,
            rng=np.random.default_rng(stream.spawn(1)[0]),
            looks=[*looks, next_look(looks, draws)],
        )
        looks.append(next_look(looks, draws))
        mixed = len(cells.real)
        inside, outcomes = [], {}
        for i, cell in enumerate(cells.mixed):
            own, joint = uncertainty.estimate(mixed + i), uncertainty.simultaneous(mixed + i, i)
            truth = world.planted(round(cell.multiple))
            if own.low is not None and own.high is not None:
                inside.append((cell.study.generator, bool(own.low <= truth <= own.high)))
            outcomes.setdefault((cell.study.generator, cell.num_real), []).append((own, joint))
        found = [outcome_of([j for _, j in cell], [o for o, _ in cell], DELTA) for cell in outcomes.values()]
        effects = [o for o in found if o in (Outcome.HELPS, Outcome.HURTS)]
        wrong = bool(effects) if not world.gain else Outcome.HURTS in effects
        hits.append({name: [bool(h) for g, h in inside if g == name] for name in sorted({g for g, _ in inside})})
        false.append(wrong)
        said.append(len(effects) / len(found))
    return {
        "kind": kind,
        "world": number,
        "looks": [look.draws for look in looks],
        "hits": hits,
        "false": false,
        "said": said,
        "seconds": round(time.process_time() - started, 3),
    }


def _one(job: tuple[str, int, int]) -> dict[str, object]:
    return one(*job)


def table(rows: list[dict]) -> str:
    """Shares in percent with standard errors, one line for each kind of world."""

    def share(values: list) -> str:
        found = np.array(values, dtype=float)
        return f"{100 * found.mean():.1f} ± {100 * found.std() / max(len(found) - 1, 1) ** 0.5:.1f}"

    lines = [
        "| world | draws at the looks | worlds | false at the first look | at any look | gain's interval holds, first look "
        "| last look | noisiest generator, first look | helps or hurts said, first look | last look |",
        "|" + "---|" * 10,
    ]
    for kind in WORLDS:
        own = [row for row in rows if row["kind"] == kind]
        if not own:
            continue
        cells = [kind, ", ".join(map(str, own[0]["looks"])), str(len(own))]
        cells += [share([row["false"][0] for row in own]), share([any(row["false"]) for row in own])]
        for look in (0, -1):
            cells.append(share([np.mean([h for of in row["hits"][look].values() for h in of]) for row in own]))
        noisy = f"edm-{int(np.argmax(WORLDS[kind].noise))}"
        cells.append(share([np.mean(row["hits"][0][noisy]) for row in own if row["hits"][0].get(noisy)]))
        cells += [f"{100 * np.mean([row['said'][look] for row in own]):.1f}" for look in (0, -1)]
        lines.append("| " + " | ".join(cells) + " |")
    minutes = sum(row["seconds"] for row in rows) / 60
    return "\n".join([*lines, "", f"{len(rows)} worlds, seed {SEED}, {minutes:.0f} core-minutes."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, one a world; appended to")
    parser.add_argument("--worlds", type=int, default=200, help="of each kind")
    parser.add_argument("--kinds", default="", help="only those whose name holds this")
    parser.add_argument("--replicates", type=int, default=3000, help="simulated paths for a boundary")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="simulate nothing, only print the table")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(row["kind"], row["world"]) for row in rows}
    jobs = [(kind, i, args.replicates) for i in range(args.worlds) for kind in WORLDS if args.kinds in kind]
    if not args.table:
        with args.out.open("a") as file, ProcessPoolExecutor(args.workers) as pool:
            for row in pool.map(_one, [job for job in jobs if job[:2] not in done], chunksize=2):
                file.write(json.dumps(row) + "\n")
                file.flush()
                rows.append(row)
    print(table(rows))


if __name__ == "__main__":
    main()
