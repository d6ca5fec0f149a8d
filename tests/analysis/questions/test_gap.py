"""Planted gaps: each part where it is planted, nothing elsewhere, and parts that sum to the whole."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.questions.gap import gap_table, gaps
from synaug_ray.laws.simultaneous import single_look

QUIET = {"draw_effect": 0.03, "size_effect": 0.02, "generator_effect": 0.01, "seed_effect": 0.02}
# what s images are worth, in s real ones; (generator, family, maker, filter)
WORTH = {
    ("holdout", "real-holdout", "h", "none"): 1.0,
    ("holdout+fix", "relabelled", "h", "fix"): 1.0,
    ("noisy", "remade", "j", "none"): 0.2,  # jittered held-out images: appearance alone
    ("noisy+fix", "relabelled", "j", "fix"): 0.2,
    ("again", "duplicate", "d", "none"): 0.0,  # content alone
    ("again+fix", "relabelled", "d", "fix"): 0.0,
    ("dealt", "label-shuffle", "l", "none"): 0.1,  # labels alone
    ("dealt+fix", "relabelled", "l", "fix"): 1.0,
    ("edm", "edm", "e", "none"): -0.1,  # all three
    ("edm-again", "remade", "e", "none"): 0.6,
    ("edm+fix", "relabelled", "e", "fix"): 0.15,
    ("gan", "gan", "g", "none"): 0.15,  # cannot re-make images
    ("gan+fix", "relabelled", "g", "fix"): 1.0,
}
GRID = Grid(
    power(),
    {(name, "proportional"): lambda n, s, w=w: w * s for (name, *_), w in WORTH.items()},
    sizes=(20, 40),
    multiples=(4,),
    draws=6,
    images=2_000,
    **QUIET,
)


def tables(grid=GRID, seed=0):
    told, predicted = simulate(grid, seed=seed)
    known = {name: rest for name, *rest in WORTH} | {"none": ["none", "", "none"]}
    for i, column in enumerate(("family", "maker", "filter")):
        told[column] = [known[name][i] for name in told["generator"]]
    return told, predicted


def gaps_of(told, predicted, **changed):
    cells = pair_cells(told, predicted)
    drawn = {"confidence": 0.9, "simultaneous_confidence": 0.95, "looks": single_look(len(cells.draws))}
    drawn |= {"delta": 0.02, "replicates": 50, "rng": np.random.default_rng(0)} | changed
    return gaps(cells, told, **drawn)


@pytest.fixture(scope="module")
def found():
    return gaps_of(*tables())


def test_each_part_is_found_where_it_is_planted_and_nowhere_else(found):
    outcomes = {g.generator: {p.part: p.outcome for p in g.parts} for g in found if g.num_real is None}
    costs, nothing = "costs", "nothing"
    assert outcomes["noisy"] == {"appearance": costs, "content": nothing, "label": nothing}
    assert outcomes["again"] == {"appearance": nothing, "content": costs, "label": nothing}
    assert outcomes["dealt"] == {"appearance": nothing, "content": nothing, "label": costs}
    assert outcomes["edm"] == {"appearance": costs, "content": costs, "label": costs}
    assert outcomes["gan"] == {"appearance and content": nothing, "label": costs}
    assert len(outcomes) == 5 and all(g.judges.outcome == nothing for g in found if g.num_real is None)


def test_intervals_hold_the_planted_parts_at_each_size_and_on_average(found):
    def planted(name, sizes):
        return np.mean([GRID.error(name, "proportional", n, 4) for n in sizes])

    assert len(found) == 5 * 3 and {g.num_real for g in found} == {None, 20, 40}
    for g in found:
        sizes = GRID.sizes if g.num_real is None else (g.num_real,)
        assert g.cells == len(sizes) and g.num_synthetic == (None if g.num_real is None else 4 * g.num_real)
        for part in (*g.parts, g.whole, g.judges):
            truth = planted(part.after, sizes) - planted(part.before, sizes)
            assert part.simultaneous.low <= truth <= part.simultaneous.high, (g.generator, part)


@pytest.mark.parametrize("lacking", ["nothing", "a draw of one arm", "a seed of one arm"])
def test_parts_sum_to_the_whole_exactly_whatever_is_missing(lacking):
    told, predicted = tables(replace(GRID, images=60, draws=4))
    lost = (told["generator"] == "edm+fix") & (told["num_real"] == 20) & (told["draw"] == 2)
    lost &= {"nothing": False, "a draw of one arm": True, "a seed of one arm": told["seed"] == 1}[lacking]
    told = told[~lost].reset_index(drop=True)
    found = gaps_of(told, predicted[predicted["key"].isin(told["key"])])
    assert {g.generator for g in found} == {"noisy", "again", "dealt", "edm", "gan"}
    for g in found:
        assert sum(p.change.value for p in g.parts) == pytest.approx(g.whole.change.value, abs=1e-7)
        arms = [g.parts[0].before, *(p.after for p in g.parts)]
        assert arms[:: len(g.parts)] == [g.whole.before, g.whole.after]


def test_what_it_says_and_its_table(found):
    of = {g.generator: g for g in found if g.num_real is None}
    said = of["noisy"].sentence
    assert said.startswith(
        "Images of noisy in place of as many held-out real ones (mlp, mixed in proportion) change the"
    )
    assert ", on average over 2 cells. Of this: appearance +" in said
    assert "What is shown to cost is how the images look. Content and label are within ±2 points." in said
    assert "which images it makes" in of["again"].sentence and "which labels they carry" in of["dealt"].sentence
    table = gap_table(found)
    assert len(table) == sum(len(g.parts) + 2 for g in found)
    assert (table["low_simultaneous"] <= table["low"]).all() and (table["low"] <= table["change"]).all()
    assert set(table["num_real"]) == {"all", 20, 40}


def test_judges_that_err_are_said():
    laws = {at: law for at, law in GRID.laws.items() if at[0][:3] in ("edm", "hol")}
    grid = replace(GRID, sizes=(20,), laws=laws | {("holdout+fix", "proportional"): lambda n, s: 0.3 * s})
    [edm] = [g for g in gaps_of(*tables(grid)) if g.num_real is None]
    assert edm.judges.outcome == "costs" and "The judges that correct labels err too" in edm.sentence


def test_images_that_are_no_longer_their_sources_are_told():
    laws = {at: law for at, law in GRID.laws.items() if at[0][:3] in ("edm", "hol")}
    told, predicted = tables(replace(GRID, images=60, laws=laws))
    told["traced"] = np.where(told["generator"] == "edm-again", np.where(told["num_real"] == 20, 0.5, 1.0), np.nan)
    found = {g.num_real: g for g in gaps_of(told, predicted)}
    assert {n: g.traced for n, g in found.items()} == {None: 0.75, 20: 0.5, 40: 1.0}
    assert "But only 50% of the re-made images" in found[20].sentence and "75%" in found[None].sentence
    assert "nearest" not in found[40].sentence


def test_without_held_out_images_intervals_or_columns_there_is_none():
    told, predicted = tables(replace(GRID, images=30, draws=2, sizes=(20,)))
    assert gaps_of(told, predicted) and not gaps_of(told, predicted, replicates=0)
    assert not gaps_of(told.drop(columns="maker"), predicted)
    told = told[told["family"] != "real-holdout"].reset_index(drop=True)
    assert not gaps_of(told, predicted[predicted["key"].isin(told["key"])])


def test_an_analysis_has_it_and_recommends_no_control():
    told, predicted = tables(replace(GRID, images=40, draws=3, sizes=(20,)))
    told["trained_on"] = told["num_real"]
    found = analyse(told, predicted, replicates=50)
    assert len(found.verdict_json()["gaps"]) == len(found.gaps) == 5 and "gaps" not in found.laws_json()
    assert "again" not in found.headline and "+fix" not in found.headline
    assert {c.generator for c in found.contrasts} <= {"edm", "gan", ""}
