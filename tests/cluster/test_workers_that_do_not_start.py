"""A cluster that is joined, and whose workers do not start: a sentence after a while, where Ray waits for ever."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from helpers.own_process import environment
from helpers.paths import REPOSITORY

from synaug_ray.cluster import joining
from synaug_ray.common.errors import RESOURCES, ResourceProblem


def test_what_joins_is_left_to_the_join_itself_and_what_is_refused_says_why(monkeypatch):
    refusing = joining.TRY.replace("import os, ray", "import os, ray; ray.init = lambda **_: 1 / 0")
    monkeypatch.setattr(joining, "TRY", refusing)
    with pytest.raises(ConnectionError, match="^division by zero$"):
        joining.try_to_join("auto")
    monkeypatch.setattr(joining, "TRY", "raise SystemExit(1)")  # no Ray there, or whatever: the join itself will say
    joining.try_to_join("auto")


def test_what_waits_for_ever_is_ended_with_the_last_words_of_a_worker(monkeypatch):
    began = time.monotonic()
    monkeypatch.setattr(joining, "JOIN_SECONDS", 0.5)
    monkeypatch.setattr(joining, "TRY", "import time; time.sleep(600)")
    monkeypatch.setattr(joining, "last_words", lambda address: "ModuleNotFoundError: No module named 'ray'")
    with pytest.raises(
        ResourceProblem, match="at 10.0.0.1:6379 do not start.*the last error on this machine: ModuleNotFound"
    ):
        joining.try_to_join("10.0.0.1:6379")
    monkeypatch.setattr(joining, "last_words", lambda address: "")
    with pytest.raises(ResourceProblem, match="see raylet.err in Ray's logs on its nodes") as caught:
        joining.try_to_join("10.0.0.1:6379")
    assert caught.value.exit_code == RESOURCES and time.monotonic() - began < 30
    assert not [p for p in psutil.Process().children() if "time.sleep(600)" in p.cmdline()]


def test_last_words_are_those_of_the_cluster_that_is_meant(monkeypatch, tmp_path):
    processes = []
    for port, name in (("6379", "one"), ("6380", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "raylet.err").write_text(f"SystemExit: {name}\n")
        words = ["/x/raylet/raylet", f"--gcs-address=10.0.0.1:{port}", f"--log_dir={tmp_path / name}", "--head"]
        processes.append(SimpleNamespace(cmdline=lambda words=words: words))
    ended = SimpleNamespace(cmdline=lambda: (_ for _ in ()).throw(psutil.NoSuchProcess(1)))
    other = SimpleNamespace(cmdline=lambda: ["python", f"--log_dir={tmp_path}"])
    monkeypatch.setattr(psutil, "process_iter", lambda: [ended, other, *processes])
    assert joining.last_words("127.0.0.1:6380") == "SystemExit: two" and joining.last_words("auto") == "SystemExit: one"
    assert joining.last_words("127.0.0.1:6381") == ""


JOIN = """
import sys
from synaug_ray.cluster import joining, probe
joining.JOIN_SECONDS = probe.ANSWER_SECONDS = 20.0
from synaug_ray.common.cli import run_command
from synaug_ray.grid import main
code = run_command(main)
sys.stdout.flush(), sys.stderr.flush()
__import__("os")._exit(code)
"""


@pytest.mark.integration
def test_a_run_that_joins_a_cluster_whose_workers_end_at_once(tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="synray"))  # short: unix sockets
    (folder / "sitecustomize.py").write_text(
        "import sys\nif any('default_worker.py' in word for word in sys.orig_argv):\n"
        "    raise SystemExit('the licence server is down')\n"
    )
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    plain = environment(RAY_AUTH_MODE="disabled")
    broken = plain | {"PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(folder)))}
    start = ["start", "--head", "--block", f"--port={port}", f"--temp-dir={folder}", "--num-cpus=1"]
    start += ["--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=100000000"]
    with open(folder / "log", "wb") as log:
        head = psutil.Popen([sys.executable, "-m", "ray.scripts.scripts", *start], env=broken, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 180
        while b"Ray runtime started" not in (folder / "log").read_bytes():
            assert time.monotonic() < end and head.poll() is None, (folder / "log").read_text()
            time.sleep(0.3)
        done = subprocess.run(
            [sys.executable, "-c", JOIN, "smoke", "--storage", tmp_path / "s", "--data", tmp_path / "c"],
            env=plain | {"PYTHONPATH": str(REPOSITORY), "RAY_ADDRESS": f"127.0.0.1:{port}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == RESOURCES and "Traceback" not in done.stderr, done.stdout + done.stderr
        assert "error: " in done.stderr and "SystemExit: the licence server is down" in done.stderr, done.stderr
    finally:
        children = head.children(recursive=True)
        head.terminate()
        for process in (head, *children):
            if process.is_running():
                try:
                    process.wait(20)
                except psutil.TimeoutExpired:
                    process.kill()
                except psutil.NoSuchProcess:
                    pass
        shutil.rmtree(folder, ignore_errors=True)
