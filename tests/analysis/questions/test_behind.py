"""How far a classifier with synthetic images stays behind another one without any: planted differences come back."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.analyse import analyse

STRONG = Grid(
    power(0.20), {("edm", "0.5"): lambda n, s: 0.1 * s}, sizes=(40, 160), multiples=(1, 4), draws=6, images=1_000
)
WEAK = dataclasses.replace(STRONG, curve=power(0.35), laws={("edm", "0.5"): lambda n, s: 0.5 * s})


def both(seed=0, weak=WEAK):
    """Two classifiers on the same draws and test images: one score a test image, another threshold."""
    parts = []
    for name, grid in (("strong", STRONG), ("weak", weak)):
        trials, predictions = simulate(grid, seed)
        key = name + trials["key"]
        parts.append((trials.assign(classifier=name, key=key), predictions.assign(key=name + predictions["key"])))
    return tuple(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))


def test_planted_differences_are_inside_their_intervals():
    held = []
    for seed in range(6):
        found = analyse(*both(seed), replicates=20).behind
        assert len(found) == 4 and {(b.classifier, b.best) for b in found} == {("weak", "strong")}
        for b in found:
            truth = WEAK.error("edm", "0.5", b.num_real, b.num_synthetic / b.num_real) - STRONG.curve(b.num_real)
            held.append(b.difference.low <= truth <= b.difference.high)
    assert 0.8 <= np.mean(held) <= 1  # 90% intervals; those of one draw move together


def test_pairing_makes_it_sharper_than_the_errors_of_both():
    """Draws and test images are common to both: that is why ends of two intervals are not compared."""
    found = analyse(*both(), replicates=20)
    real = {p.num_real: p.error for c in found.real if c.classifier == "strong" for p in c.points}
    cells = {(c.num_real, c.num_synthetic): c.error for s in found.studies if s.classifier == "weak" for c in s.cells}
    for b in found.behind:
        ours, its = cells[b.num_real, b.num_synthetic], real[b.num_real]
        assert b.difference.value == pytest.approx(ours.value - its.value, abs=1e-6)
        assert b.difference.high - b.difference.low < 0.8 * (ours.high - ours.low + its.high - its.low)


def test_one_classifier_is_behind_nobody_and_one_draw_has_no_interval():
    assert analyse(*simulate(STRONG), replicates=20).behind == ()
    one = [dataclasses.replace(grid, draws=1) for grid in (STRONG, WEAK)]
    trials, predictions = simulate(one[0])
    weak = simulate(one[1])
    whole = pd.concat([trials.assign(classifier="strong"), weak[0].assign(classifier="weak", key="w" + weak[0]["key"])])
    told = pd.concat([predictions, weak[1].assign(key="w" + weak[1]["key"])])
    found = analyse(whole, told, replicates=20).behind
    assert found and all(b.difference.low is None for b in found)
