"""Real and synthetic images in the plane in which real ones differ most, with the densities of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style

Planes = Sequence[Mapping[str, Any]]
SHARES = (0.9, 0.5)  # of the images of a kind that its lines enclose, the outer one first
KINDS = (("real", "real, held out"), ("synthetic", "synthetic"))


def figure(plane: Mapping[str, Any]) -> go.Figure:
    """Points, and lines that enclose half and nine tenths of each kind."""
    axes = [style.axis(name, showticklabels=False) for name in ("how real images differ most", "and second most")]
    drawn = go.Figure(layout=style.layout(*axes, height=340))
    for i, (kind, name) in enumerate(KINDS):
        outer, inner = levels(plane[f"{kind}_density"])
        drawn.add_scatter(
            x=list(plane[kind][0]),
            y=list(plane[kind][1]),
            name=name,
            mode="markers",
            marker={"color": style.color(i), "symbol": style.symbol(i), "size": 5, "opacity": 0.5},
            hoverinfo="skip",
        )
        drawn.add_contour(
            x=list(plane["axes"][0]),
            y=list(plane["axes"][1]),
            z=[list(row) for row in plane[f"{kind}_density"]],
            contours={"start": outer, "end": inner, "size": max(inner - outer, 1e-12), "coloring": "none"},
            line={"color": style.color(i), "dash": style.dash(i), "width": 2},
            showscale=False,
            showlegend=False,
            hoverinfo="skip",
        )
    return drawn


def levels(density: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The densities whose lines enclose ``SHARES`` of what lies in the grid."""
    heights = np.sort(np.ravel(np.asarray(density, dtype=float)))[::-1]
    within = np.cumsum(heights) / max(float(heights.sum()), 1e-300)
    outer, inner = (float(heights[min(int(np.searchsorted(within, share)), len(heights) - 1)]) for share in SHARES)
    return outer, inner


def table(planes: Planes) -> tables.Table:
    """The overlap of each generator's images with real ones, and how much of real images the plane shows."""
    rows = tuple(
        (
            tables.words(plane["generator"]),
            tables.number(plane["num_real"], text.images),
            tables.estimate(plane["overlap"], text.share),
            tables.number(plane["explained"], text.share),
        )
        for plane in planes
    )
    return tables.Table(
        "Overlap of real and synthetic images",
        ("generator", "real images seen", "overlap", "of the differences between real images, in the plane"),
        rows,
    )
