"""What the README says of clusters, done: a head with a token, submitted jobs, one of them stopped and gone on with."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.paths import REPOSITORY

pytestmark = pytest.mark.integration

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
NOT_YET = "No available agent"  # Ray's answer to a job in a head's first seconds
TIMED_OUT = "timed out during startup"
NOISE = re.compile(r"Traceback|Warning|WARNING|Error|\x1b")
BUSY = re.compile(r".*PYTHON worker processes have been started on node.*\n")  # the raylet, of a machine that is slow
STAGES = ("generator", "shard", "trial")
LONGER = "classifiers.0.nimg=60000"  # with a Trainer, and what waits for it, long enough to be stopped in its middle


@dataclass(frozen=True)
class Head:
    """A running head: where its dashboard listens, with what environment it is asked, and where a job's results go."""

    url: str
    environment: dict[str, str]
    token: str
    storage: Path

    def ray(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*RAY, *words], cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, timeout=900
        )

    def job(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.ray("job", verb, "--address", self.url, *words)

    def submit(self, name: str, *words: str, wait: bool = True) -> subprocess.CompletedProcess[str]:
        """As in the README; returns when the job has ended, unless told not to ``wait``."""
        grid = ["python", "-m", "synaug_ray.grid", "tests/helpers/small.yaml", "--storage", str(self.storage), *words]
        end = time.monotonic() + 120
        while True:
            done = self.job(
                "submit", "--submission-id", name, *([] if wait else ["--no-wait"]), "--working-dir", ".", "--", *grid
            )
            if NOT_YET not in done.stderr or time.monotonic() > end:
                return done
            time.sleep(1)

    def answer(self, token: str | None) -> int | None:
        """The HTTP status with which the job API answers; None where nothing does."""
        request = urllib.request.Request(f"{self.url}/api/jobs/")
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=20) as said:
                return said.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def log(self, name: str) -> str:
        """A job's log, without what the client that fetches it says of itself."""
        lines = self.job("logs", name).stdout.splitlines()
        return BUSY.sub("", "\n".join(line for line in lines if "cli.py:" not in line) + "\n")

    def status(self) -> dict[str, Any]:
        return json.loads((self.storage / "small" / "status.json").read_text())

    def records(self, stage: str) -> dict[str, int]:
        return {
            file.stem: file.stat().st_mtime_ns for file in (self.storage / "store" / "records" / stage).glob("*.json")
        }


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def ended(process: psutil.Popen) -> list[psutil.Process]:
    """End a head by its pid; what of it had to be killed."""
    all_of_it = [process]
    if process.is_running():
        all_of_it += process.children(recursive=True)
        process.terminate()
    _, left = psutil.wait_procs(all_of_it, timeout=60)
    for each in left:
        each.kill()
    return left


def started(folder: Path, environment: dict[str, str], token: str) -> tuple[psutil.Popen, Head] | None:
    """A head that answers; None where it did not come up."""
    # the agents' ports are fixed unless told, and clash with those of another cluster on this machine
    names = (
        "",
        "dashboard-",
        "dashboard-agent-listen-",
        "dashboard-agent-grpc-",
        "metrics-export-",
        "runtime-env-agent-",
        "ray-client-server-",
    )
    ports, said = dict(zip(names, free_ports(len(names)), strict=True)), folder / "log"
    head = Head(f"http://127.0.0.1:{ports['dashboard-']}", environment, token, folder / "storage")
    with said.open("w") as log:
        process = psutil.Popen(
            [
                *RAY,
                "start",
                "--head",
                "--block",
                "--node-ip-address=127.0.0.1",
                "--dashboard-host=127.0.0.1",
                *(f"--{name}port={port}" for name, port in ports.items()),
                "--min-worker-port=0",
                "--max-worker-port=0",
                "--num-cpus=2",
                f"--object-store-memory={200 << 20}",
                "--disable-usage-stats",
                f"--temp-dir={folder / 'ray'}",
            ],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    until(
        lambda: (
            process.poll() is not None
            or TIMED_OUT in said.read_text()
            or listens(ports["dashboard-agent-listen-"])
            and head.answer(token) == 200
        ),
        180,
    )
    if process.poll() is None and TIMED_OUT not in said.read_text():
        return process, head
    ended(process)
    return None


@pytest.fixture(scope="module")
def head():
    folder = Path(tempfile.mkdtemp(prefix="synjob"))  # short: a unix socket's path may have 107 bytes
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text("0123456789abcdef" * 4)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "PYTHON"))} | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_worker_niceness": "0",  # 15, which Ray gives its workers, is little beside another worker of pytest
        "RAY_JOB_STOP_WAIT_TIME_S": "60",
        "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "120",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # whose `python` a job finds
    try:
        # again, because a raylet gives its agents 15 s to come up, which on a busy machine is too little
        up = next(filter(None, (started(folder, environment, token.read_text()) for _ in range(3))), None)
        assert up is not None, (folder / "log").read_text()
        yield up[1]
        left = ended(up[0])
        print((folder / "log").read_text()[-5_000:])  # pytest shows it where a test failed
        assert not left
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_without_the_token_nothing_is_told(head):
    assert head.answer(None) == 401
    assert head.answer("f" * 64) in (401, 403)
    assert head.answer(head.token) == 200


def test_a_job_that_is_stopped_ends_by_itself_and_does_the_rest_of_the_grid_when_it_is_submitted_again(head):
    """SIGTERM at the first finished trial; nothing that was finished is made again, and the log can be read."""
    assert head.submit("first", LONGER, wait=False).returncode == 0
    until(lambda: head.records("trial"), 600)
    stopped = head.job("stop", "first")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert head.status()["state"] == "interrupted", head.status()
    log = head.log("first")
    interrupted = "interrupted: finished steps are kept; run the same command to continue"
    assert interrupted in log and not NOISE.search(log), log
    kept = {stage: head.records(stage) for stage in STAGES}

    again = head.submit("second", LONGER)
    assert again.returncode == 0, again.stdout + again.stderr
    after = {stage: head.records(stage) for stage in STAGES}
    assert len(after["trial"]) > len(kept["trial"])  # it had something left to do
    assert all(kept[stage].items() <= after[stage].items() for stage in STAGES)

    status = head.status()
    assert status["state"] == "done" and not status["failures"]
    assert set(status["steps"]) == {*STAGES, "quality"}
    assert all(count["done"] == count["total"] for count in status["steps"].values())
    assert (head.storage / "small" / "report.html").exists() and not (head.storage / "ray" / "small").exists()
    log = head.log("second")
    assert re.search(r"generators \d+/\d+   shards \d+/\d+   trials (\d+)/\1\n", log), log
    assert not NOISE.search(log) and len(log.splitlines()) < 60, log
    files = [file.read_text() for suffix in ("json", "html", "yaml") for file in head.storage.rglob(f"*.{suffix}")]
    assert not any(head.token in text for text in (log, *files))
