"""The page against the files it is made from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import fsspec
import pytest

from synaug_ray.analysis.recommendation import Advice, lead, recommendations
from synaug_ray.analysis.results import Analysis
from synaug_ray.report import __main__ as command
from synaug_ray.report import embedding, page
from synaug_ray.report import text as report_text
from synaug_ray.report.figures import style
from synaug_ray.report.run_view import read
from synaug_ray.report.sections.fitted_laws import AVERAGE
from synaug_ray.runs.answer import answer_text
from synaug_ray.store.run_folder import RunFolder

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&<b>bold</b>"


class Page(HTMLParser):
    """What a browser would find: tables by the caption of their region, elements with attributes, scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[tuple[str, dict[str, str | None]]]]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.text: list[str] = []
        self.region, self.inside = "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if found.get("role") == "region":
            label, copy = found.get("aria-label") or "", 1
            self.region = label
            while self.region in self.tables:
                copy += 1
                self.region = f"{label} #{copy}"
            self.tables[self.region] = []
        elif tag == "tr":
            self.tables[self.region].append([])
        elif tag in ("td", "th"):
            self.tables[self.region][-1].append(("", found))
        elif tag == "script":
            self.scripts.append((found.get("type"), ""))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = kind, text + data
        elif self.inside in ("td", "th"):
            text, attributes = self.tables[self.region][-1][-1]
            self.tables[self.region][-1][-1] = text + data, attributes
        elif self.inside != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    @property
    def figures(self) -> dict[str, dict]:
        return json.loads(next(text for kind, text in self.scripts if kind == "application/json"))


def entry(attributes: dict[str, str | None]) -> tuple[float | None, float | None, float | None]:
    value, low, high = (attributes.get(f"data-{k}") for k in ("value", "low", "high"))
    return tuple(None if v is None else float(v) for v in (value, low, high))  # type: ignore[return-value]


def triple(estimate: dict) -> tuple[float | None, float | None, float | None]:
    return estimate["value"], estimate["low"], estimate["high"]


@pytest.fixture(scope="module")
def built(finished: Path) -> Page:
    return Page((finished / "report.html").read_text())


@pytest.fixture
def laws(finished: Path) -> dict:
    return json.loads((finished / "laws.json").read_text())


def numbered(caption: str, index: int) -> str:
    return f"{caption}, table" + ("" if index == 0 else f" #{index + 1}")


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


def drawn_as(value: float) -> float:
    """A number as figures hold it."""
    return float(f"{value:.{embedding.FIGURE_DIGITS}g}")


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
    for said in (top.advice, top.reason, top.next_step, top.sure, *(r.reason for r in found)):
        assert said in built.words
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


def test_nothing_is_loaded_from_elsewhere(built: Page, finished: Path) -> None:
    html = (finished / "report.html").read_text()
    assert len(html.encode()) < 6_000_000
    for tag, attributes in built.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "a")
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert (attributes.get(name) or "data:image/png;base64,").startswith("data:image/png;base64,")
        assert not any(name.startswith("on") for name in attributes)
    styles = "".join(re.findall(r"<style>(.*?)</style>", html, re.DOTALL))
    assert "url(" not in styles and "@import" not in styles
    for script in (text for kind, text in built.scripts if kind is None):
        assert not re.search(r"\b(fetch|XMLHttpRequest|import|eval|Function|sendBeacon|WebSocket)\b\s*\(", script)
    policy = next(a["content"] or "" for t, a in built.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0] and "http" not in policy
    packed = next(text for kind, text in built.scripts if kind == "application/gzip")
    may_run = [text for kind, text in built.scripts if kind is None]
    may_run.append(gzip.decompress(base64.b64decode(packed)).decode())
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in may_run]
    assert sorted(re.findall(r"'sha256-([^']+)'", policy)) == sorted(digests)
    assert may_run[-1].startswith("/**\n* plotly.js")


def hostile_copy(folder: Path, target: Path) -> Path:
    """The same run, with a script in place of every name that a user can choose."""
    shutil.copytree(folder, target)
    for name in ("laws", "verdict", "status", "samples/index", "env", "audit", "quality"):
        name += ".json"
        text = (target / name).read_text()
        for old in (
            '"edm"',
            '"edm-open"',
            '"mlp"',
            '"digits"',
            '"power law"',
            '"7"',
            '"2.14.0"',
            '"diverged"',
            '"near-copies"',
            '"41"',
            '"warning"',
        ):
            text = text.replace(old, json.dumps(old.strip('"') + HOSTILE))
        (target / name).write_text(text)
    (target / "grid.yaml").write_text(f"dataset: {HOSTILE}\n# </pre></script>")
    (target / "measurements.csv").write_text(
        (target / "measurements.csv").read_text().replace("mlp", '"' + HOSTILE.replace('"', '""') + '"')
    )
    return target


