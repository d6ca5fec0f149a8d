"""The page loads nothing from elsewhere, and shows hostile names as text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path

from helpers.html_page import Page

from synaug_ray.report import embedding, page

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&<b>bold</b>"


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
