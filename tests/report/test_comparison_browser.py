"""The page of several runs in a real browser: figures are drawn, nothing is cut, nothing is asked of a network."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.chromium import Chromium, open_page
from helpers.planted_runs import planted_atlas, planted_run, planted_study

from synaug_ray import compare


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    rival = planted_study(0.02, generator="jitter", family="jitter")
    runs = [*planted_atlas(folder / "runs"), planted_run(folder / "a-run-with-quite-a-long-name", leaky="warning")]
    runs.append(planted_run(folder / "rival", studies=[rival, planted_study(0.01)]))
    assert compare.main([*(str(run) for run in runs), "--out", str(folder)]) == 0
    return folder / "comparison.html"


@pytest.mark.parametrize(
    "view", [{"width": 1280}, {"width": 390, "height": 844, "touch": True, "dark": True}], ids=["desk", "phone, dark"]
)
def test_every_figure_is_drawn_and_nothing_is_wider_than_the_page(browser: Chromium, html: Path, view: dict) -> None:
    tab = open_page(browser, html, **view)
    assert tab.complaints == [] and tab.requests == [html.as_uri()]
    drawn = "[...document.querySelectorAll('.plot')].map(p => [p.id, p.querySelectorAll('.main-svg').length > 0])"
    names = ["gain-learnt", "share-learnt", "worth-learnt", "c2-learnt", "gain-others", "worth-others"]
    assert dict(tab.evaluate(drawn)) == {f"figure-{name}": True for name in names}
    assert tab.evaluate("document.documentElement.scrollWidth") == view["width"]
    cut = """[...document.querySelectorAll('.plot .annotation-text')].map(t => t.getBoundingClientRect())
      .filter(r => r.left < 0 || r.right > innerWidth).length"""
    assert tab.evaluate(cut) == 0
    marks = "document.querySelector('#figure-c2-learnt').textContent"
    assert all(name in tab.evaluate(marks) for name in ("CIFAR-10", "BloodMNIST", "ImageNet-100"))
    # a number stands beside its line, so it must not cover another line's label or number
    texts = """[...document.querySelectorAll('#figure-gain-learnt .annotation-text')].map(t => {
      const {left, right, top, bottom} = t.getBoundingClientRect(); return [left, right, top + 3, bottom - 3];
    })"""
    boxes = tab.evaluate(texts)
    over = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
    ]
    assert len(boxes) > 10 and over == []
    tables = "[...document.querySelectorAll('.whole .scroll')].map(s => s.scrollWidth - s.clientWidth)"
    assert tab.evaluate(tables) == [0, 0]
    tab.close()
