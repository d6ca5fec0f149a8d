"""A built page, parsed like in a browser."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from synaug_ray.report import embedding, page


class Page(HTMLParser):
    """The content of a page: tables by the caption of their region, elements with attributes, scripts."""

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


def numbered(caption: str, index: int) -> str:
    return f"{caption}, table" + ("" if index == 0 else f" #{index + 1}")


def drawn_as(value: float) -> float:
    """A number, rounded like in figures."""
    return float(f"{value:.{embedding.FIGURE_DIGITS}g}")


def rebuilt(folder: Path, name: str, **fields: object) -> Page:
    """The page after some fields of a JSON file have been changed."""
    found = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(found | fields))
    return Page(page.build(str(folder)))
