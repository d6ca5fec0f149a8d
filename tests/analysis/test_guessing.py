"""Classifiers that are hardly better than guessing: the error of guessing, and the warning, from planted tables."""

from typing import Any

import numpy as np
import pytest
from helpers.simulate import Grid, nothing, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells

EFFECTS: Any = dict(draw_effect=0.0, size_effect=0.0, generator_effect=0.0, seed_effect=0.0)
SMALL: Any = dict(laws={("synthetic", "0.5"): nothing}, sizes=(20, 40), multiples=(1,), draws=2, seeds=1)


def planted(error, classes):
    return simulate(Grid(curve=lambda n: error, classes=classes, **SMALL, **EFFECTS), seed=1)


@pytest.mark.parametrize("error,classes,hardly", [(0.84, 10, True), (0.5, 10, False), (0.45, 2, True), (0.3, 2, False)])
def test_an_analysis_warns_of_it_with_the_numbers(error, classes, hardly):
    whole = analyse(*planted(error, classes), replicates=0)
    told = [w for w in whole.warnings if "hardly better than guessing" in w]
    assert len(told) == hardly and whole.chance_error == pytest.approx(1 - 1 / classes)
    if hardly:
        assert f"{100 - 100 / classes:.0f}% by guessing" in told[0] and "nimg" in told[0]
    assert ("cannot tell what images are worth" in whole.headline) == hardly


@pytest.mark.parametrize("balanced,chance", [(False, 0.1), (True, 0.5), (None, 0.5)])
def test_guessing_is_always_the_class_that_the_analysed_error_counts_most(balanced, chance):
    measurements, predictions = planted(0.4, 10)
    rare = (np.stack(predictions["label"].tolist()) == 0).astype(np.uint16)  # one image in ten
    wrong = np.stack(predictions["label"].tolist()) != np.stack(predictions["predicted"].tolist())
    by_class = [wrong[:, rare[0] == c].mean(axis=1) for c in (0, 1)]
    measurements = measurements.assign(balanced_error=np.mean(by_class, axis=0))
    predictions = predictions.assign(label=list(rare), predicted=list(np.where(wrong, 1 - rare, rare)))
    assert pair_cells(measurements, predictions, balanced=balanced).chance_error == pytest.approx(chance)
