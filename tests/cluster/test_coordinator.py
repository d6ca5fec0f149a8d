"""The shared ledger: bookings that survive a restart, and blocks under a cap."""

import time

import ray

from synaug_ray.cluster.coordinator import Ledger


def test_a_worker_that_starts_anew_gets_its_step_back(cluster):
    ledger = Ledger.remote(1_000, ["a", "b", "c"])
    assert ray.get(ledger.take.remote(0, True)) == "a"
    assert ray.get(ledger.take.remote(1, True)) == "b"
    assert ray.get(ledger.take.remote(0, True)) == "a"  # it died and was started again
    assert ray.get(ledger.take.remote(0, False)) == "c"
    assert ray.get(ledger.take.remote(1, False)) is None


def test_blocks_stay_under_the_cap_least_recently_used_first(cluster):
    ledger = Ledger.remote(100, [])
    blocks = {name: ray.put(name) for name in "abcd"}
    for name in "abc":
        ray.get(ledger.put.remote(name, [blocks[name]], 40))
    assert ray.get(ledger.held.remote()) == 80
    assert ray.get(ledger.get.remote("a")) == []
    assert ray.get(ray.get(ledger.get.remote("b"))[0]) == "b"  # now c is the older one
    ray.get(ledger.put.remote("d", [blocks["d"]], 40))
    assert ray.get(ledger.get.remote("c")) == [] and ray.get(ledger.get.remote("b"))


def test_a_ledger_that_died_comes_back_with_all_generators_booked(cluster):
    ledger = Ledger.remote(100, ["a", "b"])
    assert ray.get(ledger.take.remote(0, True)) == "a" and ray.get(ledger.begin.remote("a")) == 1
    ray.kill(ledger, no_restart=False)
    time.sleep(3)  # a call may still reach the one that is dying
    assert ray.get(ledger.take.remote(1, True), timeout=60) == "a"  # the Store is asked before it is begun
    assert [ray.get(ledger.begin.remote("a")) for _ in range(2)] == [1, 2]


def test_lanes_of_one_kind_take_the_gpus_of_their_node_in_turn(cluster):
    ledger = Ledger.remote(100, [], {"here": ("0", "1", "5"), "there": ("0",)})
    lanes = ("trainer",) * 3 + ("sampler", "trainer", "sampler")
    assert [ray.get(ledger.seat.remote("here", lane, str(i))) for i, lane in enumerate(lanes)] == [
        "0", "1", "5", "0", "0", "1"]
    assert ray.get(ledger.seat.remote("here", "trainer", "1")) == "1"  # it died and was started again
    assert ray.get(ledger.seat.remote("there", "trainer", "9")) == "0"
    assert ray.get(ledger.seat.remote("elsewhere", "trainer", "9")) is None
