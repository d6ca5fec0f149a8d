"""A storage that takes no more: the run ends with exit code 5 and says where; the same command afterwards completes."""

import errno
import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
from helpers.paths import REPOSITORY, SMALL_GRID

from synaug_ray import grid
from synaug_ray.common.errors import StorageProblem
from synaug_ray.engine import execute, local
from synaug_ray.store.retry import refusal_in
from synaug_ray.store.store import Store

GRID = str(SMALL_GRID)
LONG = "blocks=[{num_real: [20], generators: [{preset: edm-tiny, name: edm, nimg: 4800, channels: [8, 16]}]}]"
WORDS = [GRID, LONG, "num_real=[20]", "draws=1", "replicates=0", "--local", "--storage"]


@pytest.mark.integration
@pytest.mark.parametrize(
    "code,reason",
    [(errno.ENOSPC, "No space left on device"), (errno.EROFS, "Read-only file"), (errno.EACCES, "Permission denied")],
)
@pytest.mark.parametrize(
    "where", ["/payload/shard/", "/records/trial/", "/scratch/generator/", "measurements.parquet", "report.html"]
)
def test_a_write_that_is_refused_ends_the_run(tmp_path, monkeypatch, capsys, where, code, reason):
    """At a payload, a Record, a checkpoint, a table, the page: nothing half-written counts, and what stood stands."""
    if code != errno.ENOSPC and where != "/payload/shard/":
        pytest.skip("the same way through the code")
    monkeypatch.setattr(execute, "CHECKPOINT_SECONDS", 0.0)
    real = os.replace

    def replace(source, target):
        if where in str(target):
            raise OSError(code, os.strerror(code))
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        assert grid.main([*WORDS, str(tmp_path)]) == 5
    err = capsys.readouterr().err
    (line,) = [part for part in err.splitlines() if part.startswith("error: ")]
    assert reason in line and "are free there" in line and str(tmp_path) in line and "run the same command" in line
    assert where in line or where == "report.html"
    assert "Traceback" not in err
    assert json.loads((tmp_path / "small" / "status.json").read_text())["state"] == "interrupted"
    store = Store(f"{tmp_path}/store")
    for stage in ("generator", "shard", "trial"):
        assert not store.failed(stage)
        for record in store.records(stage, store.keys(stage)).values():
            assert all(store.read(record, name) for name in record.files)
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".tmp")]
    assert grid.main([*WORDS, str(tmp_path)]) == 0
    assert set(pd.read_parquet(tmp_path / "small" / "measurements.parquet")["status"]) == {"done"}


@pytest.mark.integration
def test_a_real_disk_that_is_full(tmp_path):
    """1,500 kB hold the plan's steps and not the page; with more room the same command completes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = " ".join(f"'{word}'" for word in (sys.executable, "-m", "synaug_ray.grid", *WORDS, str(disk)))
    script = (
        f"mount -t tmpfs -o size=1500k tmpfs '{disk}' || exit 99; {command}; echo first=$?; "
        f"mount -o remount,size=100m '{disk}'; {command}; echo second=$?"
    )
    try:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, cwd=REPOSITORY, env=os.environ
        )
    except FileNotFoundError:
        pytest.skip("no unshare on this machine")
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("only root may mount a disk, and not in every container")
    assert "first=5" in done.stdout and "second=0" in done.stdout, done.stdout + done.stderr
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr


def test_folders_without_permission_are_found_before_any_training(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "store"))
    closed = tmp_path / "store" / "records" / "trial"
    closed.mkdir(parents=True)
    store.check_writable()
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(closed))  # root may write anywhere
    with pytest.raises(
        StorageProblem, match=rf"cannot write to {closed}: no permission, or read-only; change the permissions"
    ):
        store.check_writable()


def test_a_refusal_is_found_however_deep():
    """As Ray hands it on: a cause of a cause, or one of a worker's failures."""
    full = OSError(errno.ENOSPC, "No space left on device", "/disk/x")
    outer = RuntimeError("a task failed")
    outer.__cause__ = ValueError("a worker failed")
    outer.__cause__.cause = full
    assert "cannot write /disk/x (No space left on device" in str(refusal_in(outer, "/run"))
    group = RuntimeError("workers failed")
    group.worker_failures = {0: StorageProblem("full")}
    assert str(refusal_in(group, "/run")) == "full"
    assert refusal_in(RuntimeError("a bug"), "/run") is None
    assert "/run" in str(refusal_in(OSError(errno.EROFS, "Read-only file system"), "/run"))


@pytest.mark.parametrize("number,code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_end_a_run_in_order_and_are_told_apart(tmp_path, monkeypatch, capsys, number, code):
    """143 is what a shell and Kubernetes call the end by SIGTERM, 130 the one by Ctrl-C."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(local, "run_local", lambda *args: os.kill(os.getpid(), number))
    try:
        assert grid.main([*WORDS, str(tmp_path)]) == code
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "run the same command to continue" in capsys.readouterr().err
    assert json.loads((tmp_path / "small" / "status.json").read_text())["state"] == "interrupted"
