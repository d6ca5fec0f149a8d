"""A server that is overloaded, resets connections, or goes away for a while or for good."""

import threading

import pytest
import s3fs
from helpers.paths import SMALL_GRID

from synaug_ray import grid
from synaug_ray.common.errors import StorageProblem
from synaug_ray.config.presets import GENERATORS
from synaug_ray.plan.steps import GeneratorStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.store import filesystem
from synaug_ray.store.store import Store

GRID = str(SMALL_GRID)
GENERATOR = GeneratorStep(Subset(DataIdentity("digits", "fp"), 40, 1), GENERATORS["edm-tiny"])


@pytest.fixture
def store(storage):
    return Store(f"{storage}/store")


@pytest.mark.parametrize("fault", ["slow down", "cut"])
def test_what_fails_in_passing_is_repeated(store, gate, fault):
    """Every second request fails: a commit and what follows are as if none had."""
    gate.faults += [fault, ""] * 20
    record = store.commit(GENERATOR, {"x": 1}, {"a": b"A" * 100}, {})
    assert store.keys("generator") == {GENERATOR.key} and store.read(record, "a") == b"A" * 100
    gate.faults.clear()


def test_a_server_that_comes_back_within_a_minute(store, gate):
    """Gone for 5 s in the middle of a commit, as in a restart: nobody notices."""
    gate.closed = True
    back = threading.Timer(5, lambda: setattr(gate, "closed", False))
    back.start()
    requests = gate.during(lambda: store.commit(GENERATOR, {}, {"a": b"A"}, {}))
    assert len([path for method, path in requests if method == "PUT" and "/payload/" in path]) > 1
    assert store.has(GENERATOR)


@pytest.fixture
def hasty(monkeypatch):
    """Gives up after two attempts, so that a test need not wait for ten."""
    monkeypatch.setattr(filesystem, "ATTEMPTS", 2)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)


def test_a_server_that_stays_away_is_told(hasty, store, gate, storage):
    store.commit(GENERATOR, {}, {"a": b"A"}, {})
    record = store.record("generator", GENERATOR.key)
    gate.closed = True
    for ask in (
        lambda: store.keys("generator"),
        lambda: store.record("generator", GENERATOR.key),
        lambda: store.read(record, "a"),
        lambda: store.save_scratch(GENERATOR, "s", b""),
        lambda: store.commit(GENERATOR, {}, {}, {}),
        lambda: store.fail(GENERATOR, "bug", "", ""),
    ):
        with pytest.raises(StorageProblem, match=rf"cannot (read|write to) {storage}/store \(.*run the same command"):
            ask()
    gate.closed = False
    assert store.read(record, "a") == b"A"  # not set aside: that nobody answered says nothing of the payload


def test_the_users_own_patience_goes_first(storage, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    assert open_config(storage) == {}
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    assert open_config(storage) == {"retries": {"mode": "standard", "total_max_attempts": filesystem.ATTEMPTS}}


def open_config(url):
    return filesystem.open_url(url)[0].config_kwargs


def test_a_run_whose_server_goes_away_ends_in_a_line_and_goes_on_later(hasty, storage, gate, capsys):
    """In the middle of a --local run, for good; the same command does the rest when it is back."""
    gate.closes_after = "/records/trial/"
    assert grid.main([GRID, "--storage", storage, "--local"]) == 5
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and "cannot" in said[0] and "run the same command to continue" in said[0]
    gate.closes_after, gate.closed = "", False
    stood = set(Store(f"{storage}/store").keys("trial"))
    assert stood  # it ended in the middle, not before its first step
    assert grid.main([GRID, "--storage", storage, "--local"]) == 0
    assert stood <= Store(f"{storage}/store").keys("trial")
