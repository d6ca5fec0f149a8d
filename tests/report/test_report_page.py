"""The page against the files it is made from."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import fsspec
import pytest
from helpers.html_page import Page, drawn_as, entry, numbered, rebuilt, triple

from synaug_ray.analysis.advice.recommendation import Advice, lead, recommendations
from synaug_ray.analysis.results import Analysis
from synaug_ray.report import __main__ as command
from synaug_ray.report import page
from synaug_ray.report import text as report_text
from synaug_ray.report.figures import style
from synaug_ray.report.run_view import read
from synaug_ray.report.sections import advice
from synaug_ray.runs.answer import answer_text
from synaug_ray.store.run_folder import RunFolder


def test_tables_hold_every_number_of_the_laws(built: Page, laws: dict) -> None:
    for i, study in enumerate(laws["studies"]):
        gains = built.tables[numbered("Gains", i)][1:]
        worth = built.tables[numbered("Real-equivalents", i)][1:]
        errors = {
            (entry(r[1][1])[0], entry(r[2][1])[0]): r
            for r in built.tables[numbered("Errors", i)][1:]
            if r[0][0].startswith("+")
        }
        assert len(gains) == len(worth) == len(errors) == len(study["cells"])
        for cell, gain, equivalent in zip(study["cells"], gains, worth, strict=True):
            assert entry(gain[0][1])[0] == cell["num_real"] and entry(gain[1][1])[0] == cell["num_synthetic"]
            assert entry(gain[3][1]) == triple(cell["gain"])
            assert entry(gain[4][1]) == triple(cell["gain_simultaneous"])
            assert entry(equivalent[3][1]) == triple(cell["equivalent"])
            error = errors[cell["num_real"], cell["num_synthetic"]]
            assert entry(error[3][1]) == triple(cell["error"])
            assert entry(error[4][1])[0] == cell["predicted_error"]
            assert (error[5][0] == "yes") == cell["held_out"]
    priced = built.tables[numbered("Synthetic images per real image", 0)][1:]
    listed = sorted(
        ((i, e["num_real"], e["num_synthetic"]), e) for i, s in enumerate(laws["studies"]) for e in s["exchange"]
    )
    assert len(priced) == len(listed)
    for row, (_, exchange) in zip(priced, listed, strict=True):
        assert entry(row[3][1]) == triple(exchange["marginal"])
        assert entry(row[4][1]) == triple(exchange["average"])
        assert (row[3][0] == "not reachable") == (not exchange["reachable"])


def test_tables_hold_every_verdict_and_control(built: Page, finished: Path, laws: dict) -> None:
    verdicts = json.loads((finished / "verdict.json").read_text())["verdicts"]
    rows = built.tables["Verdicts, table"][1:]
    for row, verdict in zip(rows, verdicts, strict=True):
        assert row[2][0] == verdict["outcome"]
        assert entry(row[4][1]) == triple(verdict["gain"])
        assert entry(row[5][1]) == triple(verdict["equivalent"])
        assert entry(row[7][1])[0] == verdict["smallest_detectable_gain"]
        assert entry(row[8][1])[0] == verdict["deciding_draws"]
        assert row[10][0] == verdict["sentence"]
    controls = built.tables["Controls, table"][1:]
    assert [entry(row[3][1]) for row in controls] == [triple(c["observed"]) for c in laws["controls"]]
    assert [row[1][0] for row in controls] == ["passed", "undecided"]
    assert "+0.41 [−1.32, +2.04] points" in controls[1][3][0]


def test_shown_numbers_are_the_exact_ones_in_points(built: Page) -> None:
    for row in built.tables["Gains, table"][1:]:
        value, low, high = entry(row[3][1])
        assert None not in (value, low, high)
        shown = [float(t.replace("−", "-")) for t in re.findall(r"[+−]\d+\.\d+", row[3][0])]
        assert shown == pytest.approx([100 * v for v in (value, low, high) if v is not None], abs=0.005001)


def test_figures_draw_the_numbers_of_the_tables(built: Page, laws: dict) -> None:
    for i, study in enumerate(laws["studies"]):
        drawn = {y for t in built.figures[f"gains-{i}"]["data"] for y in t["y"] if y is not None}
        assert drawn == {drawn_as(100 * c["gain"]["value"]) for c in study["cells"]}
        drawn = {y for t in built.figures[f"errors-{i}"]["data"] if t["name"].startswith("+") for y in t["y"]}
        assert drawn == {drawn_as(100 * c["error"]["value"]) for c in study["cells"] if c["error"]["value"]}
    rates = {
        y for t in built.figures["exchange-rate"]["data"] if t.get("yaxis") != "y2" for y in t["y"] if y is not None
    }
    assert rates == {
        drawn_as(e["marginal"]["value"])
        for s in laws["studies"]
        for e in s["exchange"]
        if e["reachable"] and e["marginal"]["value"] is not None
    }
    lanes = [y for t in built.figures["exchange-rate"]["data"] if t.get("yaxis") == "y2" for y in t["y"]]
    assert lanes.count("not reachable") == 4 and lanes.count("not estimable") == 8


def test_page_has_its_parts_in_order(built: Page, finished: Path) -> None:
    headline = json.loads((finished / "verdict.json").read_text())["headline"]
    assert built.words.index("Do this next.") < built.words.index(headline) < built.words.index("How sure is this?")
    parts = [a["id"] for tag, a in built.elements if tag == "h2"]
    assert parts == ["sure", "verdicts", "calculator", "exchange", "equivalents", "errors", "gains", "laws",
                     "controls", "quality", "samples", "audit", "run"]  # fmt: skip
    assert "arXiv 2508.09550" in built.words
    assert "python -m synaug_ray.grid digits --storage /data/synaug" in built.words
    labels = [a.get("aria-label") for t, a in built.elements if a.get("role") == "img"]
    assert len(labels) == len(built.figures) and all(labels)


def test_the_card_says_what_the_rule_says(built: Page, finished: Path, laws: dict) -> None:
    verdicts = json.loads((finished / "verdict.json").read_text())["verdicts"]
    quality, status = (json.loads((finished / f"{name}.json").read_text()) for name in ("quality", "status"))
    found = recommendations(laws, verdicts, quality, sum(status["cpu_seconds"].values()) / laws["draws"])
    top = lead(found)
    assert top is not None and top.num_real == 800
    for said in (top.advice, top.reason, top.next_step.removeprefix("Or ")[1:], top.sure, *(r.reason for r in found)):
        assert said in built.words
    assert "Do this next. Or " not in built.words
    assert built.words.index(top.reason) < built.words.index("The verdicts")


@pytest.mark.parametrize("outcome", ["helps", "hurts", "no effect", "undecided"])
def test_the_card_follows_the_verdict(run_folder: Path, outcome: str) -> None:
    verdicts = json.loads((run_folder / "verdict.json").read_text())["verdicts"]
    for verdict in verdicts:
        rate = {"value": 3.0, "low": None, "high": None}
        verdict |= {"outcome": outcome, "exchange": verdict["exchange"] | {"marginal": rate, "note": ""}}
    built = rebuilt(run_folder, "verdict.json", verdicts=verdicts)
    word = {"helps": "Generate", "undecided": "Not known yet"}.get(outcome, "Collect")
    card = next(t for t in built.text if t.strip().rstrip(":") in {str(a) for a in Advice})
    assert card.strip().rstrip(":") == word


def test_the_end_of_a_run_says_what_its_page_says(finished: Path) -> None:
    lines = answer_text(RunFolder.at(str(finished))).splitlines()
    words = Page((finished / "report.html").read_text()).words
    assert len(lines) == 4 and lines[0].split(".")[0] in words and lines[1] in words
    assert lines[3].endswith("report.html")


@pytest.mark.parametrize(
    "name",
    [
        "laws.json",
        "verdict.json",
        "status.json",
        "env.json",
        "grid.yaml",
        "measurements.csv",
        "samples/index.json",
        "samples/real.png",
    ],
)
def test_page_builds_without_any_one_file(run_folder: Path, name: str) -> None:
    (run_folder / name).unlink()
    words = Page(page.build(str(run_folder))).words
    assert "not on this page" in words and name + ":" in words


def test_the_page_of_a_running_grid_shows_its_progress(run_folder: Path) -> None:
    for name in ("laws.json", "verdict.json"):
        (run_folder / name).unlink()
    status = json.loads((run_folder / "status.json").read_text())
    status["state"], status["steps"]["trial"] = (
        "running",
        {"total": 180, "done": 63, "failed": 2, "pending": 115},
    )
    (run_folder / "status.json").write_text(json.dumps(status))
    built = Page(page.build(str(run_folder)))
    assert (
        "This run is still in progress: 63 of 180 trials done, 2 failed. The numbers below will change." in built.words
    )
    assert "No verdict yet." in built.words
    means = {(r[0][0], entry(r[1][1])[0]): entry(r[2][1])[0] for r in built.tables["Mean test error so far, table"][1:]}
    table = read(str(run_folder)).measurements
    assert table is not None
    for (name, n), mean in means.items():
        k = 0.0 if name == "real only" else float(name.rsplit("+ ")[1].rstrip("×"))
        mine = table[(table.num_real == n) & (table.synthetic_multiple == k) & (table.status == "done")]
        assert mean == pytest.approx(mine.test_error.mean(), abs=1e-15)
    assert len(means) == 30


def test_what_to_do_next_is_to_wait_while_a_run_is_at_work(run_folder: Path) -> None:
    files = [json.loads((run_folder / f"{name}.json").read_text()) for name in ("laws", "verdict", "quality", "status")]
    files[3] |= {"state": "running", "steps": {"trial": {"total": 180, "done": 63}}}
    for outcome in ("undecided", "helps"):
        for verdict in files[1]["verdicts"]:
            verdict["outcome"] = outcome
        found = advice.recommended(*files)
        told = "This run is still at work: 63 of 180 trials are done"
        if found.advice == "Not known yet":
            assert found.next_step == f"Wait. {told}."
        else:
            assert found.sure.endswith(f"{told}, and this may change.")
        stopped = advice.recommended(*files[:3], files[3] | {"state": "interrupted"})
        continued = "the command continues it." in stopped.next_step and "draws=" not in stopped.next_step
        assert continued is (found.advice == "Not known yet")


def test_half_written_json_is_reported_and_left_out(run_folder: Path) -> None:
    laws = (run_folder / "laws.json").read_text()
    (run_folder / "laws.json").write_text(laws[: len(laws) // 2])
    assert "laws.json is not valid JSON" in Page(page.build(str(run_folder))).words


def test_status_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"run": "new", "state": "running", "steps": {}}')
    assert "no trials known yet" in Page(page.build(str(tmp_path))).words


def test_no_images_leaves_no_pixel(run_folder: Path) -> None:
    pixels = base64.b64encode((run_folder / "samples/real.png").read_bytes()).decode()
    assert pixels in page.build(str(run_folder))
    bare = page.build(str(run_folder), images=False)
    assert "data:image/png;base64" not in bare and pixels not in bare
    assert read(str(run_folder), images=False).samples == ()


def test_page_stays_below_six_megabytes(run_folder: Path) -> None:
    index = json.loads((run_folder / "samples/index.json").read_text())
    noise = (run_folder / "samples/real.png").read_bytes() + os.urandom(550_000)
    (run_folder / "samples/real.png").write_bytes(noise)
    (run_folder / "samples/index.json").write_text(json.dumps([{**index[0], "draw": d} for d in range(9)]))
    html = page.build(str(run_folder))
    assert len(html.encode()) < 6_000_000
    assert "more sheets are in the run's folder" in Page(html).words


def test_the_command_rebuilds_the_page_from_the_folder_alone(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(run_folder), "--no-images"]) == 0
    assert capsys.readouterr().out.strip() == str(run_folder / "report.html")
    assert (run_folder / "report.html").read_text() == page.build(str(run_folder), images=False)
    assert not [p for p in run_folder.iterdir() if p.name.startswith(".report")]


def test_the_command_refuses_what_is_not_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, code in ((str(tmp_path), 2), (str(tmp_path / "nowhere"), 2), ("nosuch://bucket/run", 5)):
        assert command.main([wrong]) == code
        said = capsys.readouterr()
        assert len(said.err.strip().splitlines()) == 1 and wrong in said.err and not said.out
    assert list(tmp_path.iterdir()) == []


def test_url_of_a_run(analysis: Analysis) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/runs/one/verdict.json", json.dumps(analysis.verdict_json()).encode())
    assert page.write("memory://runs/one").endswith("/runs/one/report.html")
    assert analysis.headline in Page(fs.cat_file("/runs/one/report.html").decode()).words


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.9, 30, [1, 2, 5, 10, 20]),
        (0.5, 9000, [1, 10, 100, 1000]),
        (5.1, 44, [7, 10, 15, 20, 30]),
        (14.2, 25.3, [16, 18, 20, 22, 24]),
        (0.91, 1.13, [0.95, 1.0, 1.05, 1.1]),
        (8, 12.5, [8, 9, 10, 11, 12]),
    ],
)
def test_a_logarithmic_axis_has_ticks_however_narrow(low: float, high: float, ticks: list[float]) -> None:
    assert style.log_ticks(low, high) == pytest.approx(ticks)


def test_open_ends_and_bounds_are_said() -> None:
    assert report_text.with_interval({"value": 3.0, "low": 1.5, "high": None}, report_text.rate) == "3.00 [1.50, open]"
    assert report_text.with_interval({"value": None, "low": 400.0, "high": None}, report_text.images) == "at least 400"
    assert report_text.with_interval({"value": None, "low": None, "high": None}, report_text.rate) == "not estimable"
    assert report_text.with_interval({"value": float("nan")}, report_text.rate) == "not estimable"
    assert report_text.points(-0.0123) == "−1.23" and report_text.points(0.0) == "+0.00"
