"""How scripts and data are embedded in the page: escaped, compressed if large, and allowed by hash."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import importlib.resources
import json
from typing import Any

import plotly.offline
from plotly.utils import PlotlyJSONEncoder

FIGURE_DIGITS = 7  # significant digits of figures, a hundred times finer than a screen; tables keep all digits


def resource(name: str) -> str:
    """The text of a template, style sheet or script in ``report/html``."""
    return importlib.resources.files("synaug_ray.report").joinpath("html", name).read_text(encoding="utf-8")


def island(value: Any, digits: int | None = None) -> str:
    """JSON that is safe inside a <script> element: nothing in it can end the element or open a comment.

    ``digits`` rounds floats to that many significant digits.
    """
    text = json.dumps(value, cls=PlotlyJSONEncoder, separators=(",", ":"))
    if digits is not None:
        rounded = json.loads(text, parse_float=lambda number: float(f"{float(number):.{digits}g}"))
        text = json.dumps(rounded, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@functools.cache
def plotly_js() -> str:
    """The plotting library, 4.8 MB of JavaScript."""
    return plotly.offline.get_plotlyjs()


@functools.cache
def packed_plotly_js() -> str:
    """The same, gzipped and base64-encoded (2.0 MB), always with the same bytes; page.js unpacks it."""
    return base64.b64encode(gzip.compress(plotly_js().encode(), 9, mtime=0)).decode()


def policy(*scripts: str) -> str:
    """The content security policy: no requests at all, and no scripts except those given.

    A script that page.js unpacks and inserts must match its hash, like one that is in the page itself.
    """
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    # inline styles because plotly.js sets them on its elements; images for samples, and for saving a figure as a file
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
