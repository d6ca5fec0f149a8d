"""The gap between real and synthetic images, split by intervention into appearance, content and label.

The question is that of arXiv 2311.03959; the interventions are ours. A classifier sees, in place of s synthetic images,

1. s held-out real images (``real-holdout``),
2. the same images, re-made by the generator (``guide: {of: held-out}``): the step from 1 is **appearance**,
3. the generator's own images with corrected labels (filter ``relabelled``): the step from 2 is **content**,
4. the generator's own images: the step from 3 is **label**,

at the same Subsets, amounts and seeds. Each part is a difference of neighbouring errors, so the parts sum to the whole.
All are paired by draw and test image. A draw that lacks one of the arms is left out of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from synaug_ray.analysis.cells.combinations import Between, Combinations
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.analysis.questions.gap_results import APPEARANCE, CONTENT, JUDGES, LABEL, Gap, GapPart
from synaug_ray.analysis.questions.gap_text import sentence
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import Look

REAL, REMADE, RELABELLED = "real-holdout", "remade", "relabelled"
UNCHANGED = ("duplicate", "label-shuffle")  # families that change no pixel: re-made images are the images themselves
MOST = 400  # differences; where there are more, those of single cells are left out
NOTHING = Between(Estimate(0.0, 0.0, 0.0), Estimate(0.0, 0.0, 0.0))
Place = tuple[str, str, str, int, int]  # classifier, protocol, real share, num_real, num_synthetic


class Arms(NamedTuple):
    """Names of the generators, as in the table of trials; '' where an arm was not run."""

    real: str
    remade: str
    relabelled: str
    pool: str
    judged: str = ""  # the held-out images, relabelled

    def steps(self) -> list[tuple[str, str, str]]:
        """(part, before, after), in order; arms that were not run join the parts on both sides."""
        found, names, before = [], [], self.real
        for part, after in ((APPEARANCE, self.remade), (CONTENT, self.relabelled), (LABEL, self.pool)):
            names.append(part)
            if after:
                found.append((" and ".join(names), before, after))
                names, before = [], after
        return found


@dataclass(frozen=True)
class _Asked:
    """One difference before it is estimated."""

    of: tuple[Arms, tuple[str, str, str], Place | None]  # the arms, (classifier, protocol, real share), the cell
    part: str
    before: str
    after: str
    values: np.ndarray  # [draws, images]
    places: tuple[Place, ...]


def gaps(
    cells: PairedCells,
    measurements: pd.DataFrame,
    *,
    delta: float,
    confidence: float,
    simultaneous_confidence: float,
    replicates: int,
    rng: np.random.Generator,
    looks: Sequence[Look],
) -> tuple[Gap, ...]:
    """The gap of each generator that was measured with held-out images and one arm between; none without intervals.

    Args:
        measurements: one row per trial; without the column ``maker``, in runs of older versions, there are none.
        delta: changes within +-delta count as none; 0 where the margin is not the same at all sizes.
        confidence: of pointwise intervals.
    """
    if not replicates or cells.synthetic_draws < 2 or not {"maker", "filter", "family"} <= set(measurements.columns):
        return ()
    at: dict[str, dict[Place, MixedCell]] = {}
    for cell in (*cells.mixed, *cells.alone):
        study = cell.study
        place = (study.classifier, study.protocol, study.real_share, cell.num_real, cell.num_synthetic)
        at.setdefault(study.generator, {})[place] = cell
    asked = [one for arms in _arms(measurements, at) for one in _of_arms(arms, at)]
    if len(asked) > MOST:
        asked = [one for one in asked if one.of[2] is None]
    if not asked:
        return ()
    unequal = [one for one in asked if one.before != one.after]
    found = iter(
        _combined(cells, unequal).estimates(
            confidence=confidence,
            simultaneous_confidence=simultaneous_confidence,
            looks=looks,
            replicates=replicates,
            rng=rng,
        )
    )
    groups: dict[object, list[tuple[_Asked, GapPart]]] = {}
    traced = _traced(measurements)
    for one in asked:  # an arm that is the one before it changes nothing, and says nothing of how much others vary
        between = NOTHING if one.before == one.after else next(found)
        groups.setdefault(one.of, []).append((one, _part(one, between, delta)))
    return tuple(_gap(group, delta, traced) for group in groups.values())


def gap_table(found: Sequence[Gap]) -> pd.DataFrame:
    """One row a part, a whole and a check of the judges, in fractions; ``low`` and ``high`` are of it alone."""
    rows = []
    for gap in found:
        of_all = {name: getattr(gap, name) for name in ("generator", "remade", "classifier", "protocol", "real_share")}
        of_all["traced"] = gap.traced
        of_all |= {"num_real": "all" if gap.num_real is None else gap.num_real}
        of_all |= {"num_synthetic": "all" if gap.num_synthetic is None else gap.num_synthetic, "cells": gap.cells}
        for one in (*gap.parts, gap.whole, *([gap.judges] if gap.judges else [])):
            row = of_all | {"part": one.part, "before": one.before, "after": one.after}
            row |= {"change": one.change.value, "low": one.change.low, "high": one.change.high}
            row |= {"low_simultaneous": one.simultaneous.low, "high_simultaneous": one.simultaneous.high}
            rows.append(row | {"outcome": one.outcome})
    return pd.DataFrame(rows)


def _arms(measurements: pd.DataFrame, at: dict[str, dict[Place, MixedCell]]) -> Iterator[Arms]:
    """The arms of each generator, of each way in which it re-makes held-out images."""
    rows: Any = measurements[measurements["generator"].isin(at)]
    columns = ("generator", "filter", "family", "maker")
    known = {str(name): rest for name, *rest in rows[[*columns]].drop_duplicates("generator").itertuples(index=False)}
    plain = {name: (family, maker) for name, (kept, family, maker) in known.items() if kept == "none"}
    relabelled = {n.removesuffix(f"+{kept}"): n for n, (kept, family, _) in known.items() if family == RELABELLED}
    real = next((name for name, (family, _) in plain.items() if family == REAL), "")
    for name, (family, maker) in plain.items():
        if not real or family == REAL or (family == REMADE and name not in relabelled):
            continue
        remade = [other for other, (its, by) in plain.items() if its == REMADE and by == maker]
        if family == REMADE:  # its images are held-out ones, re-made, already
            remade = [name]
        elif family in UNCHANGED:
            remade = [real]
        for other in remade or [""]:
            if other or name in relabelled:
                yield Arms(real, other, relabelled.get(name, ""), name, relabelled.get(real, ""))


def _of_arms(arms: Arms, at: dict[str, dict[Place, MixedCell]]) -> Iterator[_Asked]:
    """The differences of each way of use: at each cell where all arms were measured, and their means."""
    steps = [*arms.steps(), ("whole", arms.real, arms.pool)]
    names = {name for _, *both in steps for name in both}
    places = [place for place in at[arms.pool] if all(place in at[name] for name in names)]
    for use in dict.fromkeys(place[:3] for place in places):
        of_use = [place for place in places if place[:3] == use]
        values: dict[tuple[str, Place], np.ndarray] = {}
        for place in of_use:
            lacks = sum(at[name][place].errors for name in names) * 0  # NaN for a draw that lacks an arm
            for part, before, after in steps:
                values[part, place] = at[after][place].errors - at[before][place].errors + lacks
            if arms.judged and place in at[arms.judged]:
                values[JUDGES, place] = at[arms.judged][place].errors - at[arms.real][place].errors + lacks
        kept = [place for place in of_use if (~np.isnan(values["whole", place][:, 0])).sum() > 1]
        judged = [(JUDGES, arms.real, arms.judged)] if any((JUDGES, place) in values for place in kept) else []
        for over in (None, *(kept if len(kept) > 1 else ())) if kept else ():
            for part, before, after in (*steps, *judged):
                cells = tuple(place for place in (kept if over is None else [over]) if (part, place) in values)
                if cells:
                    mean = np.asarray(np.mean([values[part, place] for place in cells], axis=0, dtype=np.float32))
                    yield _Asked((arms, use, over), part, before, after, mean, cells)


def _combined(cells: PairedCells, asked: Sequence[_Asked]) -> Combinations:
    kinds = [(one.of[0].pool, one.part, one.of[2] is None) for one in asked]
    return Combinations(
        values=np.stack([one.values for one in asked]),
        image_weights=cells.image_weights,
        strata=cells.strata,
        groups=cells.groups,
        trials=cells.synthetic_draws * len(cells.seeds),
        log_size=np.array([np.mean([np.log(max(place[3], 1)) for place in one.places]) for one in asked]),
        family=np.array([list(dict.fromkeys(kinds)).index(kind) for kind in kinds]),
        block=np.array([-1 if one.of[2] is None else one.places[0][3] for one in asked]),
    )


def _part(asked: _Asked, between: Between, delta: float) -> GapPart:
    return GapPart(
        part=asked.part,
        before=asked.before,
        after=asked.after,
        change=between.own,
        simultaneous=between.simultaneous,
        outcome=_outcome(between, delta),
    )


def _outcome(between: Between, delta: float) -> str:
    low, high = between.simultaneous.ends
    if low > 0 or high < 0:
        return "costs" if low > 0 else "gains"
    low, high = between.own.ends
    return "nothing" if -delta <= low and high <= delta else "undecided"


def _traced(measurements: pd.DataFrame) -> dict[tuple[str, int | None], float]:
    """Shares of re-made images that are nearest to their own source, by generator, at each num_real and on average."""
    if "traced" not in measurements:
        return {}
    rows: Any = measurements[np.isfinite(measurements["traced"].astype(float))]
    found: dict[tuple[str, int | None], float] = {}
    for (name, n), share in rows.groupby(["generator", "num_real"])["traced"].mean().items():
        found[str(name), int(n)] = float(share)
    for name, share in rows.groupby("generator")["traced"].mean().items():
        found[str(name), None] = float(share)
    return found


def _gap(group: Sequence[tuple[_Asked, GapPart]], delta: float, traced: dict[tuple[str, int | None], float]) -> Gap:
    (arms, (classifier, protocol, share), place), parts = group[0][0].of, [part for _, part in group]
    whole = next(part for part in parts if part.part == "whole")
    found = Gap(
        generator=arms.pool,
        remade=arms.remade,
        classifier=classifier,
        protocol=protocol,
        real_share=share,
        num_real=None if place is None else place[3],
        num_synthetic=None if place is None else place[4],
        cells=max(len(one.places) for one, _ in group),
        parts=tuple(part for part in parts if part.part not in ("whole", JUDGES)),
        whole=whole,
        traced=1.0 if arms.remade == arms.real else traced.get((arms.remade, None if place is None else place[3])),
        judges=next((part for part in parts if part.part == JUDGES), None),
        sentence="",
    )
    return replace(found, sentence=sentence(found, delta))
