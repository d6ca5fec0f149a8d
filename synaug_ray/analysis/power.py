"""Power analysis of a grid before it runs: simulated gains, analysed by the same code as measured ones.

The noise of a test image is that of the audit: two classifiers differ on a share d of the images, so that a gain g of
one pair has the variance (d + g - g^2) per image. Part of it is due to the image, part to the draw, the rest to the
seed (``Noise``); half of each is due to the real-only classifier, and so common to all cells of its size. In addition,
each generator of each draw changes its gains by a random amount. Per-image noise is Gaussian here, since only averages
over images matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from synaug_ray.analysis.cells.cell_noise import CellUncertainty, measure
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells, RealCell
from synaug_ray.analysis.generators import Kind
from synaug_ray.analysis.results import Outcome
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.analysis.trials import image_weights
from synaug_ray.analysis.verdict import Margin, outcome_of
from synaug_ray.laws.moderation import StandardErrors, half_widths
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import quantiles, single_look

VERDICTS = 240  # simulated per design: a share near 80% is then known to within 5 points (95%; standard error 2.6)
LEAST_TABLES, MOST_TABLES = 16, 120
SEARCHED = 2  # tables for which simultaneous intervals are computed, which takes most of the time
BINS = 400  # test images simulated; if there are more, several are averaged into one, with the variance of their mean
MOST_DRAWS = 64  # more draws are not proposed
MOST_SEEDS = 8  # nor more seeds: they leave little of their own part of the noise
STRIDE = 1.4  # factor by which the search for the number of draws goes up or down


@dataclass(frozen=True)
class Noise:
    """How gains of one size vary; all are fractions."""

    error: float  # real-only
    discordance: float  # d: the share of images on which two classifiers differ
    image: float  # share of the variance that is due to the image, common to all draws
    draw: float  # share of the variance that is due to the image within a draw, common to all of its seeds
    spread: float  # standard deviation of the true gain between draws and generators, as a share of ``error``


class Amount(NamedTuple):
    """A mixed cell of a design."""

    study: StudyKey
    family: str
    num_real: int
    num_synthetic: int


@dataclass(frozen=True)
class Design:
    """What is to be measured."""

    amounts: tuple[Amount, ...]
    draws: int
    seeds: int
    test: tuple[int, ...]  # number of test images of each class, [K]
    noise: Noise
    noise_at: Mapping[int, Noise] = field(default_factory=dict)  # by num_real, for sizes whose noise was measured

    def at(self, num_real: int) -> Noise:
        """The noise at one size."""
        return self.noise_at.get(num_real, self.noise)

    @property
    def images(self) -> int:
        """Number of test images."""
        return sum(self.test)


@dataclass(frozen=True)
class Power:
    """How often a design detects a gain, over all of its generators and sizes."""

    helps: float  # share of simulated verdicts
    no_effect: float  # share of simulated verdicts
    smallest: float  # the gain (a fraction) that is detected with the wanted power
    verdicts: int  # number of simulated verdicts

    def error(self) -> float:
        """The standard error of ``helps``."""
        return float(np.sqrt(max(self.helps * (1 - self.helps), 1e-4) / self.verdicts))


def simulate(design: Design, gain: float, rng: np.random.Generator) -> PairedCells:
    """Simulate a table of ``design``, with ``gain`` at the largest amount of each study and size, else none."""
    binned, scale = _binned(design.test)
    labels = np.repeat(np.arange(len(binned)), binned)
    _, weights, strata = image_weights(np.repeat(np.arange(len(design.test)), design.test), None)
    starts = np.concatenate([[0], np.cumsum(design.test)[:-1]])
    per_class = np.array(
        [float(weights[start : start + n].sum()) for start, n in zip(starts, design.test, strict=True)]
    )
    weights = (per_class / np.maximum(binned, 1))[labels]
    strata = np.zeros(len(labels), dtype=int) if strata.max() == 0 else labels
    wide = np.sqrt(np.asarray(scale))[labels].astype(np.float32)
    shape, largest = (design.draws, len(labels)), _largest(design.amounts)

    def normal(*of: int) -> np.ndarray:
        return rng.standard_normal(of, dtype=np.float32)

    shared: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
    own: dict[tuple[str, int], np.ndarray] = {}
    real, mixed = [], []
    for amount in design.amounts:
        noise, at = design.at(amount.num_real), (amount.study.classifier, amount.num_real)
        if at not in shared:
            shared[at] = normal(shape[1]), normal(*shape)
            real.append(RealCell(*at, np.full(shape, noise.error, np.float32), design.draws * design.seeds, 0.0))
        by = (amount.study.generator, amount.num_real)
        if by not in own:
            own[by] = noise.spread * noise.error * normal(design.draws, 1)
        g = gain if (amount.study, amount.num_real, amount.num_synthetic) in largest else 0.0
        variance = noise.discordance + g - g * g
        changing = noise.draw + (1 - noise.image - noise.draw) / design.seeds
        fixed, fresh = shared[at]
        by_image = np.sqrt(variance * noise.image / 2) * (fixed + normal(shape[1])) + np.sqrt(
            variance * changing / 2
        ) * (fresh + normal(*shape))
        gains = g + own[by] + wide * by_image
        errors = np.full(shape, noise.error, np.float32) - gains
        mixed.append(
            MixedCell(
                study=amount.study,
                num_real=amount.num_real,
                num_synthetic=amount.num_synthetic,
                gains=gains.astype(np.float32),
                errors=errors.astype(np.float32),
                trials=design.draws * design.seeds,
                seconds=0.0,
                pool_seconds=0.0,
            )
        )
    return PairedCells(
        error="test_error",
        real=tuple(real),
        mixed=tuple(mixed),
        draws=tuple(range(design.draws)),
        seeds=tuple(range(design.seeds)),
        image_weights=weights,
        strata=strata,
        num_classes=len(design.test),
        warnings=(),
        kinds={a.study.generator: Kind(a.family, False) for a in design.amounts},
        generation={},
    )


@dataclass(frozen=True)
class Rule:
    """How verdicts are given, as in ``analyse``, and the wanted power."""

    confidence: float = 0.9  # of pointwise intervals
    delta: float = 0.01
    relative_delta: float | None = None
    wanted: float = 0.8  # the wanted power


def power(design: Design, gain: float, rule: Rule, *, seed: int = 0, verdicts: int = VERDICTS) -> Power:
    """How often the verdicts of ``design`` detect a gain; deterministic given ``seed``.

    Args:
        gain: a fraction; with 0, the result says how often the verdict is "no effect" if there is none.
        verdicts: to simulate at least, within a time limit.
    """
    largest = _largest(design.amounts)
    tables = int(np.clip(verdicts // max(len(largest), 1), LEAST_TABLES, MOST_TABLES))
    outcomes: list[Outcome] = []
    needed: list[float] = []
    critical: list[float] = []  # p-values of simultaneous intervals: they depend on the design, hardly on the table
    looks = single_look(design.draws)
    for table in range(tables):
        rng = np.random.default_rng((seed, table))
        cells = simulate(design, gain, rng)
        found = measure(
            cells,
            confidence=rule.confidence,
            simultaneous_confidence=1 - (1 - rule.confidence) / 2,
            replicates=int(table < SEARCHED),
            rng=rng,
            looks=looks,
        )
        if table < SEARCHED:
            critical.append(found.critical)
        judged = _Judged(found, len(cells.real), rule.confidence, float(np.mean(critical)))
        groups: dict[tuple[StudyKey, int], list[int]] = {}
        for i, cell in enumerate(cells.mixed):
            groups.setdefault((cell.study, cell.num_real), []).append(i)
            if (cell.study, cell.num_real, cell.num_synthetic) in largest:
                short = judged.joint[i] - (judged.gains[i] - gain)
                needed.append(float(short) if np.isfinite(short) else np.inf)
        for (_, num_real), members in groups.items():
            margin = Margin.at(design.at(num_real).error, rule.delta, rule.relative_delta)
            joint, own = ([judged.estimate(i, half) for i in members] for half in (judged.joint, judged.own))
            outcome = outcome_of(joint, own, margin.delta)
            outcomes.append(Outcome.UNDECIDED if outcome is Outcome.NO_EFFECT and margin.wide else outcome)
    return Power(
        helps=float(np.mean([outcome is Outcome.HELPS for outcome in outcomes])),
        no_effect=float(np.mean([outcome is Outcome.NO_EFFECT for outcome in outcomes])),
        smallest=float(np.quantile(needed, rule.wanted, method="higher")),
        verdicts=len(outcomes),
    )


class _Judged:
    """The mixed cells of one table, with half-widths as in ``measure``, for a given critical p-value."""

    def __init__(self, found: CellUncertainty, real: int, confidence: float, critical: float) -> None:
        errors = StandardErrors(
            draw_variance=found.draw_variance[real:],
            image_variance=found.image_variance[real:],
            freedom=found.freedom[real:],
            pooled_variance=found.draw_variance[real:],
            least=found.draw_variance[real:],  # like the line before, without effect on half-widths
        )
        self.gains = found.values[real:]
        self.own = half_widths(errors, confidence)
        self.joint = quantiles(errors, critical) * errors.error

    def estimate(self, cell: int, half: np.ndarray) -> Estimate:
        return Estimate.around(self.gains[cell], half[cell])


def cheapest_seeds(noise: Noise, images: int, dearer: float) -> int:
    """The seeds of a draw with which a given precision costs least, at most ``MOST_SEEDS``.

    The variance of D draws of S seeds is (v + w / S) / D, and their cost D (c + S k): least at S = sqrt(w c / (v k)),
    as in two-stage sampling (Cochran, Sampling Techniques, 1977, chapter 10).

    Args:
        images: test images.
        dearer: c / k, how many times as much a draw costs without its trials as one seed of these.
    """
    of_seed = noise.discordance * (1 - noise.image - noise.draw) / images
    of_draw = noise.discordance * noise.draw / images + (noise.spread * noise.error) ** 2
    best = math.sqrt(of_seed * dearer / of_draw) if of_draw else math.inf
    return max(round(min(best, MOST_SEEDS)), 1)


def draws_needed(
    design: Design, gain: float, rule: Rule, *, start: int = 8, most: int = MOST_DRAWS, verdicts: int = VERDICTS
) -> int | None:
    """The smallest number of draws with which ``design`` detects ``gain`` with the wanted power, to about a tenth.

    None if more than ``most`` are needed.

    Args:
        start: where to start the search.
    """

    def shows(draws: int) -> bool:
        return power(replace(design, draws=draws), gain, rule, verdicts=verdicts).helps >= rule.wanted

    low, high = 1, min(max(start, 2), most)
    if shows(high):
        while (lower := max(int(high / STRIDE), 2)) < high and low < 2:
            low, high = (low, lower) if shows(lower) else (lower, high)
    else:
        while low < high:
            if high == most:
                return None
            low, high = high, min(math.ceil(high * STRIDE), most)
            if shows(high):
                break
    while high - low > max(1, high // 8):
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def _largest(amounts: Sequence[Amount]) -> set[tuple[StudyKey, int, int]]:
    """The largest amount of each study and size."""
    most: dict[tuple[StudyKey, int], int] = {}
    for amount in amounts:
        at = (amount.study, amount.num_real)
        most[at] = max(most.get(at, 0), amount.num_synthetic)
    return {(*at, count) for at, count in most.items()}


def _binned(test: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Images to simulate of each class, and the factor of their variance relative to that of one image, both [K]."""
    counts = np.asarray(test)
    if counts.sum() <= BINS:
        return counts, np.ones(len(counts))
    binned = np.where(counts > 0, np.minimum(counts, np.maximum(np.round(counts * BINS / counts.sum()), 2)), 0).astype(
        int
    )
    return binned, binned / np.maximum(counts, 1)
