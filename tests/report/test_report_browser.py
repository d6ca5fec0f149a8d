"""The page in a real browser: figures are drawn, nothing is complained of, nothing is asked of a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from synaug_ray.report import page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--virtual-time-budget=8000",
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(BROWSERS)} is installed")


def load(html: Path, scratch: Path, *flags: str) -> tuple[str, list[str], set[str]]:
    """The page's DOM once drawn, what it wrote to the console, and what it (not the browser) asked for."""
    log = scratch / "net.json"
    done = subprocess.run(
        [
            str(BROWSER),
            *FLAGS,
            *flags,
            f"--user-data-dir={scratch / 'profile'}",
            f"--log-net-log={log}",
            "--dump-dom",
            html.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = log.read_text(errors="replace").splitlines()
    own = [line for line in lines if '"initiator":' in line and '"initiator":"not an origin"' not in line]
    asked = {address for line in own for address in re.findall(r'"url":"(https?://[^"]+)', line)}
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line], asked


def test_a_request_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "asks.html").write_text('<img src="http://nowhere.invalid/a.png">')
    assert load(tmp_path / "asks.html", tmp_path)[2] == {"http://nowhere.invalid/a.png"}


@pytest.mark.parametrize(
    "flags", [("--window-size=1280,900",), ("--window-size=500,900", "--force-dark-mode")]
)
def test_every_figure_is_drawn(finished: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    dom, console, asked = load(finished / "report.html", tmp_path, *flags)
    assert console == []
    assert asked == set()
    assert 'data-figures="drawn"' in dom
    places = re.split(r'<div class="plot[^>]*id="figure-', dom)[1:]
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', dom, re.DOTALL).group(1))  # type: ignore[union-attr]
    assert [place.split('"')[0] for place in places] == list(figures)
    for place in places:
        assert 'class="main-svg"' in place.split("<details>")[0], place[:200]


def test_hostile_names_do_nothing_in_a_browser(finished: Path, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=console.error('pwned')><script>console.error('pwned')</script><b>bold</b>"
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    for name in ("laws.json", "verdict.json", "status.json", "samples/index.json"):
        text = (
            (folder / name)
            .read_text()
            .replace('"edm"', json.dumps(hostile))
            .replace('"0"', json.dumps(hostile))
        )
        (folder / name).write_text(text)
    page.write(str(folder))
    dom, console, _ = load(folder / "report.html", tmp_path)
    assert console == []
    drawn = dom.split('<script type="application/json"')[0]
    assert "<b>bold" not in drawn and "font-weight: bold" not in drawn
    assert "&lt;img src=x" in drawn
