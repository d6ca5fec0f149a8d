"""Whether classifiers are trained to their end: real-only trials are compared with the same on twice the images seen.

If training stops before the error has reached its plateau, gains of synthetic images may be larger or smaller than for
longer training. Gains are compared with a margin ``delta``; a change of the error by more than half of it, by longer
training alone, is too much. The two trials of a pair have the same draw, seed, Subset and initial weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.analysis.cells.cell_differences import uncertain
from synaug_ray.analysis.cells.paired_cells import PairedCells
from synaug_ray.analysis.questions.length_results import Ended, TrainingLength
from synaug_ray.analysis.results import Verdict
from synaug_ray.analysis.trials import REAL_ONLY, wrong_answers
from synaug_ray.common.text import fixed, listed
from synaug_ray.config.cells import LONGER, TRAINING_CHECK
from synaug_ray.laws import moderation
from synaug_ray.laws.results import Estimate

SHARE = 0.5  # of the verdicts' margin


def training_lengths(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    cells: PairedCells,
    *,
    margin: Callable[[str, int], float],
    confidence: float,
    intervals: bool = True,
) -> tuple[TrainingLength, ...]:
    """One result for each classifier and number of real images with at least one pair of trials.

    Args:
        measurements: one row per trial; those of the check have the ``protocol`` training-check.
        cells: of the same tables.
        margin: the verdicts' margin for a classifier at a number of real images, as a fraction.
        intervals: whether to compute intervals; a live view has none.
    """
    done: Any = measurements[measurements["status"] == "done"]
    checks, real = done[done["protocol"] == TRAINING_CHECK], done[done["protocol"] == "real-only"]
    pairs: Any = checks.merge(real, on=REAL_ONLY, suffixes=("_longer", ""))
    pairs = pairs[pairs["key"].isin(predictions["key"]) & pairs["key_longer"].isin(predictions["key"])]
    if pairs.empty:
        return ()
    both = done[done["key"].isin({*pairs["key"], *pairs["key_longer"]})].drop_duplicates("key")
    kept, wrong, _, _ = wrong_answers(both, predictions, [])
    row = {key: i for i, key in enumerate(kept["key"])}
    groups = {at: of for at, of in pairs.groupby(["classifier", "num_real"], sort=True)}
    draws = {draw: i for i, draw in enumerate(sorted(set(pairs["draw"])))}
    values = np.full((len(groups), len(draws), wrong.shape[1]), np.nan, dtype=np.float32)
    for i, of in enumerate(groups.values()):
        for draw, seeds in of.groupby("draw"):
            short, longer = ([row[key] for key in seeds[name]] for name in ("key", "key_longer"))
            values[i, draws[draw]] = (wrong[short].astype(np.float32) - wrong[longer]).mean(axis=0)
    errors, change = uncertain(cells, values, list(groups))
    half = moderation.half_widths(errors, confidence) if intervals else np.full(len(groups), np.nan)
    found = []
    for i, ((classifier, num_real), of) in enumerate(groups.items()):
        most = SHARE * margin(str(classifier), int(num_real))
        lower = Estimate.around(change[i], half[i])
        found.append(
            TrainingLength(
                classifier=str(classifier),
                num_real=int(num_real),
                nimg=int(of["nimg"].iloc[0]),
                longer_nimg=int(of["nimg_longer"].iloc[0]),
                pairs=len(of),
                gain=lower,
                margin=most,
                ended=ended(lower, most),
            )
        )
    doubts = doubtful(found)
    return tuple(replace(f, ended=Ended.MAYBE_SHORT) if f in doubts else f for f in found)


def doubtful(found: Sequence[TrainingLength]) -> list[TrainingLength]:
    """Those of one pair of trials whose change is over the margin, as is the mean change of their classifier.

    One pair has no interval, but sizes that change by points in the mean are hardly chance: nobody must be silent.
    """
    doubts = []
    for classifier in dict.fromkeys(f.classifier for f in found):
        single = [f for f in found if f.classifier == classifier and f.pairs == 1]
        excess = {f.num_real: (f.gain.value or 0.0) - f.margin for f in single}
        if single and np.mean(list(excess.values())) > 0:
            doubts += [f for f in single if excess[f.num_real] > 0]
    return doubts


def ended(gain: Estimate, most: float) -> Ended:
    """What a gain by longer training means; unknown unless its whole interval is on one side of +-``most``."""
    if gain.low is None or gain.high is None:
        return Ended.UNKNOWN
    if gain.low > most:
        return Ended.SHORT
    if gain.high < -most:
        return Ended.LONG
    return Ended.YES if -most < gain.low and gain.high < most else Ended.UNKNOWN


def warnings(found: Sequence[TrainingLength]) -> list[str]:
    """One warning for each classifier that is trained too short or too long at some sizes, or that may be."""
    said = []
    for state, what, change in (
        (Ended.SHORT, "not trained to its end", "lowers"),
        (Ended.LONG, "trained past its best length", "raises"),
    ):
        for classifier in dict.fromkeys(f.classifier for f in found if f.ended is state):
            at = [f for f in found if f.classifier == classifier and f.ended is state]
            by = listed([f"{abs(100 * (f.gain.value or 0.0)):.1f} points at {f.num_real:,}" for f in at])
            said.append(
                f"{classifier} is {what}: training on {_lengths(at)} "
                f"{change} its error without synthetic images by {by} real images. Gains, and what more real images "
                f"bring, may differ if it is trained to its end: {'raise' if state is Ended.SHORT else 'lower'} nimg"
                f"{_or_passes(found, at) if state is Ended.SHORT else ''}."
            )
    for classifier in dict.fromkeys(f.classifier for f in found if f.ended is Ended.MAYBE_SHORT):
        at = [f for f in found if f.classifier == classifier and f.ended is Ended.MAYBE_SHORT]
        by = listed([f"{100 * (f.gain.value or 0.0):.1f} points at {f.num_real:,}" for f in at])
        said.append(
            f"{classifier} may not be trained to its end: in one pair of trials at each size, training on "
            f"{_lengths(at)} lowered its error without synthetic "
            f"images by {by} real images. One pair does not tell this from chance: raise its nimg, or check two draws "
            "(training_check: {draws: 2})."
        )
    return said


def _lengths(found: Sequence[TrainingLength]) -> str:
    """With ``min_passes`` they are not the same at all sizes."""
    (first, *rest) = found
    if any(f.nimg != first.nimg for f in rest):
        return f"{LONGER} times the images seen"
    return f"{first.longer_nimg:,} images seen instead of {first.nimg:,}"


def _or_passes(found: Sequence[TrainingLength], short: Sequence[TrainingLength]) -> str:
    """How to lengthen the larger sizes alone, where a smaller one is long enough by itself; else ''."""
    first = min(short, key=lambda f: f.num_real)
    if all(f.num_real >= first.num_real for f in found if f.classifier == first.classifier):
        return ""
    passes = math.ceil(first.longer_nimg / first.num_real)
    return f", or set min_passes to {passes:,}, which leaves the smaller sizes as they are"


def with_lengths(verdicts: Sequence[Verdict], found: Sequence[TrainingLength]) -> list[Verdict]:
    """The verdicts, completed with what is known about their classifier's training at their size."""
    by = {(f.classifier, f.num_real): f for f in found}
    told = ((v, by.get((v.classifier, v.num_real))) for v in verdicts)
    return [v if f is None else replace(v, training_length=f.ended, sentence=v.sentence + sentence(f)) for v, f in told]


def sentence(found: TrainingLength) -> str:
    """What to add to a verdict's sentence; '' if the training is long enough, or if that is not known."""
    if found.ended not in (Ended.SHORT, Ended.LONG):
        return ""
    sign, word = (1, "less") if found.ended is Ended.SHORT else (-1, "more")
    low, high = sorted(sign * 100 * (end or 0.0) for end in (found.gain.low, found.gain.high))
    value = sign * 100 * (found.gain.value or 0.0)
    return (
        f" The classifier is {found.ended} at this size: trained on twice the images, it errs {value:.1f} points "
        f"{word} without synthetic images ({fixed(low, '.1f')} to {fixed(high, '.1f')})."
    )
