"""A run that starts a Ray of its own, its output in a file: who can reach it, what it leaves, how it ends."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from helpers.own_process import environment
from helpers.paths import REPOSITORY

from synaug_ray.common.errors import INTERRUPTED

pytestmark = pytest.mark.integration


def test_a_run_of_its_own_is_reached_from_this_machine_alone_and_ends_when_asked(tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="synown"))  # short: a unix socket's path may have 107 bytes
    variables = environment(HOME=str(folder), RAY_TMPDIR=str(folder))
    variables.pop("PYTHONUNBUFFERED", None)
    words = ["tests/helpers/small.yaml", "classifiers.0.nimg=60000", "--storage", str(tmp_path)]
    with open(tmp_path / "log", "w") as log:  # as under nohup: no terminal
        run = psutil.Popen(
            [sys.executable, "-m", "synaug_ray.grid", *words],
            cwd=REPOSITORY,
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    started, reached = [], set()
    try:
        end = time.monotonic() + 600
        # until a Trainer has done its work: torch's process group would listen on every address, while it is at it
        while not all(list((tmp_path / "store" / "records" / stage).glob("*.json")) for stage in ("trial", "shard")):
            assert run.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
            started = run.children(recursive=True)
            reached |= {f"{process} on {at.laddr.ip}" for process in [run, *started] for at in listening(process)}
            time.sleep(0.2)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):  # the first one counts
            run.send_signal(number)
            time.sleep(0.2)
        code = run.wait(120)
    finally:
        if run.is_running():
            started = run.children(recursive=True)
            run.kill()
        _, left = psutil.wait_procs(started, timeout=30)
        left = [process for process in left if process.status() != psutil.STATUS_ZOMBIE]  # dead, and nobody asked yet
        for process in left:
            process.kill()
    token = folder / ".ray" / "auth_token"
    mode, secret = token.stat().st_mode & 0o777, token.read_text()
    shutil.rmtree(folder, ignore_errors=True)
    assert code == INTERRUPTED and not left
    assert reached and not [at for at in reached if not at.endswith((" on 127.0.0.1", ":127.0.0.1"))] and mode == 0o600
    log = (tmp_path / "log").read_text()
    assert "interrupted: finished steps are kept; run the same command to continue" in log and "Traceback" not in log, (
        log
    )
    assert json.loads((tmp_path / "small" / "status.json").read_text())["state"] == "interrupted"
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]


def listening(process):
    """Where a process waits for connections; nowhere, where it has ended."""
    try:
        return [at for at in process.net_connections(kind="inet") if at.status == psutil.CONN_LISTEN]
    except psutil.Error:
        return []