def test_hostile_names_are_shown_as_text(finished: Path, tmp_path: Path) -> None:
    target = hostile_copy(finished, tmp_path / "hostile")
    for laws in (True, False):
        if not laws:
            (target / "laws.json").unlink()
        html = page.build(str(target))
        found = Page(html)
        assert len([t for t, _ in found.elements if t == "script"]) == (9 if laws else 4)
        assert not [a for t, a in found.elements if t == "img" and not (a["src"] or "").startswith("data:image/png")]
        assert "<b>bold" not in html and "<script>alert" not in html and "<img src=x" not in html
        for identity, figure in found.figures.items():
            assert re.fullmatch(r"[a-z-]+(-\d+)?", identity)
            for trace in figure["data"]:
                for text in [trace.get("name", ""), *trace.get("hovertext", [])]:
                    assert not re.search(r"<(?!br>)", text), text


def test_figures_island_cannot_end_its_element() -> None:
    island = embedding.island({"name": "</script><!--<script>\u2028&"})
    assert not set("<>&\u2028") & set(island)
    assert json.loads(island) == {"name": "</script><!--<script>\u2028&"}


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


def rebuilt(folder: Path, name: str, **fields: object) -> Page:
    """The page once some fields of a JSON file are others."""
    found = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(found | fields))
    return Page(page.build(str(folder)))


def test_balanced_error_is_called_so_everywhere(run_folder: Path) -> None:
    built = rebuilt(run_folder, "laws.json", error="balanced_error")
    assert "Balanced error against real images" in built.words
    assert "test error" not in built.words.lower().replace("test errors are too low", "")
    layouts = [figure["layout"] for figure in built.figures.values()]
    axes = [layout[axis]["title"]["text"] for layout in layouts for axis in ("xaxis", "yaxis")]
    assert "balanced error (%)" in axes and "gain in balanced error (points)" in axes
    assert not [title for title in axes if "test error" in title]


def test_held_out_is_said_only_where_cells_were(run_folder: Path, built: Page, laws: dict) -> None:
    assert "Filled markers are held-out cells" in built.words
    for study in laws["studies"]:
        for cell in study["cells"]:
            cell["held_out"] = False
    built = rebuilt(run_folder, "laws.json", studies=laws["studies"])
    assert "Filled markers" not in built.words and "No cell was held out" in built.words


def test_the_cost_of_deciding_is_marked_as_rough(run_folder: Path, built: Page) -> None:
    undecided = [row for row in built.tables["Verdicts, table"][1:] if row[2][0] == "undecided"]
    assert {(row[8][0], row[9][0]) for row in undecided} == {("≈ 10", "≈ 10 min")}
    assert "estimate from 6 draws" in built.words
    assert "4 in 5 such questions would be decided" in built.words
    assert "estimate from 2 draws" in rebuilt(run_folder, "laws.json", draws=2).words
    assert [report_text.rough(v) for v in (0.0, 7.0, 14.0, 86.0, 1520.0)] == [
        "≈ 0",
        "≈ 7",
        "≈ 10",
        "≈ 90",
        "≈ 2,000",
    ]


def test_the_trade_off_has_a_figure_and_table_of_its_own(built: Page, laws: dict) -> None:
    rows = built.tables["Synthetic images per real image at the working point, table"][1:]
    wanted = [e for s in laws["studies"] for e in s["exchange"]]
    assert [entry(row[3][1]) for row in rows] == [triple(e["tradeoff"]) for e in wanted]
    drawn = {y for t in built.figures["trade-off"]["data"] if t.get("yaxis") != "y2" for y in t["y"] if y is not None}
    assert drawn == {drawn_as(e["tradeoff"]["value"]) for e in wanted if e["tradeoff"]["value"] is not None}


