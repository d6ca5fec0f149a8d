"""The main door, as a user types it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from helpers.grids import COMPARED
from helpers.paths import REPOSITORY, SMALL_GRID

from synaug_ray import grid
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine
from synaug_ray.runs import plan_summary, timings
from synaug_ray.store.store import Store

GRID = str(SMALL_GRID)


def table(storage, name="small"):
    return pd.read_parquet(storage / name / "measurements.parquet").sort_values(["key", "generator"])


def records(storage):
    return {p.relative_to(storage): p.stat().st_mtime_ns for p in (storage / "store" / "records").rglob("*.json")}


def test_a_run_leaves_what_it_promises(small_run):
    left = {p.name for p in (small_run / "small").iterdir()}
    assert left >= {
        "grid.yaml",
        "status.json",
        "measurements.parquet",
        "measurements.csv",
        "predictions.parquet",
        "laws.json",
        "verdict.json",
        "report.html",
        "samples",
        "env.json",
    }
    status = json.loads((small_run / "small" / "status.json").read_text())
    work = status["timeline"]["work"]
    assert {stage for stage, *_ in work} >= {"generator", "shard", "trial"} and len(status["timeline"]["lanes"]) == 1
    ends = [
        (start, start + took) for _, _, start, took in sorted(work, key=lambda piece: piece[2:])
    ]  # starts are rounded: short ones first
    assert all(end <= start + 0.05 for (_, end), (start, _) in zip(ends, ends[1:], strict=False))  # one after another
    assert status["state"] == "done" and status["steps"]["trial"] == {
        "total": 10,
        "done": 10,
        "failed": 0,
        "blocked": 0,
        "pending": 0,
    }
    assert not list((small_run / "store").rglob("*.pkl")) and not (small_run / "store" / "scratch").exists()


def test_predictions_give_the_measured_errors(small_run):
    rows = table(small_run).set_index("key")
    for row in pd.read_parquet(small_run / "small" / "predictions.parquet").itertuples():
        wrong = np.asarray(row.predicted) != np.asarray(row.label)
        assert wrong.mean() == pytest.approx(rows.loc[row.key, "test_error"])
        assert -np.log(np.asarray(row.probability, float)).mean() == pytest.approx(rows.loc[row.key, "test_nll"])


def test_again_does_nothing_and_says_so(small_run, capsys):
    before = records(small_run)
    assert grid.main([GRID, "--storage", str(small_run)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert records(small_run) == before


def test_a_newer_version_makes_the_views_again_and_no_step(small_run, tmp_path, monkeypatch, capsys):
    shutil.copytree(small_run, tmp_path / "s", copy_function=os.link)
    page, before = tmp_path / "s" / "small" / "report.html", records(tmp_path / "s")
    written = page.stat().st_mtime_ns
    monkeypatch.setattr(grid, "CODE", "another")
    assert grid.main([GRID, "--storage", str(tmp_path / "s")]) == 0
    assert "nothing to do:" not in capsys.readouterr().out
    assert page.stat().st_mtime_ns > written and records(tmp_path / "s") == before


def test_one_more_value_runs_exactly_the_new_cells(small_run, tmp_path):
    storage = tmp_path / "storage"
    shutil.copytree(small_run, storage, copy_function=os.link)
    before = records(storage)
    old = table(storage)
    assert grid.main([GRID, "num_real=[20, 40, 60]", "--storage", str(storage), "--local"]) == 0
    after = records(storage)
    assert {k: v for k, v in after.items() if k in before}.keys() == before.keys()
    new = table(storage)
    assert set(old["key"]) < set(new["key"])
    added = new[~new["key"].isin(old["key"])]
    assert set(added["num_real"]) == {60} and len(added) == 4
    kept = new[new["key"].isin(old["key"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[COMPARED], old[COMPARED].reset_index(drop=True))
    made = [Store(f"{storage}/store").record("trial", k).made["session"] for k in new["key"]]
    assert len(set(made)) == 2


def test_dry_run_writes_nothing_and_imports_neither_torch_nor_ray(tmp_path):
    code = (
        "import sys; from synaug_ray import grid; "
        f"code = grid.main([{GRID!r}, '--storage', {str(tmp_path / 's')!r}, '--dry-run']); "
        "assert not {'torch', 'ray'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "s").exists()
    assert [line.split()[:2] for line in done.stdout.splitlines()[2:6]] == [
        ["generators", "6"],
        ["shards", "8"],
        ["qualities", "0"],
        ["trials", "10"],
    ]
    notes = [line for line in done.stdout.splitlines() if line.startswith("note") and "bf16" not in line]  # of this CPU
    assert len(notes) == 2 and "2 sizes of num_real" in notes[0] and "draws: 2" in notes[1]


@pytest.mark.parametrize(
    "words,code,said",
    [
        (["cifar1000"], 2, "no grid 'cifar1000'. Did you mean 'cifar100'?"),
        (["nowhere.yaml"], 2, "no grid file nowhere.yaml"),
        ([GRID, "--name", "../x"], 2, "'../x' is not a run name"),
        ([GRID, "--name", "store"], 2, "'store' is not a run name"),
        (
            [GRID, "--workers-per-generator", "2"],
            2,
            "--workers-per-generator 2 needs Ray: leave out --local, or this option",
        ),
        ([GRID, "--workers-per-generator", "0"], 2, "'0' must be an integer from 1 to"),
        ([GRID, "dras=3"], 2, "unknown key 'dras'. Did you mean 'draws'?"),
        ([GRID, "dataset=cifr10"], 2, "no data set 'cifr10'. Did you mean 'cifar10'?"),
        ([GRID, "num_real=[20, 5000]"], 3, "num_real[1]: 5,000 is too many: the training split has 1,000 images"),
        ([GRID, "dataset=folder:/nowhere/at/all"], 3, "no such folder"),
        (["pneumonia"], 3, "dataset=npz:/path/to/pneumonia-28.npz"),
        (["cifar10-16px"], 3, "dataset=folder:/path/to/cifar10-jpeg"),
        ([GRID, "classifiers=[{family: timm, name: r, model: resnet-18, pack: 1}]"], 2, "Did you mean 'resnet18'?"),
        ([GRID, "generators=[real-holdout]", "num_real=[900]", "blocks=[]"], 3, "only 100 real images are held out"),
    ],
)
def test_a_mistake_is_one_line_and_starts_nothing(words, code, said, tmp_path, capsys):
    storage = tmp_path / "s"
    assert grid.main([*words, "--storage", str(storage), "--local"]) == code
    shown = capsys.readouterr()
    assert said in shown.err and "Traceback" not in shown.err
    assert not storage.exists()


def test_overrides_may_stand_anywhere(tmp_path, capsys):
    assert grid.main(["--storage", str(tmp_path / "s"), GRID, "draws=3", "--dry-run", "seeds=2"]) == 0
    assert "trials           30" in capsys.readouterr().out  # 3 x 2 x (2 sizes x 2 arms + 1 of the block)


def test_all_mistakes_at_once(tmp_path, capsys):
    assert grid.main([GRID, "dras=3", "seeds=0", "generators=[edm-tny]", "--storage", str(tmp_path / "s")]) == 2
    err = capsys.readouterr().err
    assert err.count("error: ") == 3
    for said in ("'draws'", "seeds", "'edm-tiny'"):
        assert said in err


def test_storage_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert grid.main([GRID, "--storage", str(tmp_path / "file" / "s"), "--local"]) == 5
    assert "cannot write to" in capsys.readouterr().err


def test_storage_below_the_working_directory_of_a_job(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    assert grid.main([GRID, "--storage", "runs", "--local"]) == 2
    assert "below the working directory" in capsys.readouterr().err


def test_one_bad_trial_does_not_take_its_pack_down(small, digits, tmp_path, monkeypatch):
    """A bug in one member's images: its companions are measured, it alone is recorded as failed."""
    from synaug_ray.engine.attempt import attempt

    _, plan = small
    store = Store(str(tmp_path / "store"))
    pack = [t for t in plan.trials.values() if t.pool is None][:3]
    bad = pack[1].key
    real = WorkerContext.images

    def images(self, trial):
        if trial.key == bad:
            raise KeyError("no such image")
        return real(self, trial)

    monkeypatch.setattr(WorkerContext, "images", images)
    attempt(WorkerContext(store, digits, Machine()), pack)
    assert store.keys("trial") == {t.key for t in pack} - {bad}
    failure = store.failed("trial")[bad]
    assert failure.cause == "bug" and "no such image" in failure.message and "KeyError" in failure.traceback


