"""Whole runs on an S3 server: the same answer as on a disk, bit for bit; killed, they go on."""

import io
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest
import s3fs
from helpers.paths import SMALL_GRID

from synaug_ray import grid, predict, status
from synaug_ray.plan.step import STAGES
from synaug_ray.report import __main__ as report
from synaug_ray.runs.tables import COSTS
from synaug_ray.store.store import Store

pytestmark = pytest.mark.integration

GRID = str(SMALL_GRID)
TIMES = ["seconds", "cpu_seconds", "cost_seconds", *COSTS, "finished"]  # all other columns are results


@pytest.fixture(scope="module")
def expected(small_run):
    """The small grid on a disk: its table, and what its payloads are."""
    return table((small_run / "small" / "measurements.parquet").read_bytes()), payloads(f"{small_run}/store")


@pytest.fixture
def bare():
    """A file system that shares nothing with the code's."""
    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def table(data):
    rows = pd.read_parquet(io.BytesIO(data)).sort_values(["key", "generator"]).reset_index(drop=True)
    assert set(TIMES) < set(rows.columns) and len(rows.columns) > 15
    return rows.drop(columns=TIMES)


def payloads(url):
    """{stage and key: sizes and checksums}, each file read and verified."""
    store, found = Store(url), {}
    for stage in STAGES:
        for key, record in store.records(stage, store.keys(stage)).items():
            for name in record.files:
                store.read(record, name)
            found[stage, key] = record.files
    return found


def compare(bare, storage, expected):
    pd.testing.assert_frame_equal(
        table(bare.cat_file(f"{storage}/small/measurements.parquet")), expected[0], check_exact=True
    )
    assert payloads(f"{storage}/store") == expected[1]


def command(storage, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "synaug_ray.grid", GRID, "--storage", storage, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def standing(bare, storage):
    """{name: (entity tag, time)} of every Record: neither changes unless it is written again."""
    found = bare.find(f"{storage}/store/records", detail=True)
    return {name: (info["ETag"], info["LastModified"]) for name, info in found.items()}


def test_a_local_run_and_every_door(storage, bare, expected, gate, capsys):
    assert grid.main([GRID, "--storage", storage, "--local"]) == 0
    compare(bare, storage, expected)
    assert f"{storage}/small/report.html" in capsys.readouterr().out
    before = standing(bare, storage)
    spent = gate.during(lambda: grid.main([GRID, "--storage", storage, "--local"]))
    assert "nothing to do: every trial is done" in capsys.readouterr().out
    assert standing(bare, storage) == before and len(spent) < 60 and {method for method, _ in spent} == {"GET"}

    assert status.main([f"{storage}/small"]) == 0
    assert "run        small: done" in capsys.readouterr().out
    bare.rm_file(f"{storage}/small/report.html")
    assert report.main([f"{storage}/small"]) == 0
    assert capsys.readouterr().out.strip() == f"{storage}/small/report.html"
    assert b"</html>" in bare.cat_file(f"{storage}/small/report.html")
    assert predict.main([f"{storage}/small", "--real", "30"]) in (0, 4)  # two sizes are few for a law
    names = {name.removeprefix(f"{storage.removeprefix('s3://')}/") for name in bare.find(storage)}
    assert {name.partition("/")[0] for name in names} == {"store", "small"}  # and nothing beside
    assert {"small/samples/index.json", "small/predictions.parquet", "small/audit.json"} <= names
    assert not [name for name in names if "/failures/" in name or "/scratch/" in name or ".probe" in name]


def test_killed_in_the_middle_it_goes_on_and_writes_nothing_again(storage, bare, expected, gate, capsys):
    process = command(storage, "--local")
    while sum("/records/" in path for method, path in list(gate.requests) if method == "PUT") < 7:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.kill()
    process.communicate()
    before = standing(bare, storage)
    assert 6 <= len(before) < len(expected[1])
    assert status.main([f"{storage}/small"]) == 0 and "small: running" in capsys.readouterr().out
    assert grid.main([GRID, "--storage", storage, "--local"]) == 0
    after = standing(bare, storage)
    assert {name: after[name] for name in before} == before
    compare(bare, storage, expected)


def test_two_drivers_at_once(storage, bare, expected):
    both = [command(storage, "--local") for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    compare(bare, storage, expected)


def test_a_corrupt_object_is_said_and_made_again(storage, bare, expected, caplog):
    assert grid.main([GRID, "--storage", storage, "--local"]) == 0
    store = Store(f"{storage}/store")
    key = sorted(store.keys("trial"))[0]
    record = store.record("trial", key)
    path = f"{store.root}/payload/trial/{key}/{record.attempt}/predictions.safetensors"
    bare.pipe_file(path, bare.cat_file(path)[:-1])
    bare.rm_file(f"{storage}/small/report.html")  # else there is nothing to do
    assert grid.main([GRID, "--storage", storage, "--local"]) == 0  # found before the run, and made again in it
    assert f"records/trial/{key}.json was set aside" in caplog.text
    compare(bare, storage, expected)
    assert store.record("trial", key).attempt != record.attempt
    assert bare.exists(f"{store.root}/records/trial/{key}.{record.attempt}.corrupt")


@pytest.fixture
def short_folder():
    """Of the driver's scratch and of Ray: a unix socket's path may have 107 bytes, and pytest's folders are deep."""
    folder = Path(tempfile.mkdtemp(prefix="syns3"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_ray_run(storage, bare, expected, short_folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(short_folder))
    process = command(storage)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    compare(bare, storage, expected)
    names = bare.find(storage)
    assert {name.removeprefix(f"{storage.removeprefix('s3://')}/").partition("/")[0] for name in names} == {
        "store",
        "small",
    }
    assert not list(short_folder.glob("synaug_ray-*"))
