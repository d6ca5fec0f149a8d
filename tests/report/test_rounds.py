"""What the page shows of the rounds of a run with a budget."""

import json

import pytest

from synaug_ray.report.sections import rounds


def line(draws=3, spent=100.0, open_sizes=(40, 80), widths=(("40", 0.05), ("80", 0.02)), grid="a", **more):
    told = {
        "draws": draws,
        "spent": spent,
        "open": open_sizes,
        "half_widths": dict(widths),
        "why": "more.",
        "grid": grid,
    }
    return json.dumps({"at": "2026-11-30T10:00:00+00:00"} | told | more)


def test_each_size_is_a_series_over_the_time_spent():
    found = rounds.of("\n".join([line(), line(6, 240.0, (40,), (("40", 0.03), ("80", 0.01)))]))
    assert found and found.sentences == ("3 draws: more.", "6 draws: more.")
    (panel,) = found.panels
    small, large = panel.figure.to_plotly_json()["data"]
    assert list(small["x"]) == [100 / 60, 4.0] and list(small["y"]) == pytest.approx([5.0, 3.0])
    assert [s.endswith("-open") for s in large["marker"]["symbol"]] == [True, False]  # 80 was decided then
    assert [row[4].text for row in panel.table.rows] == ["not yet", "not yet", "not yet", "yes"]


def test_an_interval_without_an_end_is_not_drawn_and_told_in_the_table():
    found = rounds.of(line(widths=(("40", None), ("80", 0.02))))
    assert found
    series = found.panels[0].figure.to_plotly_json()["data"]
    assert [list(s["x"]) for s in series] == [[None], [100 / 60]]
    assert found.panels[0].table.rows[0][3].text == "open"


@pytest.mark.parametrize(
    "lines", [None, "", "[]\n{", '{"draws": 3, "why": "older", "open": [], "spent": 1, "grid": "a"}']
)
def test_there_is_no_section_without_a_decision(lines):
    assert rounds.of(lines) is None


def test_only_the_last_grid_counts_and_each_look_once():
    again = line(3, 130.0)
    found = rounds.of("\n".join([line(9, grid="other"), line(), '{"draws"', again]))
    assert found and len(found.sentences) == 1
    assert list(found.panels[0].figure.to_plotly_json()["data"][0]["x"]) == [130 / 60]
