"""Where a Ray of our own keeps its files, and what is told where its workers do not start.

``test_kills.py`` has a whole run without a home and with a temporary folder too deep for sockets.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from helpers.own_process import environment
from helpers.paths import REPOSITORY, SMALL_GRID

from synaug_ray.cluster import start
from synaug_ray.common.errors import ResourceProblem

LONGEST = start.SOCKET_BYTES - start.SESSION_BYTES


@pytest.fixture
def named(monkeypatch):
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    return lambda name, value: monkeypatch.setenv(name, value)


def test_rays_own_choice_is_left_where_it_can_be_used(named):
    assert start.ray_folder() == {}
    named("TMPDIR", "/var/tmp")
    assert start.ray_folder() == {}


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_that_is_too_deep_for_a_socket_is_replaced_and_still_takes_what_spills(variable, named, tmp_path):
    deep = tmp_path / ("x" * LONGEST)
    deep.mkdir()
    named(variable, str(deep))
    told = start.ray_folder()
    assert len(told["_temp_dir"]) <= LONGEST and told["object_spilling_directory"]


def test_no_path_below_the_folder_is_longer_than_a_socket_may_have():
    """Of the sockets that Ray 2.60 makes, with the largest number that a process may have."""
    folder = Path("/tmp") / ("x" * (LONGEST - 5))
    assert start._usable(folder) and not start._usable(Path(f"{folder}x"))


@pytest.mark.parametrize("broken", ["/proc/none", "relative", "/etc/passwd"])
def test_a_folder_that_cannot_be_written_is_replaced(broken, named):
    named("TMPDIR", broken)
    assert start.ray_folder()["_temp_dir"].startswith("/tmp/ray")


def test_no_folder_at_all_is_a_sentence(named, monkeypatch):
    monkeypatch.setattr(start, "_writable", lambda folder: False)
    with pytest.raises(ResourceProblem, match="Ray has no folder for its files: /tmp/ray and .*set RAY_TMPDIR"):
        start.ray_folder()


@pytest.mark.parametrize(
    "log,error",
    [
        (
            "Traceback:\n  File x\nModuleNotFoundError: No module named 'ray'\n",
            "ModuleNotFoundError: No module named 'ray'",
        ),
        ("fine\nSystemExit: the licence server is down\nlast\n", "SystemExit: the licence server is down"),
        ("bash: python: command not found\n", "bash: python: command not found"),
        ("error: Failed to spawn: `python`\n", "error: Failed to spawn: `python`"),
        ("a warning: of nothing\n[2026] I am well\n", ""),
        ("", ""),
    ],
)
def test_the_last_words_of_a_worker(log, error, tmp_path):
    (tmp_path / "raylet.err").write_text(log)
    assert start.last_error(tmp_path) == error
    assert start.last_error(tmp_path / "none") == ""


def own_ray(folder, **variables):
    words = [str(SMALL_GRID), "draws=1", "blocks=[]", "--storage", str(folder / "s"), "--data", str(folder / "c")]
    run = psutil.Popen(
        [sys.executable, "-m", "synaug_ray.grid", *words],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = run.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        said, _ = run.communicate()
    return run.returncode, said


@pytest.mark.integration
def test_workers_that_end_before_they_are_there_are_named_and_nothing_is_waited_for(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys\nif any('default_worker.py' in word for word in sys.orig_argv):\n"
        "    raise SystemExit('the licence server is down')\n"
    )
    code, said = own_ray(tmp_path, PYTHONPATH=os.pathsep.join((str(REPOSITORY), str(tmp_path / "site"))))
    assert code == 6 and "Traceback" not in said, said
    assert "error: Ray's workers do not start on this machine; their last error: SystemExit: the licence server" in said
    assert '"state": "interrupted"' in (tmp_path / "s" / "small" / "status.json").read_text()
