"""The timeline: a row for each process, a bar for each piece of work."""

import pytest

from synaug_ray.plan.step import STAGES
from synaug_ray.report.figures import timeline
from synaug_ray.report.panels import work_panels

TIMELINE = {
    "lanes": ["host 10", "<b>host</b> 11"],
    "work": [["generator", 1, 2.0, 30.0], ["trial", 0, 1.0, 4.0], ["trial", 0, 11.0, 6.0]],
}


def test_bars_show_where_and_when_the_work_was_done():
    trials, generators = sorted(timeline.figure(TIMELINE).data, key=lambda trace: trace.name, reverse=True)
    assert (trials.name, list(trials.y), list(trials.base), list(trials.x)) == (
        "trials",
        ["host 10", "host 10"],
        [1.0, 11.0],
        [4.0, 6.0],
    )
    assert (generators.name, list(generators.base), list(generators.x)) == ("generators", [2.0], [30.0])
    assert list(generators.y) == ["&lt;b&gt;host&lt;/b&gt; 11"]


def test_the_table_says_how_busy_each_process_was():
    busy = [row[-1].text for row in timeline.table(TIMELINE).rows]
    assert busy == ["62%", "100%"]  # 10 of the 16 s between its first beginning and its last end


@pytest.mark.parametrize("status", [None, {}, {"timeline": {"lanes": [], "work": []}}])
def test_a_run_without_a_timeline_has_no_panel(status):
    assert work_panels(status) == []


def test_every_stage_can_be_drawn():
    """A run of frozen networks ended with a traceback, since the bars of their features had no colour."""
    work = [[stage, 0, 0.0, 1.0] for stage in STAGES]
    assert len(timeline.figure({"lanes": ["one"], "work": work}).data) == len(STAGES)
