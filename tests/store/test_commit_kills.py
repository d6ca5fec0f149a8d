"""SIGKILL at each point of a commit, in a process that dies of it: a step is done or it is not, never half."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import REPOSITORY, TESTS

from synaug_ray.config.presets import GENERATORS
from synaug_ray.plan.steps import GeneratorStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.store.maintenance import sweep
from synaug_ray.store.store import Store

STEP = GeneratorStep(Subset(DataIdentity("digits", "fp"), 40, 1), GENERATORS["edm-tiny"])
PAYLOAD = {"a.safetensors": b"A" * 100_000, "b.json": b"{}"}
POINTS = ("before the temporary file", "in the write", "before fsync", "before the rename", "after the rename")
FILES = 3  # two of payload, then the Record: each is written once, one after another
# The commit in a process of its own, which kills itself at the n-th passage of a point; nothing of this is in the code.
WRAPPER = """
import builtins, io, os, signal, sys
sys.path.insert(0, {tests!r})
from store.test_commit_kills import PAYLOAD, POINTS, STEP
from synaug_ray.store.store import Store

def run(root, point, nth):
    passed = [0]
    def here(name):
        if name == point:
            passed[0] += 1
            if passed[0] == nth:
                os.kill(os.getpid(), signal.SIGKILL)
    real_open, real_fsync, real_replace = builtins.open, os.fsync, os.replace
    class Torn(io.FileIO):
        def write(self, data):
            done = super().write(bytes(data)[:len(data) // 2])
            here("in the write")
            return done + super().write(bytes(data)[done:])
    def opening(path, mode="r", *args, **kwargs):
        if str(path).endswith(".tmp"):
            here("before the temporary file")
            return Torn(path, "wb")
        return real_open(path, mode, *args, **kwargs)
    def fsync(fd):
        here("before fsync")
        real_fsync(fd)
    def replace(source, target):
        here("before the rename")
        real_replace(source, target)
        here("after the rename")
    builtins.open, os.fsync, os.replace = opening, fsync, replace
    Store(root).commit(STEP, {{"loss": 0.5}}, PAYLOAD, {{}})

for i, point in enumerate(POINTS):
    for nth in range(1, {files} + 1):
        pid = os.fork()  # from a process without threads
        if pid == 0:
            run(f"{{sys.argv[1]}}/{{i}}-{{nth}}", point, nth)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A Store for each point and file, left by a process that was killed there."""
    root = tmp_path_factory.mktemp("killed")
    code = WRAPPER.format(tests=str(TESTS), files=FILES)
    subprocess.run([sys.executable, "-c", code, str(root)], check=True, cwd=REPOSITORY)
    return root


@pytest.mark.parametrize("nth", range(1, FILES + 1), ids=["payload 1", "payload 2", "Record"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_in_a_commit(killed, point, nth):
    store = Store(f"{killed}/{POINTS.index(point)}-{nth}")
    done = (point, nth) == ("after the rename", FILES)
    assert store.has(STEP) is done and store.keys("generator") == ({STEP.key} if done else set())
    assert not list(Path(store.root).rglob("*.json.tmp")) and not store.failed("generator")
    record = store.commit(STEP, {"loss": 0.25}, PAYLOAD, {})  # the same command again
    assert {name: store.read(record, name) for name in PAYLOAD} == PAYLOAD
    assert store.record("generator", STEP.key).result == {"loss": 0.5 if done else 0.25}  # the first Record stays
    sweep(store, str(killed / "no run"))
    young = [p for p in Path(store.root).rglob(".*.tmp")]
    assert len(young) == (point in POINTS[1:4])  # it may be another driver's
    sweep(store, str(killed / "no run"), older_than=-1)
    left = sorted(str(p.relative_to(store.root)) for p in Path(store.root).rglob("*") if p.is_file())
    assert left == sorted(
        [
            f"records/generator/{STEP.key}.json",
            *(f"payload/generator/{STEP.key}/{record.attempt}/{name}" for name in PAYLOAD),
        ]
    )


def test_a_sweep_leaves_what_stands_and_what_is_young(tmp_path):
    store = Store(str(tmp_path / "store"))
    record = store.commit(STEP, {}, PAYLOAD, {})
    run = tmp_path / "run"
    run.mkdir()
    for path in (run / ".0.tmp", tmp_path / "store" / ".probe-x", run / ".report.html.abc", run / "notes.txt"):
        path.write_text("x")
        os.utime(path, (0, 0))
    orphan = tmp_path / "store" / "payload" / "generator" / ("0" * 32) / "attempt"
    orphan.mkdir(parents=True)
    os.utime(orphan, (0, 0))
    young = tmp_path / "store" / "payload" / "generator" / ("1" * 32) / "attempt"
    young.mkdir(parents=True)
    for file in Path(store.root).rglob("*.safetensors"):
        os.utime(file.parent, (0, 0))
    assert sweep(store, str(run)) == 4
    assert not orphan.exists() and young.exists() and (run / "notes.txt").exists()
    assert store.read(record, "a.safetensors") == PAYLOAD["a.safetensors"]
    assert json.loads(Path(store.root, "records", "generator", f"{STEP.key}.json").read_text())["key"] == STEP.key
