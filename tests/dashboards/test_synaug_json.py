"""The Grafana dashboard: what Grafana asks of its JSON, and a person of a board. Grafana itself is not run."""

import itertools
import json
import re

import pytest
import yaml
from helpers.paths import REPOSITORY

FOLDER = REPOSITORY / "dashboards"
BOARD = json.loads((FOLDER / "synaug.json").read_text())
PANELS = BOARD["panels"]
SOURCE = (FOLDER.parent / "synaug_ray" / "cluster" / "metrics.py").read_text()
EXPORTED = re.findall(r'(?:Gauge|_interval)\("(synaug_[a-z_]+)"', SOURCE)
GAUGES = {*EXPORTED, *(f"{name}_{end}" for name in ("synaug_gain", "synaug_exchange_rate") for end in ("low", "high"))}


def expressions():
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_it_has_what_grafana_asks_of_a_dashboard():
    assert BOARD["schemaVersion"] >= 36 and BOARD["title"] and re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", BOARD["uid"])
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids) and all(isinstance(number, int) and number > 0 for number in ids)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert {panel["type"] for panel in PANELS} <= {"timeseries", "stat", "bargauge"}  # all of them come with Grafana


def test_panels_lie_within_24_columns_and_on_no_other():
    def cells(place):
        return set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )

    taken = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24
        assert not taken & cells(place), panel["title"]
        taken |= cells(place)


def test_the_data_source_is_a_variable_everywhere():
    variables = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    places = [variables["run"], *PANELS, *(target for panel in PANELS for target in panel["targets"])]
    assert all(place["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for place in places)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_its_question_and_each_query_has_a_name(panel):
    assert "?" in panel["description"]
    refs = [target["refId"] for target in panel["targets"]]
    assert refs and len(set(refs)) == len(refs) and all(target["legendFormat"] for target in panel["targets"])


def test_queries_ask_for_what_a_run_exports_and_it_exports_nothing_for_nobody():
    asked = set(re.findall(r"ray_(synaug_[a-z_]+)", " ".join(expressions())))
    assert asked == GAUGES


def test_queries_are_of_the_chosen_run():
    for expression in expressions():
        selectors = re.findall(r"ray_[a-z_]+(\{[^}]*\})?", expression)
        assert selectors and all('run="$run"' in s or 'synaug_run=~"$run|"' in s for s in selectors), expression


def test_the_readme_tells_what_each_panel_answers():
    told = (FOLDER / "README.md").read_text()
    assert [panel["title"] for panel in PANELS if f"| {panel['title']} |" not in told] == []


def test_prometheus_is_told_where_runs_leave_their_addresses():
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["file_sd_configs"][0]["files"] == ["STORAGE/prometheus/*.json"]