def test_censored_cells_are_drawn_with_or_without_a_bound(run_folder: Path, laws: dict) -> None:
    cells = laws["studies"][2]["cells"]
    censored = [c for c in cells if c["censoring"] == "above"]
    assert len(censored) > 3
    censored[0]["equivalent"]["low"] = None
    built = rebuilt(run_folder, "laws.json", studies=laws["studies"])
    traces = [t for t in built.figures["equivalents-2"]["data"] if isinstance(t.get("marker", {}).get("symbol"), list)]
    arrows = [s for t in traces for s, y in zip(t["marker"]["symbol"], t["y"], strict=True) if y is not None]
    assert sorted(arrows) == sorted(["arrow-up-open"] + ["arrow-up"] * (len(censored) - 1))
    row = built.tables[numbered("Real-equivalents", 2)][1 + cells.index(censored[0])]
    assert "its interval is open" in row[3][0]


def test_data_audit_and_quality_are_shown_with_their_warnings_at_the_top(built: Page) -> None:
    audit = built.tables["Data audit, table"]
    assert [row[3][0] for row in audit[1:]] == ["ok", "note", "warning"]
    assert audit[3][0][0] == "patients in training and test" and audit[3][1][0] == "41"
    quality = built.tables["Quality of the generators, table"]
    assert [head[0] for head in quality[0]] == ["generator", "num real", "near-copies", "label fidelity"]
    assert entry(quality[1][2][1]) == (0.41, 0.36, 0.47) and quality[2][3][0] == "–"
    top = built.words.index("The verdicts")
    assert built.words.index("Data audit: patients in training and test: 41 (test errors are too low).") < top
    assert built.words.index("do not share its images") < top
    assert "near-duplicates in training" not in built.words[:top]


@pytest.mark.parametrize("name", ["audit.json", "quality.json"])
@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"rows": 3}', '{"columns": ["a"], "rows": [[1, 2], 5], "warnings": 1}', '{"rows']
)
def test_malformed_audit_and_quality_files_do_not_break_the_page(run_folder: Path, name: str, text: str) -> None:
    (run_folder / name).write_text(text)
    assert "The verdicts" in Page(page.build(str(run_folder))).words


def test_run_says_what_it_cost_and_how_to_cite_it(built: Page) -> None:
    assert "Total: 14.1 min of one device (generators 6.7 min, pool shards 93 s, trials 5.8 min)." in built.words
    assert "journal = {arXiv preprint arXiv:2508.09550}" in built.words and "note = {commit 9c1f0e2}" in built.words


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../x", "..\\x"])
def test_samples_come_from_the_run_alone(run_folder: Path, name: str) -> None:
    index = json.loads((run_folder / "samples/index.json").read_text())
    (run_folder / "secret.png").write_bytes((run_folder / "samples/real.png").read_bytes())
    index[0]["real"] = name
    (run_folder / "samples/index.json").write_text(json.dumps(index))
    view = read(str(run_folder))
    assert set(view.samples[0].images) == {"synthetic", "nearest"}
    assert any("not a file name" in problem for problem in view.problems)


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


def test_the_command_refuses_what_is_not_a_run(tmp_path: Path) -> None:
    for wrong, code in ((str(tmp_path), 2), (str(tmp_path / "nowhere"), 2), ("nosuch://bucket/run", 5)):
        done = subprocess.run([sys.executable, "-m", "synaug_ray.report", wrong], capture_output=True, text=True)
        assert done.returncode == code
        assert len(done.stderr.strip().splitlines()) == 1 and wrong in done.stderr
        assert not done.stdout
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


def test_failed_control_is_said_at_the_top(run_folder: Path) -> None:
    laws = json.loads((run_folder / "laws.json").read_text())
    laws["controls"][0]["passed"] = False
    (run_folder / "laws.json").write_text(json.dumps(laws))
    words = Page(page.build(str(run_folder))).words
    assert words.index("A control failed (real-holdout)") < words.index("The verdicts")


def test_forms_are_listed_with_their_numbers(built: Page, laws: dict) -> None:
    for i, study in enumerate(laws["studies"]):
        rows = built.tables[numbered("Forms of the equivalence", i)][1:]
        fits = sorted(study["fits"], key=lambda fit: fit["form"] != study["chosen"])
        for row, fit in zip(rows, fits, strict=True):
            assert row[0][0] == fit["form"] + (" (chosen)" if fit["form"] == study["chosen"] else "")
            assert row[1][0] == fit["formula"] and row[3][0] == fit["status"]
            assert entry(row[5][1])[0] == fit["rmse_log_error"] and entry(row[6][1])[0] == fit["aicc"]
            skills = [entry(row[k][1])[0] for k in (9, 10, 11)]
            held_out = fit["held_out"]
            assert skills == [held_out[k] for k in ("skill_no_effect", "skill_constant_rate", "coverage")]
            for name in fit["parameters"]:
                assert f"{name} = {fit['parameters'][name]['value']:.4g} [" in row[2][0]
    chosen = {row[0][0]: row[1][0] for row in built.tables["Chosen forms, table"][1:]}
    assert chosen["real only"] == "power law with floor" and list(chosen.values()).count("none chosen") == 2


