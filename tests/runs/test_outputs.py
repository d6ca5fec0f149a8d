"""From the tables of a run to what it leaves: laws.json, verdict.json, the page, and what ``predict`` reads of them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.grids import small_grid
from helpers.simulate import Grid, power, simulate

from synaug_ray import predict
from synaug_ray.analysis.analyse import analyse
from synaug_ray.runs import classes, outputs
from synaug_ray.runs.run import RunState
from synaug_ray.runs.status import MissingTrials
from synaug_ray.store.run_folder import CLASSES, SAMPLES, RunFolder

QUIET = {"draw_effect": 0.02, "size_effect": 0.01, "generator_effect": 0.01, "seed_effect": 0.01}
CELLS = {20: 0.1, 40: 1.5, 80: 0.1, 160: 1.5, 320: 0.1}  # r at each size, whatever the amount: no smooth law has it
LAWFUL = Grid(power(), {("edm", "proportional"): lambda n, s: 1.2 * (1 - np.exp(-s / 2))}, images=2000, **QUIET)
ONCE = ("contrasts.csv", "gap.csv", "scaling.csv")  # that only some grids have
LAWLESS = replace(LAWFUL, laws={("edm", "proportional"): lambda n, s: CELLS[int(n)]})


@pytest.fixture
def left_by(tmp_path, monkeypatch):
    """The folder that a run leaves once its trials gave these tables."""

    def leave(grid, seed=3):
        table, predicted = simulate(grid, seed=seed)
        table["cause"], table["balanced_error"] = "", table["test_error"]
        predicted["probability"] = [np.full(grid.images, 0.5)] * len(predicted)
        run = SimpleNamespace(
            name="planted", spec=small_grid(replicates=40), plan=None, store=None, folder=RunFolder(str(tmp_path), "r")
        )
        monkeypatch.setattr(outputs, "measurements", lambda *_: table)
        monkeypatch.setattr(outputs, "predictions", lambda *_: predicted)
        monkeypatch.setattr(outputs, "qualities", lambda *_: pd.DataFrame())
        monkeypatch.setattr(outputs, "for_the_page", lambda _: {})
        monkeypatch.setattr(outputs, "planes", lambda *_: [])
        monkeypatch.setattr(outputs, "status", lambda run, state: {"run": run.name, "state": state})
        monkeypatch.setattr(outputs, "missing_trials", lambda *_: MissingTrials(0, len(table), {}))
        for name in ONCE:
            run.folder.write(name, "of an earlier grid")
        outputs.refresh(run, RunState.DONE)
        return tmp_path / "r"

    return leave


def test_a_misfit_of_several_studies_is_one_warning():
    lawless = LAWLESS.laws["edm", "proportional"]
    table, predicted = simulate(replace(LAWLESS, laws={(name, "0.5"): lawless for name in ("a", "b")}), seed=3)
    told = [w for w in analyse(table, predicted, replicates=40).warnings if "no fitted law" in w.lower()]
    assert len(told) == 1 and "of 2 studies" in told[0] and "a with mlp (50% real in each batch)" in told[0]


def ask(folder, capsys, *words):
    assert predict.main([str(folder), "--real", "80", *words]) == 0
    return capsys.readouterr().out


def test_laws_that_do_not_hold_give_no_rates_from_the_table_to_predict(left_by, capsys):
    """The planted worth goes up and down with every size; the noise is small enough to show it."""
    folder = left_by(LAWLESS)
    laws = json.loads((folder / "laws.json").read_text())
    (study,) = laws["studies"]
    why = study["misfit"]
    assert why.startswith("no fitted law describes the measurements") and study["overdispersion"] > 2
    assert study["surface"]["misfit"] == why
    for rate in study["exchange"]:
        assert rate["note"] == f"not estimable: {why}" and rate["marginal"]["value"] is None
        assert rate["tradeoff"]["value"] is None
    verdict = json.loads((folder / "verdict.json").read_text())
    assert any(why in warning for warning in (*verdict["warnings"], *laws["warnings"]))
    page = (folder / "report.html").read_text()
    assert why in page and f"Caution: {why}" in page and "not estimable" in page
    said = ask(folder, capsys, "--synthetic", "320")
    assert f"Caution: {why}" in said and "not estimable" in said and "not reachable" not in said
    (plain,) = json.loads(ask(folder, capsys, "--synthetic", "320", "--json"))
    assert plain["not_estimable"] == why and plain["expected"]["marginal"]["value"] is None
    mix = ("--target-error", "0.2", "--cost-real", "1", "--cost-synthetic", "0.001")
    assert "Cheapest mix" not in ask(folder, capsys, *mix) or "0 synthetic" in ask(folder, capsys, *mix)


def test_laws_that_hold_give_rates_and_no_caution(left_by, capsys):
    folder = left_by(LAWFUL)
    (study,) = json.loads((folder / "laws.json").read_text())["studies"]
    assert study["misfit"] == "" and any(rate["marginal"]["value"] for rate in study["exchange"])
    page = (folder / "report.html").read_text()
    assert "Caution: " not in page
    said = ask(folder, capsys, "--synthetic", "320")
    assert "Caution" not in said and "synthetic images for one real image on average" in said
    assert json.loads(ask(folder, capsys, "--synthetic", "320", "--json"))[0]["not_estimable"] == ""
    assert not any((folder / name).exists() for name in ONCE)


@pytest.fixture
def classes_told(tmp_path, monkeypatch):
    """How many classes the analysis of a run is told of."""
    told = []
    monkeypatch.setattr(outputs, "analyse", lambda *_, num_classes, **__: told.append(num_classes))
    table, predicted = simulate(replace(LAWFUL, sizes=(20,), images=20, draws=1, seeds=1))

    def tell(folder):
        outputs.analyse_run(SimpleNamespace(spec=small_grid(), folder=folder), table.assign(cause=""), predicted, 0)
        return told[-1]

    return tell


def test_classes_that_no_answer_names_count_for_chance(classes_told, tmp_path):
    """Ten classes are in the test images; the data set has twelve."""
    folder = RunFolder(str(tmp_path), "r")
    classes.write_classes(folder, [f"class {k}" for k in range(12)])
    assert classes_told(folder) == 12


@pytest.mark.parametrize("kept", [None, "", "{}", '{"classes": []}', '{"classes": 4}', "[1]"])
def test_a_run_of_an_older_version_counts_the_classes_that_are_seen(kept, classes_told, tmp_path):
    folder = RunFolder(str(tmp_path), "r")
    folder.write(SAMPLES, json.dumps([{"classes": ["of", "another", "data", "set"]}]))
    if kept is not None:
        folder.write(CLASSES, kept)
    assert classes_told(folder) is None


def test_names_of_classes_come_from_their_own_file_else_from_the_sample_sheets(tmp_path):
    folder = RunFolder(str(tmp_path), "r")
    assert classes.class_names(folder) == () and classes.num_classes(folder) is None
    folder.write(SAMPLES, json.dumps([{"classes": ["a", "b"]}]))
    assert classes.class_names(folder) == ("a", "b") and classes.num_classes(folder) is None
    classes.write_classes(folder, ["c", "d", "e"])
    assert classes.class_names(folder) == ("c", "d", "e") and classes.num_classes(folder) == 3
    for broken in ("", "[]", "null", "[3]", '[{"classes": null}]'):
        folder.remove(CLASSES)
        folder.write(SAMPLES, broken)
        assert classes.class_names(folder) == (), broken
