"""The cluster does what --local does, bit for bit, and only what is missing."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers.grids import COMPARED
from helpers.paths import SMALL_GRID
from helpers.tiny_weights import frozen, weights_file
from ray.exceptions import ObjectStoreFullError

from synaug_ray import grid
from synaug_ray.cluster import run
from synaug_ray.common.errors import LOST, ResourceProblem
from synaug_ray.store.store import Store

GRID = str(SMALL_GRID)


def table(storage):
    rows = pd.read_parquet(storage / "small" / "measurements.parquet")
    return rows.sort_values(["key", "generator"]).reset_index(drop=True)


def records(storage):
    return {p.relative_to(storage): p.stat().st_mtime_ns for p in (storage / "store" / "records").rglob("*.json")}


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    storage = tmp_path_factory.mktemp("cluster")
    assert grid.main([GRID, "--storage", str(storage)]) == 0
    return storage


@pytest.mark.smoke
def test_equals_local_bit_for_bit(finished, small_run):
    pd.testing.assert_frame_equal(table(finished)[COMPARED], table(small_run)[COMPARED], check_exact=True)
    ours, theirs = (Store(f"{s}/store") for s in (finished, small_run))
    for stage in ("generator", "shard"):
        assert ours.keys(stage) == theirs.keys(stage)
        for key in ours.keys(stage):  # the payloads too: same bytes, same checksums
            assert ours.record(stage, key).files == theirs.record(stage, key).files


@pytest.mark.smoke
def test_scratch_is_gone_and_no_pickle_is_left(finished):
    assert not (finished / "ray" / "small").exists()
    assert not [p for p in finished.rglob("*") if p.suffix in (".pkl", ".pickle", ".pt")]


class Planted:
    """A pickle that leaves a file where it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def test_missing_work_alone_is_done_and_a_failure_blocks_its_descendants_and_nothing_else(cluster, small_run, tmp_path):
    """A shard and two trials taken away, a generator that diverges added: these three are made, to the same bits.

    Nothing else is made again. Nor is what an earlier run left in Ray's scratch, which is pickles, ever read.
    """
    storage = tmp_path / "storage"
    shutil.copytree(small_run, storage, copy_function=os.link)
    scratch = storage / "ray" / "small"
    for folder, names in {
        "trials-x-0": ("tuner.pkl", "trainer.pkl", "trainable.pkl", "searcher-state-x.pkl"),
        "generators-x-0": ("trainer.pkl", "checkpoint_manager_snapshot.json"),
    }.items():
        (scratch / folder).mkdir(parents=True)
        for name in names:
            (scratch / folder / name).write_bytes(pickle.dumps(Planted(tmp_path / "read")))
    before, expected = records(storage), table(storage)
    store = Store(f"{storage}/store")
    pooled, other = sorted(store.keys("trial"), key=lambda key: (not store.record("trial", key).parents, key))[:2]
    shard = next(iter(store.record("trial", pooled).parents))  # a shard that no missing trial needs is not made
    gone = [
        Path("store", "records", s, f"{k}.json") for s, k in (("trial", pooled), ("trial", other), ("shard", shard))
    ]
    for name in gone:
        (storage / name).unlink()
    edm = "{preset: edm-tiny, name: edm, nimg: 640, warmup_nimg: 64, channels: [8, 16]}"
    bad = "{preset: edm-tiny, name: bad, nimg: 640, learning_rate: 1e30}"
    assert grid.main([GRID, f"blocks=[{{num_real: [20], generators: [{edm}, {bad}]}}]", "--storage", str(storage)]) == 4
    after, rows = records(storage), table(storage)
    assert before.keys() <= after.keys() and {k for k in before if before[k] != after[k]} == set(gone)
    assert not (tmp_path / "read").exists()
    blocked = rows["generator"] == "bad"
    assert set(rows.loc[blocked, "status"]) == {"blocked"} and set(rows.loc[~blocked, "status"]) == {"done"}
    good = rows[~blocked].reset_index(drop=True)
    # where some are missing, whole numbers are floats
    pd.testing.assert_frame_equal(good[COMPARED], expected[COMPARED], check_exact=True, check_dtype=False)
    assert {f.cause for f in store.failed("generator").values()} == {"diverged"}


def test_heads_wait_for_their_features_and_equal_those_of_a_local_run(cluster, small_run, tmp_path):
    changes = [f"classifiers=[{json.dumps(frozen(weights_file(tmp_path)))}]", "blocks=[]", "--name", "heads"]
    tables, stores = [], []
    for name, more in (("ray", []), ("local", ["--local"])):
        storage = tmp_path / name
        shutil.copytree(small_run, storage, copy_function=os.link)
        assert grid.main([GRID, *changes, *more, "--no-timing", "--storage", str(storage)]) == 0
        rows = pd.read_parquet(storage / "heads" / "measurements.parquet")
        tables.append(rows.sort_values(["key", "generator"]).reset_index(drop=True)[COMPARED])
        stores.append(Store(f"{storage}/store"))
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    ours, theirs = stores
    keys = ours.keys("features")
    assert keys and keys == theirs.keys("features")
    assert all(ours.record("features", k).files == theirs.record("features", k).files for k in keys)


def test_a_cluster_that_is_gone_is_a_sentence(cluster, tmp_path, monkeypatch, capsys):
    """What its end caused is not told, its end is; and what to do."""

    def caused(*args):
        raise RuntimeError("what it caused")

    monkeypatch.setattr(run, "_run", caused)
    monkeypatch.setattr(run.Watchdog, "unreachable", lambda self: "its head at h:1 does not answer")
    assert grid.main([GRID, "--storage", str(tmp_path)]) == LOST
    said = capsys.readouterr().err
    assert "the Ray cluster was lost (its head at h:1 does not answer): 0 of " in said and "what it caused" not in said
    assert f"steps are done, in {tmp_path}/store. Run the same command to resume" in said
    assert json.loads((tmp_path / "small" / "status.json").read_text())["state"] == "interrupted"


def test_images_that_do_not_fit_into_the_object_store_are_a_sentence(monkeypatch):
    def full(dataset):
        raise ObjectStoreFullError("Failed to put object\n in object store because it is full")

    monkeypatch.setattr(run.ray, "put", full)
    with pytest.raises(ResourceProblem, match="do not fit into Ray's object store .*object-store-memory"):
        run._shared(None)