def test_the_average_of_the_forms_has_its_own_error_beside_the_chosen_ones(run_folder: Path) -> None:
    averaged = {"cells": 9, "rmse_log_error": 0.051, "skill_no_effect": 0.527, "skill_constant_rate": 0.2,
                "coverage": 0.875}  # fmt: skip
    laws = json.loads((run_folder / "laws.json").read_text())
    laws["studies"][2] |= {"held_out": averaged, "overdispersion": 6.25}
    built = rebuilt(run_folder, "laws.json", studies=laws["studies"])
    chosen = {row[0][0]: row for row in built.tables["Chosen forms, table"][1:]}
    told = {name: [entry(row[k][1])[0] for k in (3, 4, 5)] for name, row in chosen.items() if "none" not in row[1][0]}
    assert [0.412, 0.527, 2.5] in told.values() and [0.412, None, None] in told.values()
    rows = built.tables[numbered("Forms of the equivalence", 2)][1:]
    assert "chosen" in rows[0][0][0] and rows[1][0][0] == AVERAGE and len(rows) == len(laws["studies"][2]["fits"]) + 1
    assert [entry(rows[1][k][1])[0] for k in range(7, 12)] == list(averaged.values())


def test_looks_and_groups_are_told_beside_the_intervals(run_folder: Path) -> None:
    assert "This is the first look" in rebuilt(run_folder, "laws.json", looks=[6]).words
    third = rebuilt(run_folder, "laws.json", looks=[5, 6, 8], test_groups=37).words
    assert "This is look 3 at these results (after 5, 6 and 8 draws)" in third
    assert "resampled by group (data.group): 37 groups" in third


def test_a_relative_margin_is_shown_as_such(run_folder: Path) -> None:
    rebuilt(run_folder, "verdict.json", relative_delta=0.1)
    shown = rebuilt(run_folder, "laws.json", relative_delta=0.1).words
    assert "the interval is within ±10% of the real-only error" in shown
    assert "Grey band: ±10% of the smallest real-only error" in shown


def test_each_generator_has_a_line_of_its_cost_beside_its_gain(built: Page, finished: Path, laws: dict) -> None:
    """The planted costs: 6.5 s + n / 100 to train, 1.1 ms an image."""
    verdicts = json.loads((finished / "verdict.json").read_text())["verdicts"]
    rows = built.tables["Costs, table"]
    assert [text for text, _ in rows[0][3:6]] == [f"{what} (core-hours)" for what in ("training", "sampling", "in all")]
    for row, verdict in zip(rows[1:], verdicts, strict=True):
        n, images = verdict["num_real"], verdict["best_multiple"] * verdict["num_real"]
        assert entry(row[2][1])[0] == images
        seconds = [3600 * (entry(row[i][1])[0] or 0.0) for i in (3, 4, 5)]
        assert seconds == pytest.approx([6.5 + n / 100, 0.0011 * images, 6.5 + n / 100 + 0.0011 * images])
        assert entry(row[6][1]) == triple(verdict["gain"]) and entry(row[7][1]) == triple(verdict["equivalent"])
        worth, low = verdict["equivalent"]["value"], verdict["equivalent"]["low"]
        each = entry(row[8][1])[0]
        known = worth is not None and low is not None and low > 0
        assert (each is not None) == known and (not known or each == pytest.approx(sum(seconds[:2]) / 3600 / worth))
    studies = {tuple(v[k] for k in ("classifier", "generator", "protocol", "real_share")) for v in verdicts}
    assert built.words.count("of one core to train it and make") == len(studies)


def test_costs_name_the_hardware_and_are_left_out_where_nothing_was_timed(run_folder: Path, laws: dict) -> None:
    assert "of one GPU to train it" in rebuilt(run_folder, "env.json", device="cuda").words
    untimed = [study | {"generation": []} for study in laws["studies"]]
    built = rebuilt(run_folder, "laws.json", studies=untimed)
    assert "What it costs" not in built.words and "Costs, table" not in built.tables
