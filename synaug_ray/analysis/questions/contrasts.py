"""Interaction contrasts: does filtering help a GAN more than a diffusion model, does transfer change the gain?

A gain is paired by draw, seed and test image, and so are differences of gains between two levels of a factor, at the
same other factors, numbers of images, draws and images. What is compared are filters with none, ways of using the
images (protocols and real shares) with mixing in proportion, and classifiers with one from scratch, each by generator;
trained generators with the first of them; and filters and ways of use again, between generators. Every contrast is a
mean over the cells where all of its levels were measured, at each number of real images and over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from synaug_ray.analysis.cells.combinations import Between, Combinations
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.analysis.generators import CONTROLS, HYBRIDS
from synaug_ray.analysis.questions.baselines import BASELINES
from synaug_ray.analysis.questions.contrast_results import Contrast, Factor, Unit
from synaug_ray.analysis.questions.contrast_text import sentence
from synaug_ray.analysis.questions.contrast_units import gains, real_images, shares
from synaug_ray.analysis.verdict_text import setting
from synaug_ray.laws.simultaneous import Look

MOST = 200  # contrasts; where there are more, those at single numbers of real images are left out
PROPORTION = setting("proportional", "mixed")
OF: dict[Unit, Callable[[PairedCells, MixedCell], np.ndarray]] = {
    "points": gains,
    "share of the error": shares,
    "real images per synthetic one": real_images,
}
BY_CURVE: Unit = "real images per synthetic one"  # known only inside the measured real-only curve
FACTORS: tuple[Factor, ...] = ("filter", "use", "classifier", "generator")


class Setting(NamedTuple):
    """The factors of a mixed cell."""

    generator: str
    filter: str
    classifier: str
    use: str
    num_real: int
    num_synthetic: int


@dataclass(frozen=True)
class _Asked:
    """One contrast before it is estimated: the settings of its cells, of each the plus and minus ones."""

    factor: Factor
    level: str
    reference: str
    generator: str
    versus: str
    groups: tuple[tuple[tuple[Setting, ...], tuple[Setting, ...]], ...]

    def at(self, num_real: int | None) -> list[tuple[tuple[Setting, ...], tuple[Setting, ...]]]:
        return [g for g in self.groups if num_real is None or g[0][0].num_real == num_real]


def contrasts(
    cells: PairedCells,
    measurements: pd.DataFrame,
    *,
    delta: float,
    confidence: float,
    simultaneous_confidence: float,
    replicates: int,
    rng: np.random.Generator,
    looks: Sequence[Look],
) -> tuple[Contrast, ...]:
    """All contrasts that the measured cells make possible; none without intervals.

    Classifiers err differently without synthetic images, so they are compared in shares of that error too, and in real
    images: whether the exchange rate is another one. Cells whose worth the real-only curve does not show are left out
    there.

    Args:
        measurements: one row per trial, in the order of the grid: the first level of a factor is its reference, except
            that a filter is compared with none, mixing with that in proportion, and a classifier with one from scratch.
        delta: changes within +-delta count as no difference; 0 where the margin is not the same at all sizes.
        confidence: of pointwise intervals.
    """
    if not replicates or cells.synthetic_draws < 2:
        return ()
    at, levels = _settings(cells, measurements)
    asked = list(_asked(cells, at, levels))
    rows: list[tuple[_Asked, int | None, Unit, np.ndarray]] = []
    for one in asked:
        sizes = sorted({plus[0].num_real for plus, _ in one.groups})
        for unit in OF if one.factor == "classifier" else ("points",):
            values = {group: _values(cells, at, group, unit) for group in one.groups}
            groups = tuple(g for g in one.groups if unit != BY_CURVE or not np.isnan(values[g]).all())
            known = replace(one, groups=groups)
            for n in (None, *(sizes if len(sizes) > 1 else ())):
                if not known.at(n):
                    continue
                mean = np.mean([values[g] for g in known.at(n)], axis=0)
                if (~np.isnan(mean[:, 0])).sum() > 1:
                    rows.append((known, n, unit, mean))
    if len(rows) > MOST:
        rows = [row for row in rows if row[1] is None]
    if not rows:
        return ()
    found = _combined(cells, rows).estimates(
        confidence=confidence,
        simultaneous_confidence=simultaneous_confidence,
        looks=looks,
        replicates=replicates,
        rng=rng,
    )
    return tuple(_contrast(*row[:3], between, delta) for row, between in zip(rows, found, strict=True))


def contrast_table(found: Sequence[Contrast]) -> pd.DataFrame:
    """One row a contrast, in fractions; ``low`` and ``high`` are of it alone, the others of all at once."""
    rows = []
    for one in found:
        row = vars(one) | {"num_real": one.num_real or "all", "change": one.change.value}
        row |= {"low": one.change.low, "high": one.change.high}
        row |= {"low_simultaneous": one.simultaneous.low, "high_simultaneous": one.simultaneous.high}
        del row["simultaneous"]
        rows.append(row)
    return pd.DataFrame(rows)


def _settings(
    cells: PairedCells, measurements: pd.DataFrame
) -> tuple[dict[Setting, MixedCell], dict[Factor, list[str]]]:
    """The mixed cells by their settings, and the levels of each factor, the reference first."""
    filters: dict[str, str] = {}
    if "filter" in measurements:
        filters = dict(zip(measurements["generator"].astype(str), measurements["filter"].astype(str), strict=True))
    order = {name: i for i, name in enumerate(dict.fromkeys(measurements["generator"].astype(str)))}
    at: dict[Setting, MixedCell] = {}
    for cell in sorted(cells.mixed, key=lambda cell: order.get(cell.study.generator, 0)):
        study = cell.study
        if cells.kinds[study.generator].family in ("remade", "relabelled"):
            continue  # arms of ``gap``
        kept = filters.get(study.generator, "none")
        base = study.generator.removesuffix(f"+{kept}")
        kept = kept if base != study.generator else "none"
        use = setting(study.real_share, study.protocol)
        at[Setting(base, kept, study.classifier, use, cell.num_real, cell.num_synthetic)] = cell
    first: dict[Factor, str] = {"filter": "none", "use": PROPORTION, "classifier": _from_scratch(measurements)}
    levels: dict[Factor, list[str]] = {}
    for factor in FACTORS:
        there, wanted = list(dict.fromkeys(str(getattr(s, factor)) for s in at)), first.get(factor)
        levels[factor] = [*(name for name in there if name == wanted), *(name for name in there if name != wanted)]
    return at, levels


def _from_scratch(measurements: pd.DataFrame) -> str:
    """The first classifier that has seen no other images, or the first of all."""
    names = measurements["classifier"].astype(str).tolist()
    saw = measurements["classifier_saw"].tolist() if "classifier_saw" in measurements else [""] * len(names)
    return next((name for name, images in zip(names, saw, strict=True) if images == ""), names[0])


def _asked(cells: PairedCells, at: dict[Setting, MixedCell], levels: dict[Factor, list[str]]) -> Iterator[_Asked]:
    families = {s.generator: cells.kinds[cell.study.generator].family for s, cell in at.items()}
    trained = [g for g in levels["generator"] if families[g] not in CONTROLS]
    compared = [g for g in levels["generator"] if families[g] in BASELINES or g in trained]
    for factor in FACTORS[:3]:
        reference, *others = levels[factor] or [""]
        for level in others:
            own = {g: tuple(_pairs(at, factor, level, reference, g)) for g in compared}
            for generator in compared:
                if own[generator]:
                    yield _Asked(factor, level, reference, generator, "", own[generator])
            if factor == "classifier" or not trained:
                continue
            for generator in trained[1:]:
                if quads := tuple(_quads(at, own[generator], trained[0])):
                    yield _Asked(factor, level, reference, generator, trained[0], quads)
    hybrids = [g for g in trained if families[g] in HYBRIDS]
    compare = [(level, trained[0]) for level in trained[1:]]
    # a hybrid with each other generator: is the mixture better than its parts?
    compare += [(level, other) for level in hybrids for other in trained if other not in hybrids]
    for level, reference in dict.fromkeys(compare):
        pairs = tuple(
            pair
            for pair in _pairs(at, "generator", level, reference)
            if not _lengths_of_one(cells, *(at[side[0]] for side in pair))
        )
        if pairs and not (reference in hybrids and (reference, level) in compare):
            yield _Asked("generator", level, reference, "", "", pairs)


def _pairs(
    at: dict[Setting, MixedCell], factor: Factor, level: str, reference: str, generator: str | None = None
) -> Iterator[tuple[tuple[Setting, ...], tuple[Setting, ...]]]:
    for one in at:
        other = one._replace(**{factor: reference})
        if getattr(one, factor) == level and other in at and generator in (None, one.generator):
            yield (one,), (other,)


def _quads(
    at: dict[Setting, MixedCell], pairs: Sequence[tuple[tuple[Setting, ...], tuple[Setting, ...]]], versus: str
) -> Iterator[tuple[tuple[Setting, ...], tuple[Setting, ...]]]:
    for (one,), (other,) in pairs:
        theirs = one._replace(generator=versus), other._replace(generator=versus)
        if all(setting in at for setting in theirs):
            yield (one, theirs[1]), (other, theirs[0])


def _lengths_of_one(cells: PairedCells, one: MixedCell, other: MixedCell) -> bool:
    """Whether two generators are one recipe trained for longer or shorter, which ``budgets`` compares."""
    made = [cells.makings.get((cell.study.generator, cell.num_real)) for cell in (one, other)]
    return made[0] is not None and made[1] is not None and made[0].recipe == made[1].recipe


def _values(
    cells: PairedCells,
    at: dict[Setting, MixedCell],
    group: tuple[tuple[Setting, ...], tuple[Setting, ...]],
    unit: Unit,
) -> np.ndarray:
    """The contrast in one group of cells, [draws, images]."""
    of = OF[unit]
    plus, minus = (sum(of(cells, at[setting]) for setting in side) for side in group)
    return np.asarray(plus - minus, dtype=np.float32)


def _combined(cells: PairedCells, rows: Sequence[tuple[_Asked, int | None, Unit, np.ndarray]]) -> Combinations:
    kinds = [(one.factor, bool(one.versus), unit, n is None) for one, n, unit, _ in rows]
    sizes = [np.mean([np.log(plus[0].num_real) for plus, _ in one.at(n)]) for one, n, _, _ in rows]
    return Combinations(
        values=np.stack([values for *_, values in rows]),
        image_weights=cells.image_weights,
        strata=cells.strata,
        groups=cells.groups,
        trials=cells.synthetic_draws * len(cells.seeds),
        log_size=np.array(sizes),
        family=np.array([list(dict.fromkeys(kinds)).index(kind) for kind in kinds]),
        block=np.array([-1 if n is None else n for _, n, _, _ in rows]),  # all contrasts of a size vary together
    )


def _contrast(asked: _Asked, num_real: int | None, unit: Unit, between: Between, delta: float) -> Contrast:
    found = Contrast(
        factor=asked.factor,
        level=asked.level,
        reference=asked.reference,
        generator=asked.generator,
        versus=asked.versus,
        num_real=num_real,
        cells=len(asked.at(num_real)),
        unit=unit,
        change=between.own,
        simultaneous=between.simultaneous,
        outcome=_outcome(between, delta if unit == "points" else None),
        sentence="",
    )
    return replace(found, sentence=sentence(found, delta))


def _outcome(between: Between, delta: float | None) -> str:
    low, high = between.simultaneous.ends
    if low > 0 or high < 0:
        return "more" if low > 0 else "less"
    low, high = between.own.ends
    return "no difference" if delta is not None and -delta < low and high < delta else "undecided"
