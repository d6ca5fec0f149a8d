"""Quality and information: planted gains of a closed-set generator, the same recipe that saw more, and real images."""

import numpy as np
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.report.sections import ceiling
from synaug_ray.report.text import StudyNames

WORTH = {"edm": 0.2, "edm-open": 1.0, "real-holdout": 4.0, "gan": 0.1, "jitter": 0.05}
SEEN = {"edm-open": 800}


def tables(seed=0, drop=(), draws=6):
    laws = {(name, "0.5"): (lambda n, s, w=w: w * s / 4) for name, w in WORTH.items() if name not in drop}
    grid = Grid(power(), laws, sizes=(40, 160), multiples=(1, 4), draws=draws, images=1_000)
    trials, predictions = simulate(grid, seed)
    name = trials["generator"]
    family = name.map({"edm-open": "edm"}).fillna(name)
    learnt = family.isin(["edm", "gan"])
    return (
        grid,
        trials.assign(
            family=family,
            filter="none",
            recipe_key=np.where(learnt, family, ""),
            generator_nimg=np.where(learnt, 16_000, 0),
            trained_on=name.map(SEEN).fillna(trials["num_real"]).astype(int),
        ),
        predictions,
    )


def test_what_is_missing_is_told_apart_and_adds_up():
    held = []
    for seed in range(6):
        grid, trials, predictions = tables(seed)
        found = analyse(trials, predictions, replicates=20).ceilings
        assert {c.generator for c in found} == {"edm", "gan"}  # no control, and not the open-set one itself
        for c in found:
            gain = {g: grid.gain(g, "0.5", c.num_real, c.synthetic_multiple) for g in WORTH}
            if c.generator == "gan":  # no open-set arm of its own recipe: how much is what is not known
                assert (c.open_set, c.open_set_gain, c.information, c.quality) == ("", None, None, None)
                held.append(c.missing.low <= gain["real-holdout"] - gain["gan"] <= c.missing.high)
                continue
            assert c.open_set == "edm-open"
            assert c.missing.value == pytest.approx(c.information.value + c.quality.value, abs=1e-6)
            assert c.missing.value == pytest.approx(c.real_gain - c.gain, abs=1e-6)
            held += [
                c.information.low <= gain["edm-open"] - gain["edm"] <= c.information.high,
                c.quality.low <= gain["real-holdout"] - gain["edm-open"] <= c.quality.high,
            ]
    assert len(held) == 72 and 0.8 <= np.mean(held) <= 1  # 90% intervals; those of one draw move together


def test_arms_that_are_not_there_are_left_out():
    for drop, open_set, real in ((("edm-open",), "", True), (("real-holdout",), "edm-open", False)):
        _, trials, predictions = tables(drop=drop)
        (first, *_) = (c for c in analyse(trials, predictions, replicates=20).ceilings if c.generator == "edm")
        assert first.open_set == open_set and (first.real_gain is not None) is real
        assert (first.missing is not None) is real and (first.information is not None) is bool(open_set)
        assert first.quality is None
    _, trials, predictions = tables(drop=("edm-open", "real-holdout"))
    assert analyse(trials, predictions, replicates=20).ceilings == ()


def test_one_draw_has_no_interval():
    _, trials, predictions = tables(draws=1)
    found = analyse(trials, predictions, replicates=20).ceilings
    assert found and all(c.missing.low is None and c.missing.value is not None for c in found)


def test_the_page_says_it_at_the_largest_amount_of_each_size():
    _, trials, predictions = tables()
    laws = analyse(trials, predictions, replicates=20).laws_json()
    told = ceiling.sentences(laws)
    assert len(told) == 4 and all("4×" in line for line in told)
    edm, gan = (next(line for line in told if f"{name} gains" in line) for name in ("edm", "gan"))
    assert "edm-open (trained on more real images)" in edm and "points are information and" in edm
    assert "as many real images" in gan and "information" not in gan and gan.endswith("points more.")
    table = ceiling.table(laws, StudyNames.of(laws["studies"]))
    assert table is not None and len(table.rows) == 8
    assert ceiling.table({}, StudyNames.of(laws["studies"])) is None and ceiling.sentences(None) == []


def test_another_length_of_training_is_no_upper_arm():
    """Else what longer training brings would pass for information."""
    _, trials, predictions = tables()
    longer = trials.assign(generator_nimg=np.where(trials["generator"] == "edm-open", 64_000, trials["generator_nimg"]))
    found = analyse(longer, predictions, replicates=20).ceilings
    assert {c.generator for c in found} == {"edm", "gan"} and {c.open_set for c in found} == {""}
    capped = longer.assign(
        whole_recipe_key=longer["recipe_key"]
    )  # one recipe, whose passes end it sooner on fewer images
    found = analyse(capped, predictions, replicates=20).ceilings
    assert {c.open_set for c in found if c.generator == "edm"} == {"edm-open"}
