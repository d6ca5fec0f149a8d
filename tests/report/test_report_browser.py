"""The page in a real browser: figures are drawn, nothing is complained of, nothing is asked of a network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.chromium import Chromium, open_page

from synaug_ray.report import page

DESK = {"width": 1280}
PHONE = {"width": 390, "height": 844, "touch": True, "dark": True}


def test_a_request_and_a_complaint_would_be_seen(browser: Chromium, tmp_path: Path) -> None:
    (tmp_path / "asks.html").write_text(
        '<img src="http://nowhere.invalid/a.png"><script>console.log("said"); throw Error("thrown")</script>'
    )
    tab = browser.open((tmp_path / "asks.html").as_uri())
    assert "http://nowhere.invalid/a.png" in tab.requests
    assert any("said" in line for line in tab.complaints) and any("thrown" in line for line in tab.complaints)
    tab.close()


@pytest.mark.parametrize("view", [DESK, PHONE], ids=["desk", "phone, dark"])
def test_every_figure_is_drawn_and_nothing_is_wider_than_the_page(
    browser: Chromium, finished: Path, view: dict[str, Any]
) -> None:
    html = finished / "report.html"
    tab = open_page(browser, html, **view)
    assert tab.complaints == []
    assert tab.requests == [html.as_uri()]
    places = "[...document.querySelectorAll('.plot')].map(p => [p.id, p.querySelectorAll('.main-svg').length])"
    drawn = dict(tab.evaluate(places))
    assert set(drawn) == {"figure-" + name for name in tab.evaluate("Object.keys(page.figures)")}
    assert all(drawn.values())
    assert tab.evaluate("document.documentElement.scrollWidth") == view["width"]
    wider = tab.evaluate(
        "[...document.querySelectorAll('.main-svg')].filter(s => s.getBoundingClientRect().right > innerWidth).length"
    )
    assert wider == 0
    tab.close()


def test_figures_follow_a_window_that_becomes_narrower(browser: Chromium, finished: Path) -> None:
    tab = open_page(browser, finished / "report.html", **DESK)
    size = {"height": 844, "deviceScaleFactor": 1, "mobile": False}
    cut = """[...document.querySelectorAll('.plot')].filter(p => {
      const {right} = p.querySelector('.main-svg').getBoundingClientRect();
      return right > Math.min(innerWidth, p.getBoundingClientRect().right) + 1;
    }).length"""
    for width in (390, 1000):
        tab.send("Emulation.setDeviceMetricsOverride", width=width, **size)
        tab.wait_for(f"innerWidth === {width} && {cut} === 0")
        tab.wait_for(f"document.documentElement.scrollWidth === {width}")
    tab.close()


@pytest.mark.parametrize("width", [1280, 1180])
def test_tables_that_stand_open_are_not_cut(browser: Chromium, finished: Path, width: int) -> None:
    """The parameters of the laws stand in the last column: they must be read without scrolling sideways."""
    tab = open_page(browser, finished / "report.html", width=width)
    opened = "[...document.querySelectorAll('#laws ~ details, #audit ~ details')].map(d => d.open = true).length"
    assert tab.evaluate(opened) >= 2  # the laws' tables, and the audit's: else what is closed would be measured as 0
    cut = "[...document.querySelectorAll('.scroll:has(> .fit)')].map(s => [s.scrollWidth - s.clientWidth, s.clientWidth > 99])"
    assert tab.evaluate(cut) == [[0, True]] * 5  # forms, controls, quality, audit, failures
    tab.close()


@pytest.mark.parametrize("width", [1280, 1000, 768, 600, 390])
def test_the_verdicts_are_not_cut_at_any_width(browser: Chromium, finished: Path, width: int) -> None:
    """As a table where it is wide enough, else as cards: the fourth size of a real run was cut at 768 pixels."""
    tab = open_page(browser, finished / "report.html", width=width)
    cut = "(s => s.scrollWidth - s.clientWidth)(document.querySelector('.scroll:has(> .matrix)'))"
    assert tab.evaluate(cut) == 0
    pills = "[...document.querySelectorAll('.pill')].filter(p => p.getBoundingClientRect().right > innerWidth).length"
    assert tab.evaluate(pills) == 0
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    wide = "(m => !m.matches('.cards') || m.clientWidth === m.parentElement.clientWidth)(document.querySelector('.matrix'))"
    assert tab.evaluate(wide)  # cards fill the page
    tab.close()


def test_axis_titles_stand_inside_their_figure(browser: Chromium, finished: Path) -> None:
    tab = open_page(browser, finished / "report.html", **PHONE)
    cut = tab.evaluate(
        """[...document.querySelectorAll('.plot')].flatMap(p => {
          const inside = p.getBoundingClientRect();
          return [...p.querySelectorAll('.xtitle, .ytitle, .legendtext')].filter(t => {
            const {left, right} = t.getBoundingClientRect();
            return left < inside.left - 1 || right > inside.right + 1;
          }).map(t => p.id + ': ' + t.textContent);
        })"""
    )
    assert cut == []
    tab.close()


def test_an_old_browser_gets_the_numbers(browser: Chromium, finished: Path) -> None:
    tab = browser.open((finished / "report.html").as_uri(), before="delete window.DecompressionStream")
    tab.wait_for("!document.getElementById('undrawn').hidden")
    assert "The numbers of every figure are in the table" in tab.evaluate(
        "document.getElementById('undrawn').textContent"
    )
    assert tab.evaluate("document.querySelectorAll('figure details table').length") > 10
    assert tab.evaluate("document.getElementById('calc-error').textContent").endswith(" %")
    tab.close()


def test_no_other_script_may_run(browser: Chromium, finished: Path) -> None:
    """The page inserts its drawing library as a script: nothing else gets in that way."""
    tab = open_page(browser, finished / "report.html")
    tab.evaluate(
        """{ const script = document.createElement("script");
        script.textContent = "window.intruder = 1"; document.head.append(script); }"""
    )
    assert tab.evaluate("window.intruder === undefined && window.Plotly !== undefined")
    assert any("Content Security Policy" in line for line in tab.complaints)
    tab.close()


def test_it_prints(browser: Chromium, finished: Path) -> None:
    tab = open_page(browser, finished / "report.html", dark=True)
    pdf = tab.pdf()
    assert pdf.startswith(b"%PDF") and len(pdf) > 50_000
    assert tab.complaints == []
    tab.close()


def test_the_copy_button_copies_or_selects(browser: Chromium, finished: Path) -> None:
    tab = open_page(browser, finished / "report.html")
    tab.evaluate("document.querySelector('[data-copy=command]').click()")
    tab.wait_for("document.querySelector('[data-copy=command]').textContent !== 'Copy'")
    assert tab.evaluate("getSelection().toString()") == "python -m synaug_ray.grid digits --storage /data/synaug"
    tab.close()


def test_hostile_names_do_nothing_in_a_browser(browser: Chromium, finished: Path, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=console.error('pwned')><script>console.error('pwned')</script><b>bold</b>"
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    for name in (
        "laws.json",
        "verdict.json",
        "status.json",
        "samples/index.json",
        "audit.json",
        "quality.json",
    ):
        text = (folder / name).read_text()
        for old in ('"edm"', '"0"', '"41"', '"near-copies"'):
            text = text.replace(old, json.dumps(hostile))
        (folder / name).write_text(text)
    page.write(str(folder))
    tab = open_page(browser, folder / "report.html", "#study=<script>console.error(1)</script>&real=<b>2</b>")
    assert tab.complaints == []
    drawn = tab.evaluate("document.querySelector('main').innerHTML")
    assert "<b>bold" not in drawn and "font-weight: bold" not in drawn
    assert "&lt;img src=x" in drawn
    assert hostile in tab.evaluate("document.getElementById('calc-study').textContent")
    tab.close()
