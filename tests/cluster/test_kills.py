"""A run and what can befall it: killed workers, a killed driver, a killed raylet, another driver beside it."""

import json
import signal
import time

import pytest
from helpers.paths import SMALL_GRID
from helpers.victims import Driver, attempts, state, table

from synaug_ray import grid
from synaug_ray.common.errors import DONE, LOST

GRID = str(SMALL_GRID)
LONGER = ["classifiers.0.nimg=60000"]
MORE = "draws=10"  # so that both drivers find work
RAYS_OWN = 1  # Ray ends a driver so that touches a dead node's object store before we have told it to end
PATIENCE = 600.0  # for what takes 20 s on two idle cores


def until(happens, driver):
    """Wait for something to happen while the driver runs."""
    end = time.monotonic() + PATIENCE
    while not (found := happens()):
        assert driver.process.poll() is None and time.monotonic() < end, driver.log.read_text()[-3000:]
        time.sleep(0.05)
    return found


@pytest.fixture
def start(tmp_path):
    drivers = []

    def begin(*words, **variables):
        log = tmp_path / f"{len(drivers)}.log"
        drivers.append(Driver(GRID, tmp_path / "storage", *LONGER, *words, log=log, **variables))
        return drivers[-1]

    yield begin
    for driver in drivers:
        driver.end()


@pytest.mark.integration
def test_whatever_is_killed_the_same_command_goes_on_to_the_same_bits(start, tmp_path):
    storage, stood = tmp_path / "storage", {}

    def note():
        """What stands before a blow: none of it may be made again."""
        stood.update({k: a for k, a in attempts(storage).items() if k not in stood})

    first = start()  # three kills: two workers, and the driver itself
    for part in ("tune", "train"):
        victim = until(lambda part=part: first.playing(part), first)[0]
        note()
        victim.kill()
    until(lambda: attempts(storage), first)
    first.family()
    note()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()

    second = start()  # at once, while what is left of the first one dies
    raylet = until(lambda: second.playing("train") and second.playing("raylet"), second)[0]
    note()
    raylet.kill()
    code, said = second.wait(PATIENCE), second.log.read_text()
    assert first.left(120.0) == []  # two of Ray's agents look a minute for its head, which went with the driver
    assert second.left(120.0) == [] and "Traceback" not in said
    if code == RAYS_OWN:
        assert "Raylet is terminated" in said and state(storage, "small") == "running"
    else:
        assert code == LOST and state(storage, "small") == "interrupted"
        assert "the Ray cluster was lost" in said and "Run the same command" in said

    # and this one is without a home, and its temporary folder is too deep for sockets (test_start.py)
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    away = {"HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none", "TMPDIR": str(deep)}
    last = start("--data", str(tmp_path / "cache"), **away)
    assert last.wait(2 * PATIENCE) == DONE, last.log.read_text()[-3000:]
    assert last.left() == [] and state(storage, "small") == "done"
    after = attempts(storage)
    assert stood and {k for k, a in stood.items() if after.get(k) != a} == set()
    assert grid.main([GRID, *LONGER, "--storage", str(tmp_path / "quiet"), "--local"]) == DONE
    assert table(tmp_path / "quiet", "small").equals(table(storage, "small"))


@pytest.mark.slow  # store/remote/test_s3_grid.py has two drivers without Ray
def test_two_drivers_on_rays_of_their_own_share_the_work(start, tmp_path):
    both = [start(MORE), start(MORE)]
    for driver in both:
        assert driver.wait(2 * PATIENCE) == DONE, driver.log.read_text()[-3000:]
    storage = tmp_path / "storage"
    assert [driver.left() for driver in both] == [[], []] and state(storage, "small") == "done"
    assert grid.main([GRID, *LONGER, MORE, "--storage", str(tmp_path / "quiet"), "--local"]) == DONE
    assert table(tmp_path / "quiet", "small").equals(table(storage, "small"))
    records = (storage / "store" / "records").rglob("*.json")
    sessions = {json.loads(path.read_text())["made"]["session"] for path in records}
    assert len(sessions) == 2  # each did a part
