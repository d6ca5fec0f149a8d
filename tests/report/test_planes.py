"""The plane on the page: lines that enclose what they say, and nothing where a file has none."""

import json

import numpy as np
import pytest

from synaug_ray.quality.plane import plane
from synaug_ray.report import text
from synaug_ray.report.figures.plane import SHARES, levels
from synaug_ray.report.page import render
from synaug_ray.report.run_view import read
from synaug_ray.report.sections.quality import plane_panels


def told(name="edm"):
    from dataclasses import asdict

    rng = np.random.default_rng(0)
    real, other = (rng.standard_normal((300, 4)).astype("f4") * [3, 2, 1, 1] + shift for shift in (0, 1))
    about = {"generator": name, "num_real": 80, "overlap": {"value": 0.62, "low": 0.5, "high": 0.7}}
    return json.loads(json.dumps(about | asdict(plane(real.astype("f4"), other.astype("f4")))))


def test_lines_enclose_their_shares():
    density = np.array(told()["real_density"])
    for level, share in zip(levels(density), SHARES, strict=True):
        assert density[density >= level].sum() / density.sum() == pytest.approx(share, abs=0.03)


def test_the_page_shows_points_lines_and_overlap(run_folder):
    file = run_folder / "quality.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"planes": [told("a<b>"), told("c")]}))
    page = render(read(str(run_folder)), images=False)
    assert "Where do synthetic images lie among real ones?" in page and "a<b>" not in page
    assert text.with_interval(told()["overlap"], text.share) in page
    panels = plane_panels(json.loads(file.read_text()))
    kinds = [trace.type for trace in panels[0].figure.data]
    assert [panel.id for panel in panels] == ["plane-0", "plane-1"] and kinds == ["scatter", "contour"] * 2


@pytest.mark.parametrize("planes", [None, 3, [3], [{}], [{"generator": "x"}]])
def test_a_file_without_planes_shows_none(planes):
    assert plane_panels({"planes": planes}) == [] and plane_panels({}) == [] and plane_panels(None) == []
