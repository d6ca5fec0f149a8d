"""Synthetic images instead of as many real ones: planted truths, and what has no size to compare with."""

import numpy as np
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.questions.substitution import _differences
from synaug_ray.report.figures import gains

GRID = Grid(
    curve=power(),
    laws={("as-real", "proportional"): lambda n, s: s, ("useless", "proportional"): lambda n, s: 0.0},
    sizes=(20, 40, 80),
    multiples=(1, 3),
    draws=24,
    size_effect=0.0,
    generator_effect=0.0,
)


@pytest.fixture(scope="module")
def tables():
    return simulate(GRID, seed=3)


def test_what_was_planted_lies_in_the_intervals(tables):
    """Images as good as real ones lose nothing, useless ones what the real ones would have gained: E(n + s) - E(n)."""
    found = _differences(pair_cells(*tables, balanced=False), 0.99, True)
    assert {(key.generator, n, s) for key, n, s in found} == {
        (name, n, s) for name in ("as-real", "useless") for n, s in ((20, 20), (20, 60), (40, 40))
    }
    for (key, n, s), estimate in found.items():
        truth = 0.0 if key.generator == "as-real" else GRID.curve(n + s) - GRID.curve(n)
        assert estimate.low < truth < estimate.high and estimate.high - estimate.low < 0.06
        assert (estimate.high < 0) == (key.generator == "useless")


def test_synthetic_images_alone_are_compared_with_as_many_real_ones(tables):
    """40 of a generator of 20 with the 40 real images, not with 60."""
    measurements, predictions = tables
    alone = measurements[measurements["generator"] != "useless"].copy()
    alone.loc[alone["num_synthetic"] > 0, ["protocol", "real_share"]] = ["synthetic-only", "none"]
    found = _differences(pair_cells(alone, predictions, balanced=False), 0.9, True)
    assert {(n, s) for _, n, s in found} == {(20, 20), (40, 40), (80, 80)}


def test_a_table_shows_it_only_where_it_was_measured(tables):
    measurements, predictions = tables
    two = measurements[measurements["num_real"] < 80]  # too few sizes for a law
    shown = gains.table(analyse(two, predictions, replicates=0).laws_json()["studies"][0])
    assert shown.columns[-1] == "gain (points) over real images in their place"
    assert [row[-1].text == "\u2013" for row in shown.rows] == [False, True, True, True]
    one = measurements[measurements["num_real"] == 20]
    table = gains.table(analyse(one, predictions, replicates=0).laws_json()["studies"][0])
    assert table.columns[-1] == "trials" and all(len(row) == len(table.columns) for row in table.rows)


def test_one_draw_has_no_interval(tables):
    measurements, predictions = tables
    found = _differences(pair_cells(measurements[measurements["draw"] == 0], predictions, balanced=False), 0.9, True)
    assert found and all(np.isfinite(e.value) and e.low is None and e.high is None for e in found.values())
