"""A finished run of planted numbers, and a browser, for the tests of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.chromium import PROGRAM, Chromium
from helpers.html_page import Page
from helpers.synthetic_analysis import make_analysis
from helpers.synthetic_run import write_run

from synaug_ray.analysis.results import Analysis
from synaug_ray.report import page


@pytest.fixture(scope="session")
def analysis() -> Analysis:
    return make_analysis()


@pytest.fixture
def run_folder(tmp_path: Path, analysis: Analysis) -> Path:
    """A finished run with every file."""
    return write_run(tmp_path / "digits", analysis)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, analysis: Analysis) -> Path:
    """The same, written once, its page built: for tests that only read."""
    folder = write_run(tmp_path_factory.mktemp("finished") / "digits", analysis)
    page.write(str(folder))
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One real browser for all tests that look at a page."""
    if PROGRAM is None:
        pytest.skip("no chromium or chrome is installed")
    chromium = Chromium(tmp_path_factory.mktemp("browser"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def built(finished: Path) -> Page:
    return Page((finished / "report.html").read_text())


@pytest.fixture
def laws(finished: Path) -> dict:
    return json.loads((finished / "laws.json").read_text())
