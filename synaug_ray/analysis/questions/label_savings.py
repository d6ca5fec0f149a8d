"""How many labels synthetic images save: the real images that real-only training needs for the error of a cell.

They are read off the measured real-only curve, as real-equivalents are: at num_real > 0 the need is num_real + m of the
paired gain. At 0 real images there is nothing to pair with, and the cell's own error is read off.

A class-conditional generator learns from labels too. Subsets are nested, so that a generator of N real images and a
classifier of the first n of them have used max(n, N) labels in all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from synaug_ray.analysis.cells.cell_noise import measure
from synaug_ray.analysis.cells.measured_cells import equivalent_estimate, real_images_for
from synaug_ray.analysis.cells.paired_cells import PairedCells
from synaug_ray.analysis.generators import HYBRID_CONTROL
from synaug_ray.analysis.questions.label_results import LabelSaving
from synaug_ray.analysis.questions.label_text import saving_sentence
from synaug_ray.analysis.results import Cell, Study
from synaug_ray.analysis.study import MIXED
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.config.protocols import SYNTHETIC_ONLY
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import Look

OWN_LABELS = ("real-holdout", "remade")  # these controls have a real image, with a label of its own, for each of theirs
FLAT = "more of them are not shown to lower the error"
FEW_SIZES = "their error was not measured at two sizes"
FEWER_LABELS = ("label-shuffle", "pretrained")  # families that use no label of this data set


def label_savings(
    cells: PairedCells,
    studies: Sequence[Study],
    *,
    confidence: float,
    replicates: int,
    rng: np.random.Generator,
    looks: Sequence[Look],
    flat: Collection[str] = (),
) -> tuple[LabelSaving, ...]:
    """Of all cells of protocols that pretrain, and of generators that were measured at 0 real images.

    Args:
        studies: of the same cells, with real-equivalents.
        rng: of the bootstrap of the cells at 0 real images.
        flat: classifiers whose real-only error is not shown to fall: what a real image is worth is not known.
    """
    found = _without_real(cells, confidence=confidence, replicates=replicates, rng=rng, looks=looks)
    asked = {(saving.classifier, saving.generator) for saving in found}
    for study in studies:
        if study.protocol == MIXED and (study.classifier, study.generator) not in asked:
            continue
        if study.protocol != SYNTHETIC_ONLY:  # all others train on synthetic images first
            found += [_of_cell(cells, study, cell) for cell in study.cells]
    found.sort(key=_place)
    sizes = Counter(cell.classifier for cell in cells.real)
    for i, saving in enumerate(found):
        why = FLAT if saving.classifier in flat else FEW_SIZES if sizes[saving.classifier] < 2 else ""
        if why:
            nothing = Estimate(None)
            saving = replace(saving, needed=nothing, saved=nothing, saved_in_all=nothing, why_not=why)
        found[i] = replace(saving, sentence=saving_sentence(saving))
    return tuple(found)


def _place(saving: LabelSaving) -> tuple[object, ...]:
    last = (saving.protocol, saving.real_share) if saving.num_real else ("", "")
    return (saving.classifier, saving.generator, *last, saving.num_real, saving.num_synthetic)


def _of_cell(cells: PairedCells, study: Study, cell: Cell) -> LabelSaving:
    key = StudyKey(study.classifier, study.generator, study.protocol, study.real_share)
    needed = _more(cell.equivalent, cell.num_real)
    return _saving(cells, key, cell.num_real, cell.num_synthetic, cell.error, needed)


def _without_real(
    cells: PairedCells, *, confidence: float, replicates: int, rng: np.random.Generator, looks: Sequence[Look]
) -> list[LabelSaving]:
    """Of the cells at 0 real images, whose errors are resampled together with those of the real-only cells."""
    if not cells.alone:
        return []
    errors_for_gains = tuple(replace(cell, gains=cell.errors) for cell in cells.alone)
    uncertainty = measure(
        replace(cells, mixed=errors_for_gains),
        confidence=confidence,
        simultaneous_confidence=confidence,
        replicates=replicates,
        rng=rng,
        looks=looks,
    )
    found = []
    for classifier in dict.fromkeys(cell.study.classifier for cell in cells.alone):
        real = [i for i, cell in enumerate(cells.real) if cell.classifier == classifier]
        real.sort(key=lambda i: cells.real[i].num_real)
        sizes = np.array([cells.real[i].num_real for i in real], dtype=float)
        for place, cell in enumerate(cells.alone, start=len(cells.real)):
            if cell.study.classifier != classifier:
                continue
            needed = Estimate(None)
            if len(sizes) > 1:  # the curve of a single size cannot be inverted
                drawn = None if uncertainty.draws[place] < 2 else uncertainty.replicates
                needed = _needed(sizes, real, place, uncertainty.values, drawn, confidence)
            found.append(_saving(cells, cell.study, 0, cell.num_synthetic, uncertainty.estimate(place), needed))
    return found


def _needed(
    sizes: np.ndarray, real: list[int], place: int, values: np.ndarray, drawn: np.ndarray | None, confidence: float
) -> Estimate:
    """Real images alone for the error of cell number ``place`` of ``values`` [Q]; ``drawn``: replicates, [B, Q]."""
    samples = None
    if drawn is not None:
        pairs = ((np.maximum(one[real], 0), np.maximum(one[[place]], 0)) for one in drawn)
        samples = np.concatenate([real_images_for(sizes, *pair) for pair in pairs])
    point = float(real_images_for(sizes, values[real], values[[place]])[0])
    return equivalent_estimate(point, samples, 0, sizes, confidence)[0]


def _saving(
    cells: PairedCells, key: StudyKey, num_real: int, num_synthetic: int, error: Estimate, needed: Estimate
) -> LabelSaving:
    labels = labels_used(cells, key.generator, num_real, num_synthetic)
    return LabelSaving(
        **key._asdict(),
        num_real=num_real,
        num_synthetic=num_synthetic,
        error=error,
        needed=needed,
        saved=_more(needed, -num_real),
        labels=labels,
        saved_in_all=Estimate(None) if labels is None else _more(needed, -labels),
    )


def labels_used(cells: PairedCells, generator: str, num_real: int, num_synthetic: int) -> int | None:
    """Labelled images of the data set that a cell's generator and classifier have learnt from; None if not known."""
    kind, made = cells.kinds[generator], cells.makings.get((generator, num_real))
    if kind.family in OWN_LABELS:
        return num_real + num_synthetic
    if kind.family in ("relabelled", HYBRID_CONTROL):
        return None  # all labels of the data set; with held-out images, as many as it has of them
    if kind.family in FEWER_LABELS:
        return num_real
    if made is not None:
        return max(num_real, made.trained_on)
    return None if kind.open_in(num_real) or not num_real else num_real


def _more(estimate: Estimate, count: float) -> Estimate:
    value, low, high = (None if v is None else v + count for v in (estimate.value, estimate.low, estimate.high))
    return Estimate(value, low, high)
