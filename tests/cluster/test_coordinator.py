"""The shared ledger: bookings that survive a restart, and blocks under a cap."""

import time

import ray

from synaug_ray.cluster.coordinator import Coordinator


def test_a_worker_that_starts_anew_gets_its_step_back(cluster):
    coordinator = Coordinator.remote(1_000, ["a", "b", "c"])
    assert ray.get(coordinator.take.remote(0, True)) == "a"
    assert ray.get(coordinator.take.remote(1, True)) == "b"
    assert ray.get(coordinator.take.remote(0, True)) == "a"  # it died and was started again
    assert ray.get(coordinator.take.remote(0, False)) == "c"
    assert ray.get(coordinator.take.remote(1, False)) is None


def test_blocks_stay_under_the_cap_least_recently_used_first(cluster):
    coordinator = Coordinator.remote(100, [])
    blocks = {name: ray.put(name) for name in "abcd"}
    for name in "abc":
        ray.get(coordinator.put.remote(name, [blocks[name]], 40))
    assert ray.get(coordinator.held.remote()) == 80
    assert ray.get(coordinator.get.remote("a")) == []
    assert ray.get(ray.get(coordinator.get.remote("b"))[0]) == "b"  # now c is the older one
    ray.get(coordinator.put.remote("d", [blocks["d"]], 40))
    assert ray.get(coordinator.get.remote("c")) == [] and ray.get(coordinator.get.remote("b"))


def test_a_ledger_that_died_comes_back_with_all_generators_booked(cluster):
    coordinator = Coordinator.remote(100, ["a", "b"])
    assert ray.get(coordinator.take.remote(0, True)) == "a" and ray.get(coordinator.begin.remote("a")) == 1
    ray.kill(coordinator, no_restart=False)
    time.sleep(3)  # a call may still reach the one that is dying
    assert ray.get(coordinator.take.remote(1, True), timeout=60) == "a"  # the Store is asked before it is begun
    assert [ray.get(coordinator.begin.remote("a")) for _ in range(2)] == [1, 2]


def test_lanes_of_one_kind_take_the_gpus_of_their_node_in_turn(cluster):
    coordinator = Coordinator.remote(100, [], {"here": ("0", "1", "5"), "there": ("0",)})
    lanes = ("trainer",) * 3 + ("sampler", "trainer", "sampler")
    assert [ray.get(coordinator.assign_gpu.remote("here", lane, str(i))) for i, lane in enumerate(lanes)] == [
        "0",
        "1",
        "5",
        "0",
        "0",
        "1",
    ]
    assert ray.get(coordinator.assign_gpu.remote("here", "trainer", "1")) == "1"  # it died and was started again
    assert ray.get(coordinator.assign_gpu.remote("there", "trainer", "9")) == "0"
    assert ray.get(coordinator.assign_gpu.remote("elsewhere", "trainer", "9")) is None
