"""The door of ``compare``: its page and tables, small copies of runs, and every way to ask it wrongly."""

import io
import json
import shutil

import pandas as pd
import pytest
from helpers.html_page import Page
from helpers.planted_runs import GAINS, planted_atlas, planted_run, planted_study

from synaug_ray import compare, predict
from synaug_ray.laws.catalogue import PUBLISHED
from synaug_ray.report import __main__ as report

FILES = {f"{name}.json" for name in ("laws", "verdict", "status", "audit", "quality")} | {"measurements.parquet"}
HOSTILE = "<script>alert(1)</script><img src=x>"


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    return planted_atlas(tmp_path_factory.mktemp("storage"))


def ask(capsys, out, *words):
    code = compare.main([*(str(word) for word in words), "--out", str(out)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_small_copy_makes_the_same_page_and_tables_and_tells_nothing_of_the_machine(capsys, atlas, tmp_path):
    """Anyone rebuilds the tables from folders without predictions, and without running anything."""
    gains = {run.name: GAINS[run.name] for run in atlas[:3]}
    runs = [
        *atlas[:3],
        planted_run(tmp_path / "busy", state="running"),
        planted_run(tmp_path / "leaky", leaky="warning"),
    ]
    for run in runs:
        (run / "predictions.parquet").write_bytes(b"large" * 1000)
    code, said, _ = ask(capsys, tmp_path / "whole", *runs, "--keep", tmp_path / "atlas")
    assert code == 0
    copies = [tmp_path / "atlas" / run.name for run in runs]
    assert all(f"kept     {path}" in said for path in copies)
    ask(capsys, tmp_path / "rebuilt", *(f"{path}/" for path in copies))
    for name in ("comparison.csv", "means.csv", "comparison.html", "comparison.md"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "rebuilt" / name).read_bytes(), name
    for path in copies:
        files = {file.name: file.read_bytes() for file in path.iterdir()}
        assert set(files) == FILES
        table = pd.read_parquet(io.BytesIO(files["measurements.parquet"]))
        told = b"".join(files.values()) + table.to_csv().encode()
        assert not any(private in told for private in (b"/home/someone", b"secret", b"patient-17", b"surface"))

    rows, means = (pd.read_csv(tmp_path / "whole" / name) for name in ("comparison.csv", "means.csv"))
    assert dict(zip(rows["run"], rows["gain"], strict=True)) == pytest.approx(
        gains | dict.fromkeys(["busy", "leaky"], float("nan")), nan_ok=True
    )
    lines = (tmp_path / "whole" / "comparison.md").read_text().splitlines()
    assert len(lines) == 2 + len(rows) and {line.count("|") for line in lines} == {lines[0].count("|")}
    mean = means[means["quantity"] == "gain"].iloc[0]
    assert f"{100 * mean['mean']:+.2f} points" in said.splitlines()[0] and mean["data_sets"] == 3

    html = (tmp_path / "whole" / "comparison.html").read_text()
    page = Page(html)
    assert not any(tag in ("link", "iframe", "object", "embed", "form", "a") for tag, _ in page.elements)
    policy = next(a["content"] or "" for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'") and len(html.encode()) < 3_000_000
    assert all(f'data-value="{p.c2}"' in html for p in PUBLISHED) and all(name in html for name in gains)
    figures = json.loads(next(text for kind, text in page.scripts if kind == "application/json" and "learnt" in text))
    assert set(figures) == {"gain-learnt", "share-learnt", "worth-learnt", "c2-learnt"}
    drawn = [trace["x"][0] for trace in figures["gain-learnt"]["data"] if trace["name"] == "study"]
    assert sorted(drawn) == pytest.approx(sorted(100 * gain for gain in gains.values()))


def test_a_small_copy_never_replaces_a_run(capsys, tmp_path):
    runs = [planted_run(tmp_path / name) for name in ("a", "b")]
    (runs[0] / "grid.yaml").write_text("dataset: digits\n")
    (runs[1] / "predictions.parquet").write_bytes(b"large")
    before = (runs[0] / "laws.json").read_bytes()
    code, _, errors = ask(capsys, tmp_path / "out", *runs, "--keep", tmp_path)
    assert code == 2 and len(errors.splitlines()) == 2 and str(runs[1]) in errors
    assert (runs[0] / "laws.json").read_bytes() == before and not (tmp_path / "out").exists()
    assert (runs[1] / "predictions.parquet").exists()


def test_one_data_set_at_two_sizes_is_told_apart_and_counts_once(capsys, tmp_path):
    """Its images are the same, so their gains are not two data sets'; but a reader must know which is which."""
    other = [planted_run(tmp_path / name) for name in ("b", "c")]
    runs = [planted_run(tmp_path / str(side) / "a", side=side, fingerprint="a's images") for side in (8, 28)]
    ask(capsys, tmp_path, *runs, *other)
    named = (tmp_path / "comparison.md").read_text()
    assert all(name in named for name in ("a (8×8)", "a (28×28)", "b (28×28)"))
    rows, means = (pd.read_csv(tmp_path / name) for name in ("comparison.csv", "means.csv"))
    assert rows["height"].tolist() == [8, 28, 28, 28] and set(means["data_sets"].dropna()) == {3}


def test_only_runs_without_numbers_and_hostile_names(capsys, tmp_path):
    run = planted_run(
        tmp_path / "run",
        studies=[planted_study(0.03, generator=HOSTILE, classifier=f"=cmd{HOSTILE}")],
        leaky="warning",
    )
    for name in ("audit", "status"):
        file = run / f"{name}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"dataset": HOSTILE, "run": HOSTILE}))
    code, said, _ = ask(capsys, tmp_path, run)
    assert code == 4 and "not estimable" in said and "No mean" in said
    html, csv = (tmp_path / "comparison.html").read_text(), (tmp_path / "comparison.csv").read_text()
    assert "alert(1)" in html and "<script>alert" not in html and ",=cmd" not in csv
    assert not any(tag == "img" for tag, _ in Page(html).elements)


def test_a_folder_with_less_and_runs_of_one_name(capsys, tmp_path):
    """Without status.json and audit.json it is not known whether the run is finished, and its test set clean: told."""
    run, bare = planted_run(tmp_path / "run"), tmp_path / "elsewhere" / "run"
    bare.mkdir(parents=True)
    for name in ("laws.json", "verdict.json", "measurements.parquet"):
        shutil.copy(run / name, bare / name)
    code, *_ = ask(capsys, tmp_path, run, bare)
    row = pd.read_csv(tmp_path / "comparison.csv").set_index("run").loc["elsewhere/run"]
    assert code == 0 and row["dataset"] == "run"  # as the table of trials names it
    assert "status.json" in row["notes"] and "audit.json" in row["notes"] and row["gain"] == pytest.approx(0.02)


def test_all_that_is_wrong_is_told_at_once(capsys, atlas, tmp_path):
    broken, odd = planted_run(tmp_path / "broken"), planted_run(tmp_path / "odd")
    (broken / "laws.json").write_text("{")
    (odd / "laws.json").write_text('{"studies": [{"cells": 3}]}')
    nothing, storage = tmp_path / "nothing", atlas[0].parent
    words = [atlas[1], nothing, broken, storage, atlas[1], "--real", "many", "--multiple", "-1"]
    code, said, errors = ask(capsys, tmp_path / "out", *words)
    assert code == 2 and said == "" and "Traceback" not in errors and not (tmp_path / "out").exists()
    lines = errors.splitlines()
    assert len(lines) == 6 and all(line.startswith("error: ") for line in lines)
    inside = "cells, digits, signs, textures, tiles"
    for part in (str(nothing), "is not valid JSON", "2 times", "--real", "--multiple", inside):
        assert sum(part in line for line in lines) >= 1, part
    code, _, errors = ask(capsys, tmp_path / "out", atlas[0], odd)
    assert code == 5 and "not as a run writes them" in errors and "Traceback" not in errors
    wrong = ["--generator", "edmm", "--real-share", "0.75"]
    code, _, errors = ask(capsys, tmp_path / "out", *atlas, *wrong)
    assert code == 2 and "Did you mean 'edm'" in errors and "they have 0.5" in errors and len(errors.splitlines()) == 2


@pytest.mark.parametrize("flag", ["--out", "--keep"])
@pytest.mark.parametrize("empty", ["", " "])
def test_a_folder_that_an_unset_variable_left_empty_is_refused(capsys, atlas, tmp_path, monkeypatch, flag, empty):
    monkeypatch.chdir(tmp_path)
    assert compare.main([str(atlas[0]), flag, empty]) == 2
    assert f"{flag} is empty" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_small_copy_has_a_page_of_its_own_and_says_what_it_lacks(capsys, atlas, tmp_path):
    """Without fitted curves and surfaces, which only the page's figures and ``predict`` read."""
    assert ask(capsys, tmp_path / "out", atlas[0], "--keep", tmp_path / "kept")[0] == 0
    copy = tmp_path / "kept" / atlas[0].name
    assert report.main([str(copy)]) == 0 and (copy / "report.html").exists()
    capsys.readouterr()
    assert predict.main([str(copy), "--real", "100"]) == 4
    assert "small copy" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "predict"])
@pytest.mark.parametrize(
    "change", [("real", 7), ("studies", [{"generator": 1}]), ("studies", {"a": 1}), ("training_lengths", [None])]
)
def test_files_that_are_not_as_a_run_writes_them_are_told_as_such(capsys, tmp_path, command, change):
    run = planted_run(tmp_path / "run")
    laws = json.loads((run / "laws.json").read_text())
    (run / "laws.json").write_text(json.dumps(laws | dict([change])))
    code = report.main([str(run)]) if command == "report" else predict.main([str(run), "--real", "100"])
    said = capsys.readouterr().err
    assert code in (0, 4, 5) and (code == 5) == ("not as a run writes them" in said)
    if command == "report" and change[0] != "studies":
        assert code == 5


def test_one_run_under_two_paths_is_named_twice(capsys, atlas, tmp_path, monkeypatch):
    monkeypatch.chdir(atlas[0].parent)
    code, _, said = ask(capsys, tmp_path / "out", atlas[0], f"./{atlas[0].name}/", atlas[1])
    assert code == 2 and "is named 2 times" in said and f"'./{atlas[0].name}/'" in said
    assert not (tmp_path / "out").exists()