@pytest.mark.integration
def test_killed_and_run_again_ends_like_unkilled(small_run, tmp_path):
    """SIGKILL somewhere in the middle; the same command again makes the same table and repeats no record."""
    words = [sys.executable, "-m", "synaug_ray.grid", GRID, "--storage", str(tmp_path), "--local"]
    for least in (2, 9, 15):  # records that must stand before the kill
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY, env=os.environ
        )
        deadline = time.monotonic() + 120
        while len(records(tmp_path) if (tmp_path / "store").exists() else {}) < least:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = records(tmp_path)
    assert grid.main(words[3:]) == 0
    after = records(tmp_path)
    assert {k: after[k] for k in before} == before
    pd.testing.assert_frame_equal(
        table(tmp_path)[COMPARED].reset_index(drop=True), table(small_run)[COMPARED].reset_index(drop=True)
    )


def test_a_dry_run_of_any_grid_gives_time_memory_and_disk(tmp_path, monkeypatch, capsys):
    """Of one for GPUs, of which nothing was ever run, too; the machine's answers are planted."""
    monkeypatch.delenv(timings.OFF)
    monkeypatch.setattr(timings, "_ask", lambda work, shape, limit: {
        entry["key"]: {"seconds": 0.5, "flops": 3e10, "fixed": 1e9, "each": 5e7, "device": "cpu"} for entry in work
    })  # fmt: skip
    monkeypatch.setattr(plan_summary, "free_memory", lambda: 16_000_000_000)
    words = ["cifar100", "--dry-run", "--storage", str(tmp_path / "s"), "--data", str(tmp_path / "cache")]
    assert grid.main(words) == 0
    out = capsys.readouterr().out
    assert "unknown" not in out and "timing a few steps of edm-32px" in out
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if line.strip()}
    assert re.search(r"about \d+ years of one core \(\d+ years to \d+ years\)", lines["in"])
    assert "GPU-hours on an H100-class GPU" in lines["or"] and "assumed 20% of its peak" in lines["or"]
    # 1 GB and 512 images of 50 MB do not fit into nine tenths of 14.8 GB; three times 171 do
    assert lines["memory"].endswith("most of it for edm-32px; 16 GB are free, so its batches are split into 3 parts")
    assert lines["disk"].startswith("disk about")
    assert not (tmp_path / "s").exists()
    assert grid.main([*words, "--no-timing"]) == 0
    assert "(no timing available; the first one gives it)" in capsys.readouterr().out


def test_a_network_that_does_not_fit_is_refused_before_a_local_run(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(timings.OFF)
    monkeypatch.setattr(timings, "_ask", lambda work, shape, limit: {
        entry["key"]: {"seconds": 0.5, "flops": 3e10, "fixed": 1e9, "each": 5e7, "device": "cpu"} for entry in work
    })  # fmt: skip
    for module in (grid, plan_summary):
        monkeypatch.setattr(module, "free_memory", lambda: 1_000_000_000)
    words = ["cifar100", "--local", "--storage", str(tmp_path / "s"), "--data", str(tmp_path / "cache")]
    assert grid.main(words) == 6
    said = capsys.readouterr().err
    assert (
        "edm-32px: one image at a time takes about 2 GB of memory, and 1 GB are free; use a machine with more" in said
    )
    assert not (tmp_path / "s").exists()
