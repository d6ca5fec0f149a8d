"""A driver's heartbeat: there while it lives, gone when it ends, known to be stale where it was killed."""

import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from synaug_ray.runs import heartbeat
from synaug_ray.runs.heartbeat import DRIVER, FRESH_SECONDS, Heartbeat, driver_of
from synaug_ray.store.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder(str(tmp_path), "run")


def until(true):
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_is_there_during_the_run_and_gone_after_it(folder, tmp_path, monkeypatch):
    folder.write("status.json", "{}")
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    with Heartbeat(folder, "me"):
        until(lambda: driver_of(folder))
        first = driver_of(folder)
        assert first.alive and first.pid == os.getpid() and first.host == socket.gethostname() and first.silent < 20
        before = (tmp_path / "run" / DRIVER).read_bytes()
        until(
            lambda: (tmp_path / "run" / DRIVER).read_bytes() != before
        )  # again, while the main thread does other things
    assert driver_of(folder) is None


def test_nothing_is_written_before_the_run_has_begun(folder, tmp_path):
    with Heartbeat(folder, "me"):
        time.sleep(0.1)
    assert not (tmp_path / "run").exists()


def test_that_of_a_second_driver_stays_when_the_first_ends(folder, monkeypatch):
    folder.write("status.json", "{}")
    with Heartbeat(folder, "first"):
        until(lambda: driver_of(folder))
        folder.write_json(DRIVER, {"host": "b", "pid": 1, "session": "second", "at": datetime.now(UTC).isoformat()})
    assert driver_of(folder).session == "second"


def test_a_storage_that_refuses_it_does_not_end_the_run(folder, monkeypatch):
    folder.write("status.json", "{}")
    monkeypatch.setattr(RunFolder, "write_json", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with Heartbeat(folder, "me") as beat:
        time.sleep(0.05)
        assert beat.is_alive()


@pytest.mark.parametrize(
    "age,host,alive",
    [(5, "elsewhere", True), (FRESH_SECONDS + 5, "elsewhere", False), (5, socket.gethostname(), False)],
)
def test_one_that_was_killed_is_known_at_once_here_and_after_a_while_elsewhere(folder, age, host, alive):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    at = datetime.now(UTC) - timedelta(seconds=age)
    folder.write_json(DRIVER, {"host": host, "pid": dead.pid, "session": "s", "at": at.isoformat()})
    assert driver_of(folder).alive is alive


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"at": 3}', '{"at": "2026-01-01T00:00:00+00:00", "host": "a"}'])
def test_what_is_no_sign_is_none(folder, text):
    folder.write(DRIVER, text)
    assert driver_of(folder) is None


def test_status_and_a_second_command_say_who_is_at_work(small_run, tmp_path, capsys):
    import shutil

    from helpers.paths import SMALL_GRID

    from synaug_ray import grid, status

    shutil.copytree(small_run, tmp_path / "s", copy_function=os.link)
    folder = RunFolder(str(tmp_path / "s"), "small")
    told = folder.read_json("status.json") | {"state": "running", "updated": "2026-01-01T00:00:00+00:00"}
    folder.unseal()
    folder.write_json("status.json", told)
    assert status.main([folder.url]) == 0
    assert "the driver may have died: run the same command" in capsys.readouterr().out
    beat = {"host": socket.gethostname(), "pid": os.getpid(), "session": "s", "at": datetime.now(UTC).isoformat()}
    folder.write(DRIVER, json.dumps(beat))
    assert status.main([folder.url]) == 0
    said = capsys.readouterr().out
    assert f"process {os.getpid()} on {socket.gethostname()} is running it" in said and "may have died" not in said
    assert said.count("last update") == 0 and said.count("page of ") == said.count("last sign of life") == 1
    grid.main([str(SMALL_GRID), "--storage", str(tmp_path / "s"), "--dry-run"])
    assert f"process {os.getpid()} on {socket.gethostname()} is running this grid" in capsys.readouterr().out
    folder.write(DRIVER, json.dumps(beat | {"at": "2026-01-01T00:00:00+00:00"}))
    assert status.main([folder.url]) == 0
    assert "has died: run the same command to continue" in capsys.readouterr().out
