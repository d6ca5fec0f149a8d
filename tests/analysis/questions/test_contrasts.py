"""Planted differences of gains: each in its contrast, and nothing where nothing is planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.questions.contrasts import MOST, contrast_table, contrasts
from synaug_ray.laws.simultaneous import single_look

QUIET = {"draw_effect": 0.03, "size_effect": 0.02, "generator_effect": 0.02, "seed_effect": 0.02}
# what synthetic images are worth, in n: filtering does nothing for edm and much for gan; a real share hurts gan alone
WORTH = {
    ("edm", "proportional"): 1.0,
    ("edm+inliers", "proportional"): 1.0,
    ("gan", "proportional"): 0.1,
    ("gan+inliers", "proportional"): 1.0,
    ("edm", "0.5"): 1.0,
    ("gan", "0.5"): -0.3,
}
GRID = Grid(
    power(),
    {at: lambda n, s, r=r: r for at, r in WORTH.items()},
    sizes=(20, 40),
    multiples=(1, 4),
    draws=5,
    images=1_500,
    **QUIET,
)


def tables(grid=GRID, seed=0):
    told, predicted = simulate(grid, seed=seed)
    told["filter"] = np.where(told["generator"].str.endswith("+inliers"), "inliers", "none")
    told["family"] = told["generator"].str.removesuffix("+inliers")
    return told, predicted


def contrasts_of(told, predicted, replicates=200):
    cells = pair_cells(told, predicted)
    drawn = {"confidence": 0.9, "simultaneous_confidence": 0.95, "looks": single_look(len(cells.draws))}
    rng = np.random.default_rng(0)
    return contrasts(cells, told, delta=0.01, replicates=replicates, rng=rng, **drawn)


def planted(grid, n, plus, minus):
    """The mean over the amounts of sums of gains."""
    cells = [(n, s) for n in ([n] if n else grid.sizes) for s in grid.multiples]
    return np.mean([sum(grid.gain(*a, *c) for a in plus) - sum(grid.gain(*a, *c) for a in minus) for c in cells])


def truths(grid, contrast):
    """The planted value of a contrast of ``tables``."""

    def arms(generator, level):
        if contrast.factor == "filter":
            return generator if level == "none" else f"{generator}+{level}", "proportional"
        return generator, "0.5" if level.startswith("50%") else "proportional"

    if contrast.factor == "generator":
        shares = {at: [(g, s) for g, s in WORTH if g.startswith(at)] for at in ("edm", "gan")}
        sums = [planted(grid, contrast.num_real, shares[at], []) for at in (contrast.level, contrast.reference)]
        return (sums[0] - sums[1]) / len(shares["edm"])
    g, v = contrast.generator, contrast.versus
    plus, minus = [arms(g, contrast.level)], [arms(g, contrast.reference)]
    if v:
        plus, minus = [*plus, arms(v, contrast.reference)], [*minus, arms(v, contrast.level)]
    return planted(grid, contrast.num_real, plus, minus)


def by_name(found, n=None):
    return {(c.factor, c.generator, c.versus): c for c in found if c.num_real == n}


def test_what_is_planted_is_found_in_its_contrast_and_nothing_elsewhere():
    found = contrasts_of(*tables())
    assert len(found) == 3 * 7 and all(c.unit == "points" for c in found)
    for c in found:
        assert c.simultaneous.low < truths(GRID, c) < c.simultaneous.high, c
        assert c.cells == (4 if c.num_real is None else 2) * (3 if c.factor == "generator" else 1)
    outcomes = {at: c.outcome for at, c in by_name(found).items()}
    assert outcomes == {
        ("filter", "edm", ""): "no difference",
        ("filter", "gan", ""): "more",
        ("filter", "gan", "edm"): "more",
        ("use", "edm", ""): "no difference",
        ("use", "gan", ""): "less",
        ("use", "gan", "edm"): "less",
        ("generator", "", ""): "less",
    }
    said = by_name(found)["filter", "gan", "edm"].sentence
    assert (
        said.startswith("The filter inliers did ") and " points more for the gain of gan than for that of edm (" in said
    )
    said = by_name(found)["filter", "edm", ""].sentence
    assert said.startswith("The filter inliers does not change the gain of edm: ") and said.endswith(
        ", within ±1 point."
    )
    said = by_name(found, 20)["use", "gan", ""].sentence
    assert said.startswith("At 20 real images, 50% real in each batch in place of mixed in proportion changed the gain")


def test_classifiers_are_compared_in_points_and_in_shares_of_their_own_error():
    """Both halve their error, which is half as large for the second: half the gain, the same share."""
    grid = replace(GRID, laws={("edm", "proportional"): lambda n, s: 1.0}, sizes=(40,), images=3_000)
    both = []
    for name, scale, seed in (("tuned", 0.5, 1), ("cnn", 1.0, 2)):
        told, predicted = tables(replace(grid, curve=lambda n, k=scale: k * power(c=1.0)(n)), seed)
        predicted["key"] = told["key"] = name + told["key"]
        told["classifier"], told["classifier_saw"] = name, "" if name == "cnn" else "ImageNet"
        both.append((told, predicted))
    told, predicted = (pd.concat(list(t), ignore_index=True) for t in zip(*both, strict=True))
    found = contrasts_of(told, predicted)
    assert [(c.level, c.reference, c.unit) for c in found] == [
        ("tuned", "cnn", "points"),
        ("tuned", "cnn", "share of the error"),
    ]
    points, share = found
    truth = -0.25 * power(c=1.0)(40)
    assert points.simultaneous.low < truth < points.simultaneous.high < 0 and points.outcome == "less"
    assert share.simultaneous.low < 0 < share.simultaneous.high and share.outcome == "undecided"
    assert share.change.high - share.change.low < 0.3
    assert points.sentence.startswith("tuned in place of cnn changed the gain of edm by ")
    assert share.sentence.startswith("As a share of the error without synthetic images, whether tuned in place of cnn")


def of_two_classifiers(worth, seed=0, **changes):
    """Contrasts of ``worth``: the law r(n, s) of each classifier; tuned has half the error of cnn."""
    both = []
    for k, (name, law) in enumerate(worth.items()):
        scale = 0.5 if name == "tuned" else 1.0
        grid = replace(
            GRID, laws={("edm", "proportional"): law}, curve=lambda n, k=scale: k * power(c=1.0)(n), **changes
        )
        told, predicted = tables(grid, 2 * seed + k)
        predicted["key"] = told["key"] = name + told["key"]
        told["classifier"], told["classifier_saw"] = name, "" if name == "cnn" else "ImageNet"
        both.append((told, predicted))
    return contrasts_of(*(pd.concat(list(t), ignore_index=True) for t in zip(*both, strict=True)))


def rates_of(found):
    return {c.num_real: c for c in found if c.unit == "real images per synthetic one"}


@pytest.mark.parametrize("tuned,outcome", [(0.2, "undecided"), (0.02, "less")])
def test_whether_the_exchange_rate_is_that_of_another_classifier(tuned, outcome):
    """Planted: 0.2 real images per synthetic one with cnn, whatever the error is; at 80 it is beyond the curve."""
    worth = {"cnn": lambda n, s: 0.2 * s, "tuned": lambda n, s: tuned * s}
    found = rates_of(of_two_classifiers(worth, sizes=(20, 40, 80), multiples=(2,), images=3_000, draws=8))
    assert {n: c.cells for n, c in found.items()} == {None: 2, 20: 1, 40: 1}
    for c in found.values():
        assert c.simultaneous.low < tuned - 0.2 < c.simultaneous.high and c.simultaneous.high - c.simultaneous.low < 0.3
    assert found[None].outcome == outcome
    said = "In real images that one synthetic image is worth, "
    said += (
        "whether tuned in place" if outcome == "undecided" else "tuned in place of cnn changed the gain of edm by -0.1"
    )
    assert found[None].sentence.startswith(said)


@pytest.mark.slow
def test_intervals_of_exchange_rates_hold_the_planted_difference():
    inside = []
    for seed in range(60):
        worth = {"cnn": lambda n, s: 0.2 * s, "tuned": lambda n, s: 0.1 * s}
        for c in rates_of(of_two_classifiers(worth, seed, sizes=(20, 40, 80), multiples=(2,), images=800)).values():
            inside.append(c.change.low < -0.1 < c.change.high)
    assert np.mean(inside) > 0.82  # 90% intervals


def test_one_factor_old_tables_and_live_views_have_none(monkeypatch):
    told, predicted = tables(replace(GRID, laws={("edm", "proportional"): lambda n, s: 1.0}))
    assert contrasts_of(told, predicted) == ()
    told, predicted = tables(replace(GRID, sizes=(20, 40), multiples=(1,), images=200))
    assert contrasts_of(told, predicted, replicates=0) == ()
    old = contrasts_of(told.drop(columns=["filter", "family"]), predicted)
    assert {c.factor for c in old} == {"use", "generator"}  # each filtered arm is a generator of its own
    monkeypatch.setattr("synaug_ray.analysis.questions.contrasts.MOST", 5)
    assert {c.num_real for c in contrasts_of(told, predicted)} == {None} and MOST > 5


@pytest.mark.parametrize("missing", ["a draw of one cell", pytest.param("all of one arm", marks=pytest.mark.slow)])
def test_contrasts_use_the_draws_and_cells_that_they_have(missing):
    told, predicted = tables(replace(GRID, images=300))
    lost = told["generator"] == "gan+inliers"
    if missing == "a draw of one cell":
        lost &= (told["draw"] == 2) & (told["num_real"] == 20)
    told = told[~lost].reset_index(drop=True)
    found = by_name(contrasts_of(told, predicted[predicted["key"].isin(told["key"])]))
    assert (("filter", "gan", "edm") in found) == (missing == "a draw of one cell")
    assert ("filter", "edm", "") in found


def test_an_analysis_has_them_where_there_are_intervals_and_its_table_as_numbers():
    told, predicted = tables(replace(GRID, sizes=(20,), multiples=(1,), images=100, draws=3))
    found = analyse(told, predicted, replicates=50)
    assert "contrasts" not in analyse(told, predicted, replicates=0).verdict_json()
    assert len(found.verdict_json()["contrasts"]) == len(found.contrasts) == len(contrast_table(found.contrasts)) > 0
    row, one = contrast_table(found.contrasts).iloc[0], found.contrasts[0]
    assert row["low_simultaneous"] <= row["low"] <= row["change"] <= row["high"] and row["num_real"] == "all"
    assert row["change"] == one.change.value and row["sentence"] == one.sentence


def test_a_hybrid_is_compared_with_each_of_its_parts():
    """Other generators with the first alone; the planted worth of the mixture is between its parts'."""
    worth = {"edm": 0.2, "open": 1.0, "both": 0.6}
    forms = {(name, "proportional"): lambda n, s, r=r: r for name, r in worth.items()}
    told, predicted = simulate(replace(GRID, laws=forms), seed=0)
    told["filter"], told["family"] = "none", told["generator"].replace({"open": "edm", "both": "hybrid"})
    made = [c for c in contrasts_of(told, predicted) if c.factor == "generator" and c.num_real is None]
    pairs = {(c.level, c.reference): c.change.value for c in made if c.unit == "points"}
    assert set(pairs) == {("open", "edm"), ("both", "edm"), ("both", "open")}
    assert pairs["both", "edm"] > 0 > pairs["both", "open"]
