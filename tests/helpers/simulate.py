"""Simulated grids with a planted truth: draw, generator and seed effects, shared test images, binomial noise.

A trial is wrong on test image i if a standard normal score exceeds the threshold of its error. A part of the score is
common to all trials (the image is hard), a part to the trials of a draw (the subset does not cover it), and the rest is
the trial's own. A trial's error is the planted one times lognormal effects with mean one: those of the draw (common to
all of its cells), of the draw at this n, of the generator (common to the amounts at one n), and of the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

Law = Callable[[float, float], float]  # (n, s) -> r
Curve = Callable[[float], float]  # n -> error


@dataclass(frozen=True)
class Grid:
    """What to simulate; ``laws`` maps (generator, real_share) to r(n, s)."""

    curve: Curve
    laws: dict[tuple[str, str], Law]
    sizes: tuple[int, ...] = (20, 40, 80, 160, 320)
    multiples: tuple[float, ...] = (1, 4, 8)
    draws: int = 6
    seeds: int = 2
    images: int = 600
    classes: int = 10
    image_share: float = 0.55  # share of the score's variance that is common to all trials
    draw_share: float = 0.15  # share that is common to the trials of a draw
    draw_effect: float = 0.08  # standard deviations of log effects
    size_effect: float = 0.05
    generator_effect: float = 0.05
    seed_effect: float = 0.03
    failing: float = 0.0  # share of generators that fail: their synthetic images multiply the error by ``failed``
    failed: float = 1.8
    nested: float = 0.0  # correlation of a draw's effects at neighbouring sizes, besides the effect of the whole draw
    apart: bool = False  # whether errors with synthetic images have draw effects of their own, as if these decided all
    tails: float | None = None  # degrees of freedom of t-distributed log effects; None: normal

    def error(self, generator: str, share: str, n: int, s: float) -> float:
        """The planted error of one cell, averaged over draws, generators and seeds."""
        r = 0.0 if s == 0 else self.laws[generator, share](n, s)
        error = self.curve(n * (1 + r))
        if s and self.failing:
            error *= 1 + self.failing * (self.failed - 1)
        return error

    def gain(self, generator: str, share: str, n: int, s: float) -> float:
        """The planted gain of one cell."""
        return self.curve(n) - self.error(generator, share, n, s)


def power(b: float = 0.35, c: float = 0.55, n0: float = 20.0) -> Curve:
    """E = b (n / n0)^-c."""
    return lambda n: b * (n / n0) ** -c


def nothing(n: float, s: float) -> float:
    """Synthetic images do nothing."""
    return 0.0


def _lognormal(rng: np.random.Generator, sd: float, shape: tuple[int, ...]) -> np.ndarray:
    return np.exp(sd * rng.standard_normal(shape) - 0.5 * sd**2)


def _heavy(rng: np.random.Generator, sd: float, shape: tuple[int, ...], freedom: float) -> np.ndarray:
    """exp of t-distributed effects with standard deviation ``sd``, clipped at four of these, and with mean one."""
    unit = np.sqrt((freedom - 2) / freedom)
    probe = np.exp(sd * np.clip(unit * np.random.default_rng(0).standard_t(freedom, 100_000), -4, 4))
    return np.exp(sd * np.clip(unit * rng.standard_t(freedom, shape), -4, 4)) / probe.mean()


def simulate(grid: Grid, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measurements and predictions of ``grid``, in the formats of a run's parquet files."""
    rng = np.random.default_rng(seed)
    labels = np.arange(grid.images) % grid.classes
    hard = rng.standard_normal(grid.images)
    uncovered = rng.standard_normal((grid.draws, grid.images))
    rest = 1 - grid.image_share - grid.draw_share
    common = np.sqrt(grid.image_share) * hard + np.sqrt(grid.draw_share) * uncovered

    def effects(sd: float, shape: tuple[int, ...]) -> np.ndarray:
        return _lognormal(rng, sd, shape) if grid.tails is None else _heavy(rng, sd, shape, grid.tails)

    draw = effects(grid.draw_effect, (grid.draws,))
    seeded = _lognormal(rng, grid.seed_effect, (grid.draws, grid.seeds))
    measurements, predictions = [], []

    def trials(n: int, s: float, generator: str, share: str, effect: np.ndarray) -> None:
        planted = grid.error(generator, share, n, s)
        if s and grid.failing:
            planted /= 1 + grid.failing * (grid.failed - 1)
        num_synthetic = int(round(n * s))
        for d in range(grid.draws):
            for j in range(grid.seeds):
                p = min(planted * draw[d] * effect[d] * seeded[d, j], 0.98)
                score = common[d] + np.sqrt(rest) * rng.standard_normal(grid.images)
                wrong = score > -ndtri(p)
                key = f"{generator}-{share}-{n}-{num_synthetic}-{d}-{j}"
                predicted = np.where(wrong, (labels + 1) % grid.classes, labels)
                measurements.append(
                    {
                        "key": key,
                        "status": "done",
                        "dataset": "simulated",
                        "num_real": n,
                        "num_synthetic": num_synthetic,
                        "synthetic_multiple": s,
                        "draw": d,
                        "seed": j,
                        "generator": generator,
                        "classifier": "mlp",
                        "protocol": "mixed" if s else "real-only",
                        "real_share": share,
                        "test_error": wrong.mean(),
                        "balanced_error": wrong.mean(),
                        "test_nll": np.nan,
                        "val_error": np.nan,
                        "nimg": 64_000,
                        "seconds": 2.0,
                        "cpu_seconds": 2.0,
                    }
                )
                predictions.append(
                    {"key": key, "label": labels.astype(np.uint16), "predicted": predicted.astype(np.uint16)}
                )

    at_size = np.ones(grid.draws)
    for n in grid.sizes:
        at_size = at_size**grid.nested * effects(grid.size_effect, (grid.draws,))
        trials(n, 0, "none", "none", at_size)
        for generator, share in grid.laws:
            own = at_size * effects(grid.generator_effect, (grid.draws,))
            if grid.apart:
                own = effects(grid.generator_effect, (grid.draws,)) / draw
            if grid.failing:
                own = own * np.where(rng.random(grid.draws) < grid.failing, grid.failed, 1.0)
            for s in grid.multiples:
                trials(n, s, generator, share, own)
    return pd.DataFrame(measurements), pd.DataFrame(predictions)
