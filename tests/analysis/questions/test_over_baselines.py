"""By how much trained generators gain more than baselines: planted differences come back, with honest intervals."""

import numpy as np
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.report.sections import over_baselines
from synaug_ray.report.text import StudyNames

WORTH = {"edm": 0.3, "edm-open": 0.8, "augment": 0.5, "jitter": 0.05, "real-holdout": 4.0}


def tables(seed=0, draws=6, shares=("0.5",), drop=()):
    """Gains of synthetic images worth ``WORTH / 4`` real ones each; at other shares than 0.5 of ``edm`` alone."""
    laws = {(name, "0.5"): (lambda n, s, w=w: w * s / 4) for name, w in WORTH.items() if name not in drop}
    laws |= {("edm", share): (lambda n, s: 0.1 * s) for share in shares}
    grid = Grid(power(), laws, sizes=(40, 160), multiples=(1, 4), draws=draws, images=1_000)
    trials, predictions = simulate(grid, seed)
    name = trials["generator"]
    family = name.map({"edm-open": "edm"}).fillna(name)
    saw = name.map({"edm-open": 800}).fillna(trials["num_real"]).astype(int)
    return grid, trials.assign(family=family, filter="none", trained_on=saw), predictions


def found_in(**options):
    grid, trials, predictions = tables(**options)
    return grid, analyse(trials, predictions, replicates=20)


def test_planted_differences_are_inside_their_intervals():
    held = []
    for seed in range(6):
        grid, found = found_in(seed=seed)
        pairs = {(c.generator, c.baseline) for c in found.over_baselines}
        assert pairs == {(g, b) for g in ("edm", "edm-open") for b in ("augment", "jitter")}  # no control is compared
        assert len(found.over_baselines) == 4 * 2 * 2  # two sizes, two amounts
        for c in found.over_baselines:
            ours, its = (grid.gain(g, "0.5", c.num_real, c.synthetic_multiple) for g in (c.generator, c.baseline))
            assert c.difference.value == pytest.approx(c.gain - c.baseline_gain, abs=1e-6)
            held.append(c.difference.low <= ours - its <= c.difference.high)
    assert 0.8 <= np.mean(held) <= 1  # 90% intervals; those of one draw move together


def test_only_what_was_measured_at_the_same_place_is_compared():
    _, found = found_in(shares=("0.5", "0.75"))
    assert {c.real_share for c in found.over_baselines} == {"0.5"}
    assert not found_in(drop=("augment", "jitter"))[1].over_baselines


def test_one_draw_has_no_interval():
    _, found = found_in(draws=1)
    assert found.over_baselines and all(c.difference.low is None for c in found.over_baselines)


def test_the_page_says_it_at_the_largest_amount_of_each_size():
    _, found = found_in()
    laws = found.laws_json()
    told = over_baselines.sentences(laws)
    assert len(told) == 4 and all("4×" in line and ", augment " in line for line in told)
    table = over_baselines.table(laws, StudyNames.of(laws["studies"]))
    assert table is not None and len(table.rows) == 4 * 2 * 2
    assert over_baselines.table({}, StudyNames.of(laws["studies"])) is None and over_baselines.sentences(None) == []
