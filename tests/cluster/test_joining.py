"""A cluster of two nodes that is there before the commands come: real `ray start`s on the loopback, with a token."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.own_process import environment
from helpers.paths import REPOSITORY

pytestmark = pytest.mark.integration

HOST = "127.0.0.2"  # Ray replaces 127.0.0.1 by the machine's address
START = [
    sys.executable,
    "-m",
    "ray.scripts.scripts",
    "start",
    "--block",
    "--disable-usage-stats",
    "--num-cpus=1",
    "--object-store-memory=150000000",
    f"--node-ip-address={HOST}",
]
PATIENCE = 300  # seconds, on a machine that is swamped


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def write_token(path: Path) -> str:
    path.touch(0o600)
    path.write_text(secrets.token_hex(32))
    return str(path)


@pytest.fixture(scope="module")
def joining() -> Iterator[dict[str, str]]:
    """The environment of a driver that may join."""
    try:
        gcs, dashboard, *agents = free_ports(8)
    except OSError:
        pytest.skip(f"this system has no {HOST}")
    folder = Path(tempfile.mkdtemp(prefix="synray"))  # unix sockets have 107 bytes for a path
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = environment(
        HOME=str(folder),
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN_PATH=write_token(folder / "token"),
        RAY_TMPDIR=str(folder),
        PYTHONPATH=os.pathsep.join(paths),
    )
    parts = ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "runtime-env-agent-port")
    head = [
        *START,
        "--head",
        f"--port={gcs}",
        f"--dashboard-host={HOST}",
        f"--dashboard-port={dashboard}",
        f"--temp-dir={folder}",
    ]
    worker = [*START, f"--address={HOST}:{gcs}"]
    nodes = []
    try:
        for name, words, ports in (("head", head, agents[:3]), ("worker", worker, agents[3:])):
            own = [f"--{part}={port}" for part, port in zip(parts, ports, strict=True)]
            with open(folder / name, "wb") as log:
                nodes.append(subprocess.Popen([*words, *own], env=variables, stdout=log, stderr=log))
            wait_for(folder / name, nodes[-1])
        yield variables | {"RAY_ADDRESS": f"{HOST}:{gcs}"}
    finally:
        for node in reversed(nodes):
            node.send_signal(signal.SIGTERM)
        for node in reversed(nodes):
            node.wait(PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(log: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while b"Ray runtime started" not in log.read_bytes():
        assert time.monotonic() < end and process.poll() is None, log.read_text()
        time.sleep(0.5)


def begun(module: str, *words: object, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, words)],
        env=environment,
        text=True,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code, and all that was printed."""
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert "Traceback" not in said
    return process.returncode, said


LOOK = """
import json, sys
import ray
from synaug_ray.cluster import connection, probe
from synaug_ray.cluster.checks import sharing
from synaug_ray.common.findings import problem

connection.connect()
nodes = connection.nodes()
storage, elsewhere = sys.argv[1:]
here = ray.get_runtime_context().get_node_id()
other = next(n for n in nodes if n.id != here)

def on_another_disk(url):
    if ray.get_runtime_context().get_node_id() == other.id:
        url = url.replace(storage, elsewhere)
    return probe.why_unread(url)

for read in (None, on_another_disk):
    seen = probe.probe_nodes(storage, {}, read)
    refused = problem(sharing(storage, seen.here, seen.nodes))
    print(json.dumps({"here": seen.here, "other": other.name, "said": refused.sentences if refused else [],
                      "code": refused.exit_code if refused else 0}))
"""


def test_a_path_that_one_node_has_on_a_disk_of_its_own_is_found_out(joining, tmp_path):
    (tmp_path / "ours").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LOOK, tmp_path / "ours", tmp_path / "theirs"],
        env=joining,
        text=True,
        cwd=REPOSITORY,
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    shared, unshared = map(json.loads, done.stdout.splitlines())
    assert (shared["code"], shared["said"]) == (0, [])
    assert unshared["code"] == 5 and len(unshared["said"]) == 1
    assert f"a marker written on {unshared['here']} was not seen on {unshared['other']} (" in unshared["said"][0]
    assert [*tmp_path.iterdir()] == [tmp_path / "ours"] and not [*(tmp_path / "ours").iterdir()]


def test_the_doctor_joins_looks_and_leaves_nothing(joining, tmp_path):
    code, text = ended(begun("synaug_ray.doctor", "smoke", "--storage", tmp_path / "s", environment=joining))
    lines = [line.split(maxsplit=2) for line in text.splitlines() if not line.startswith(" ")]
    assert code == 0, text
    said = {what: (level, means) for level, what, means in lines}
    assert said["cluster"][1].endswith("2 nodes") and said["slots"][1].startswith("2 slots, each a CPU core")
    assert said["shared"] == ("ok", "all 2 nodes can read and write it")
    assert said["token"][0] == said["dashboard"][0] == "ok" and "versions" not in said
    assert not (tmp_path / "s").exists()


def test_a_wrong_token_is_a_sentence(joining, tmp_path):
    """Of a run and of the doctor, side by side: each waits twenty seconds for Ray to give up."""
    wrong = joining | {"RAY_AUTH_TOKEN_PATH": write_token(tmp_path / "token")}
    both = [
        begun(module, *words, "--storage", tmp_path / "s", environment=wrong)
        for module, words in (("synaug_ray.grid", ["smoke"]), ("synaug_ray.doctor", []))
    ]
    for process in both:
        code, said = ended(process)
        assert code == 6 and "refused the token" in said and str(tmp_path / "token") in said, said
