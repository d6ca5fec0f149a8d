"""Generators that several workers train together: the same images up to rounding, and nothing lost where one fails."""

import os
import signal

import numpy as np
import pytest
from helpers.paths import SMALL_GRID
from helpers.victims import Driver, state
from safetensors.numpy import load

from synaug_ray import grid
from synaug_ray.common.errors import DONE, RESOURCES
from synaug_ray.store.store import Store
from tests.cluster.test_kills import PATIENCE, until

GRID = str(SMALL_GRID)
# one generator, without dropout: what a network draws depends on what goes through it at once
PLAIN = ["draws=1", "blocks.0.generators.0.dropout=0.0"]
TOGETHER = ["--workers-per-generator", "2"]


def pools(store):
    return {
        key: load(store.read(store.record("shard", key), "images.safetensors"))["images"].astype(int)
        for key in sorted(store.keys("shard"))
    }


def test_two_workers_make_what_one_makes(cluster, tmp_path):
    ours, theirs = tmp_path / "two", tmp_path / "one"
    assert grid.main([GRID, *PLAIN, "--storage", str(ours), *TOGETHER]) == 0
    assert grid.main([GRID, *PLAIN, "--storage", str(theirs), "--local"]) == 0
    two, one = Store(str(ours / "store")), Store(str(theirs / "store"))
    learnt = [r for r in two.records("generator", two.keys("generator")).values() if r.result["nimg"]]
    assert len(learnt) == 1 and {r.made["processes"] for r in learnt} == {2}
    assert pools(two).keys() == pools(one).keys()
    for images, expected in zip(pools(two).values(), pools(one).values(), strict=True):
        assert np.abs(images - expected).mean() < 1  # of 255


def test_more_workers_than_slots_are_refused(cluster, tmp_path, capsys):
    assert grid.main([GRID, "--storage", str(tmp_path / "s"), "--workers-per-generator", "3"]) == RESOURCES
    assert "--workers-per-generator 3: the cluster has 2 slots, each a CPU core; ask for 2" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_a_generator_that_fails_is_recorded_once_and_the_next_is_trained(cluster, tmp_path):
    bad = "{preset: edm-tiny, name: bad, nimg: 640, learning_rate: 1e30}"
    good = "{preset: edm-tiny, name: good, nimg: 640}"
    words = [f"blocks=[{{num_real: [20], generators: [{bad}, {good}]}}]", "--storage", str(tmp_path), *TOGETHER]
    assert grid.main([GRID, *words]) == 4
    store = Store(str(tmp_path / "store"))
    failed = store.failed("generator")
    assert len(failed) == 2 and {f.cause for f in failed.values()} == {"diverged"}
    assert len([r for r in store.records("generator", store.keys("generator")).values() if r.result["nimg"]]) == 2


@pytest.mark.slow  # training/test_distributed.py holds what its companion does, test_kills.py that Ray starts another
def test_one_of_two_that_is_killed_costs_no_step(tmp_path):
    driver = Driver(
        GRID, tmp_path / "storage", *PLAIN, "blocks.0.generators.0.nimg=32000", *TOGETHER, log=tmp_path / "log"
    )
    try:
        workers = until(lambda: len(found := driver.playing("train")) == 2 and found, driver)
        os.kill(workers[1].pid, signal.SIGKILL)
        assert driver.wait(PATIENCE) == DONE, driver.log.read_text()[-3000:]
    finally:
        driver.end()
    store = Store(str(tmp_path / "storage" / "store"))
    assert state(tmp_path / "storage", "small") == "done" and not store.failed("generator")
    learnt = [r for r in store.records("generator", store.keys("generator")).values() if r.result["nimg"]]
    assert len(learnt) == 1 and {r.made["processes"] for r in learnt} == {2}
