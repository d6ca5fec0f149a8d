"""The page of a run that works in this process: kept up to date between steps, without costing much of its time."""

from types import SimpleNamespace

import pytest
from helpers.grids import small_grid

from synaug_ray.plan.plan import make_plan
from synaug_ray.runs import answer, running_views
from synaug_ray.runs.run import Run, Session
from synaug_ray.runs.running_views import RunningViews
from synaug_ray.store.run_folder import RunFolder
from synaug_ray.store.store import Store


class Clock:
    """Seconds that pass only where a test or a refresh lets them."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def refreshed(monkeypatch, clock):
    """The seconds at which views were rebuilt; each takes 4 s."""
    at = []

    def refresh(run, state, *, replicates):
        assert (state, replicates) == ("running", 100)
        at.append(clock.now)
        clock.now += 4.0
        return SimpleNamespace(verdicts=("one",) if len(at) > 1 else ())

    monkeypatch.setattr(running_views, "refresh", refresh)
    monkeypatch.setattr(running_views, "answer_so_far", lambda folder: "so far")
    return at


def views(clock, said=None):
    run = SimpleNamespace(spec=SimpleNamespace(replicates=1000), folder=None)
    return RunningViews(run, ([] if said is None else said).append, clock)


def test_steps_of_a_second_cost_a_twentieth_of_the_time(refreshed, clock):
    own = views(clock)
    for _ in range(3_600):
        clock.now += 1.0
        own(False)
    assert refreshed[0] == 60.0 and min(b - a for a, b in zip(refreshed, refreshed[1:], strict=False)) >= 84.0
    assert 4.0 * len(refreshed) <= 0.05 * clock.now


def test_a_run_of_a_minute_needs_none(refreshed, clock):
    own = views(clock)
    for second in range(59):
        clock.now = float(second)
        own(False)
        own(True)
    assert not refreshed


def test_the_first_answer_does_not_wait_and_is_said_once(refreshed, clock):
    """The step after it may take hours."""
    said = []
    own = views(clock, said)
    clock.now = 61.0
    own(False)  # real images alone
    assert refreshed == [61.0] and not said
    clock.now = 70.0
    own(True)  # nothing new since
    assert refreshed == [61.0]
    own(False)
    own(True)
    assert refreshed == [61.0, 70.0] and said == ["so far"]
    clock.now = 80.0
    own(False)
    own(True)  # draws of seconds
    assert len(refreshed) == 2
    clock.now = 140.0
    own(True)
    assert len(refreshed) == 3 and said == ["so far"]


def test_an_answer_that_a_milestone_changes_is_said_again_but_not_at_every_one(refreshed, clock, monkeypatch):
    answers, said = iter("aabc"), []
    monkeypatch.setattr(running_views, "answer_so_far", lambda folder: next(answers))
    own = views(clock, said)
    for minute in range(1, 40):
        clock.now = 60.0 * minute
        own(False)
        own(minute in (2, 3, 9, 15, 16, 22))  # the answers of minutes 2, 9, 15 (b) and 22 (c) are looked up
    assert said == ["a", "b", "c"]


def test_a_refresh_that_fails_is_logged_and_ends_nothing(monkeypatch, clock, caplog):
    def refresh(*args, **more):
        raise OSError("full")

    monkeypatch.setattr(running_views, "refresh", refresh)
    own = views(clock)
    clock.now = 100.0
    own(False)
    assert "not refreshed" in caplog.text


def test_the_page_of_a_local_run_has_its_answer_before_the_end(
    small_run, digits_identity, tmp_path, capsys, monkeypatch
):
    """Of a finished run's Store, as it is while it runs: the advice is to wait."""
    spec = small_grid()
    store, folder = Store(f"{small_run}/store"), RunFolder(str(tmp_path), "r")
    run = Run("r", spec, make_plan(spec, digits_identity), store, folder, Session("s", "c", 0.0))
    monkeypatch.setattr(running_views, "LEAST_SECONDS", 0.0)
    RunningViews(run, print)(False)
    out = capsys.readouterr().out
    assert out.startswith("so far   ") and "report.html is kept up to date" in out
    assert "draws=" not in out and ("Wait. This run is still at work: " in out or "Not known" not in out)
    assert folder.read_json("status.json")["state"] == "running" and b"still in progress" in folder.read("report.html")


def test_answers_of_another_process_are_said_as_they_change_and_ever_more_seldom(tmp_path, clock, monkeypatch):
    folder, said = RunFolder(str(tmp_path), "r"), []
    folder.write_json("verdict.json", {"verdicts": ["of an earlier session"]})
    monkeypatch.setattr(answer, "answer_so_far", lambda folder: said.append(clock.now) or "so far")
    so_far = answer.SoFar(folder, lambda text: None, clock)
    so_far()
    assert not said
    for minute in range(3, 241, 3):
        clock.now = 60.0 * minute
        if minute != 30:
            folder.write_json("verdict.json", {"verdicts": [minute] if minute > 3 else []})
        so_far()
    assert said[:2] == [360.0, 720.0] and 8 < len(said) < 20
    assert all(later - one >= max(300, later / 4 - 180) for one, later in zip(said, said[1:], strict=False))
