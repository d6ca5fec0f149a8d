"""The entry point: measurements and predictions in, an Analysis out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.cells.cell_noise import measure
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.few_draws import draw_warnings, extra_draws_note
from synaug_ray.analysis.guessing import guessing, guessing_reason, guessing_warnings
from synaug_ray.analysis.questions.baselines import over_baselines, unbeaten
from synaug_ray.analysis.questions.behind import behind
from synaug_ray.analysis.questions.budgets import budget_curves, copies_of
from synaug_ray.analysis.questions.ceiling import ceilings
from synaug_ray.analysis.questions.contrasts import contrasts
from synaug_ray.analysis.questions.controls import controls
from synaug_ray.analysis.questions.gap import gaps
from synaug_ray.analysis.questions.joint import joint_cells, joint_sentences
from synaug_ray.analysis.questions.label_savings import label_savings
from synaug_ray.analysis.questions.scaling import synthetic_scaling
from synaug_ray.analysis.questions.second_test import second_test
from synaug_ray.analysis.questions.staged import staged_cells, with_staged
from synaug_ray.analysis.questions.staged import warnings as staged_warnings
from synaug_ray.analysis.questions.substitution import with_substitution
from synaug_ray.analysis.questions.training_length import training_lengths, warnings, with_lengths
from synaug_ray.analysis.real_steps import real_steps
from synaug_ray.analysis.results import Analysis
from synaug_ray.analysis.seen_before import seen_before
from synaug_ray.analysis.study import StudyFitter
from synaug_ray.analysis.study_verdicts import study_verdicts, with_training
from synaug_ray.analysis.trials import judged
from synaug_ray.analysis.verdict import Margin
from synaug_ray.analysis.verdict_text import headline
from synaug_ray.laws.catalogue import FORM_TABLE, PUBLISHED
from synaug_ray.laws.simultaneous import Look, single_look

# separate random streams, so that the other parts of an analysis keep their random numbers
BUDGET_STREAM, SECOND_STREAM, LABEL_STREAM, CONTRAST_STREAM, GAP_STREAM = 1, 2, 3, 4, 5
SCALING_STREAM = 6


def analyse(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    num_classes: int | None = None,
    delta: float = 0.01,
    relative_delta: float | None = None,
    confidence: float = 0.9,
    replicates: int = 1000,
    seed: int = 0,
    balanced: bool | None = None,
    looks: Sequence[Look] = (),
    quality: pd.DataFrame | None = None,
    second: tuple[str, pd.DataFrame] | None = None,
) -> Analysis:
    """Fit the laws and give the verdicts; deterministic given ``seed``.

    Verdicts rest on intervals that hold for all cells at once. If synthetic images did nothing, the probability of a
    false "helps" or "hurts" would be at most (1 - confidence) / 2, over this and all later looks at growing data.

    Args:
        measurements: one row per trial.
        predictions: one row per done trial.
        num_classes: of the data set; by default, as many as occur in the predictions.
        delta: the largest gain or loss, as a fraction, that still counts as no effect.
        relative_delta: replaces ``delta`` by a fraction of the real-only error at each size. A margin of more than a
            quarter of that error gives no verdict "no effect".
        confidence: of pointwise intervals.
        replicates: of the bootstrap; 0 gives values without intervals, for a live view.
        balanced: whether the error is the balanced error; None means if the largest class has more than 1.5 times the
            images of the smallest.
        looks: at these data so far, including this one at the end; none means that this is the first.
        quality: the table of quality checks, which shows whether longer training copies or is settled.
        second: the name of a second test set, and the predictions on it; ``measurements`` then has the errors on it.

    Raises:
        ValueError: if the tables are inconsistent or contain no done trial, or if an argument is out of range.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    if not 0 < delta < 1:
        raise ValueError(f"delta is a fraction between 0 and 1 (0.01 is one point), got {delta}")
    if relative_delta is not None and not 0 < relative_delta < 1:
        raise ValueError(f"relative_delta is a fraction of the real-only error between 0 and 1, got {relative_delta}")
    if replicates < 0:
        raise ValueError(f"replicates must not be negative, got {replicates}")
    counted = judged(measurements)
    cells = pair_cells(counted, predictions, num_classes=num_classes, balanced=balanced)
    if not cells.real:
        raise ValueError("no real-only trial is done: there is nothing to compare with")
    rng = np.random.default_rng(seed)
    simultaneous_confidence = 1 - (1 - confidence) / 2
    looks = tuple(looks) or single_look(cells.synthetic_draws)
    uncertainty = measure(
        cells,
        confidence=confidence,
        simultaneous_confidence=simultaneous_confidence,
        replicates=replicates,
        rng=rng,
        looks=looks,
    )
    about_draws, why = draw_warnings(cells, replicates)
    fitter = StudyFitter(cells, uncertainty, confidence)
    real = tuple(fitter.real_curve(name) for name in sorted({cell.classifier for cell in cells.real}))
    studies = tuple(
        dataclasses.replace(
            fitter.study(key),
            family=cells.kinds[key.generator].family,
            open_set=cells.kinds[key.generator].open_set,
            generation=cells.generation.get(key.generator, ()),
            real_only_slope=cells.slopes[key].value,
        )
        for key in sorted({cell.study for cell in cells.mixed})
    )
    studies = with_substitution(studies, cells, confidence=confidence, intervals=uncertainty.has_intervals)
    margin = functools.partial(Margin.at, delta=delta, relative_delta=relative_delta)
    errors = {(c.classifier, c.num_real): float(e) for c, e in zip(cells.real, uncertainty.values, strict=False)}
    lengths = training_lengths(
        measurements,
        predictions,
        cells,
        margin=lambda classifier, n: margin(errors[classifier, n]).delta,
        confidence=confidence,
        intervals=bool(replicates),
    )
    verdicts = tuple(
        dataclasses.replace(v, family=study.family, open_set=cells.kinds[v.generator].open_in(v.num_real))
        for study in studies
        for v in with_lengths(study_verdicts(cells, uncertainty, study, margin, looks, why), lengths)
    )
    curves = budget_curves(
        cells,
        {(v.classifier, v.num_real): delta if v.margin is None else v.margin for v in verdicts},
        copies_of(quality),
        confidence=confidence,
        replicates=replicates,
        rng=np.random.default_rng((seed, BUDGET_STREAM)),
        looks=looks,
    )
    staged = staged_cells(measurements, predictions, cells, confidence=confidence, intervals=bool(replicates))
    verdicts = with_staged(verdicts, staged)
    joint = joint_cells(measurements, predictions, cells, confidence=confidence, intervals=bool(replicates))
    joint_words = joint_sentences(joint, delta)
    seen = seen_before(counted)
    verdicts = seen.told([with_training(v, curves, cells) for v in verdicts])
    not_beaten = unbeaten(cells, confidence=confidence, rng=rng, replicates=replicates, looks=looks)
    drawn: Any = dict(
        confidence=confidence, simultaneous_confidence=simultaneous_confidence, replicates=replicates, looks=looks
    )
    told = None
    if second is not None:
        rng = np.random.default_rng((seed, SECOND_STREAM))
        on = (second[1], cells, uncertainty, verdicts)
        told = second_test(counted, *on, name=second[0], margin=margin, rng=rng, **drawn)
    rng, gap_rng = (np.random.default_rng((seed, stream)) for stream in (CONTRAST_STREAM, GAP_STREAM))
    near_chance = guessing({"chance_error": cells.chance_error, "real": [dataclasses.asdict(c) for c in real]})
    said = guessing_reason(near_chance) if len(near_chance) == len(real) else headline(verdicts, not_beaten)
    analysis = Analysis(
        error=cells.error,
        confidence=confidence,
        delta=delta,
        relative_delta=relative_delta,
        draws=cells.synthetic_draws,
        real_draws=len(cells.draws),
        seeds=len(cells.seeds),
        test_images=cells.images,
        replicates=replicates,
        num_classes=cells.num_classes,
        warnings=(
            *guessing_warnings(near_chance),
            *cells.warnings,
            *about_draws,
            *extra_draws_note(cells),
            *warnings(lengths),
            *staged_warnings(verdicts),
            *seen.notes(),
            *fitter.all_warnings(),
        ),
        real=real,
        studies=studies,
        verdicts=verdicts,
        headline=said if verdicts or not joint_words else " ".join(joint_words),
        simultaneous_confidence=simultaneous_confidence if uncertainty.has_intervals else None,
        forms=FORM_TABLE,
        published=PUBLISHED,
        budgets=curves,
        ceilings=ceilings(cells, confidence=confidence, intervals=uncertainty.has_intervals),
        real_steps=real_steps(cells, confidence=confidence, intervals=uncertainty.has_intervals),
        over_baselines=over_baselines(cells, confidence=confidence, intervals=uncertainty.has_intervals),
        behind=behind(cells, confidence=confidence, intervals=uncertainty.has_intervals),
        looks=tuple(look.draws for look in looks) if uncertainty.has_intervals else (),
        training_lengths=lengths,
        label_savings=label_savings(
            cells,
            studies,
            confidence=confidence,
            replicates=replicates,
            rng=np.random.default_rng((seed, LABEL_STREAM)),
            looks=looks,
            flat=fitter.flat,
        ),
        test_groups=None if cells.groups is None else int(cells.groups.max()) + 1,
        staged=staged,
        joint=joint,
        joint_words=joint_words,
        second_test=told,
        chance_error=cells.chance_error,
        scaling=synthetic_scaling(
            cells,
            {c.classifier: margin(min(errors[c.classifier, int(p.num_real)] for p in c.points)).delta for c in real},
            quality,
            confidence=confidence,
            replicates=replicates,
            rng=np.random.default_rng((seed, SCALING_STREAM)),
            looks=looks,
        ),
        contrasts=contrasts(cells, counted, delta=0.0 if relative_delta else delta, rng=rng, **drawn),
        gaps=gaps(cells, counted, delta=0.0 if relative_delta else delta, rng=gap_rng, **drawn),
    )
    return dataclasses.replace(analysis, controls=tuple(controls(analysis)))
