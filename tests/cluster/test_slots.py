"""How a cluster is divided into slots, and a slot into lanes."""

import pytest

from synaug_ray.cluster import connection, slots
from synaug_ray.cluster.slots import Slots
from synaug_ray.common.errors import ResourceProblem


@pytest.mark.parametrize("gpu", [False, True])
def test_lanes_of_a_slot_fit_into_it_together(gpu):
    """No lane can hold what another needs: together they ask for no more than the slot."""
    one = Slots(1, gpu)
    for resource in one.share(slots.TRAINER):
        lanes = (slots.TRAINER, slots.SAMPLER, slots.CLASSIFIER)
        assert sum(one.share(lane)[resource] for lane in lanes) <= 1


def test_more_workers_than_the_machine_has_cores_are_refused_before_a_ray_is_started(monkeypatch):
    monkeypatch.setattr(slots.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(slots.os, "cpu_count", lambda: 2)
    slots.check_workers_per_generator(2)
    with pytest.raises(ResourceProblem, match="--workers-per-generator 3: the machine has 2 slots, each a CPU core"):
        slots.check_workers_per_generator(3)


def test_slots_of_a_cluster_without_room_are_a_sentence(monkeypatch):
    def listed(*resources):
        monkeypatch.setattr(
            connection.ray,
            "nodes",
            lambda: [
                {"Alive": alive, "NodeManagerHostname": "host", "NodeID": f"{i}" * 40, "Resources": r}
                for i, (alive, r) in enumerate(resources)
            ],
        )

    listed((True, {"CPU": 0.0}), (False, {"CPU": 64.0}))
    with pytest.raises(ResourceProblem, match="host has 0 CPU"):
        slots.available_slots()
    listed((True, {"CPU": 2.0, "GPU": 1.0}), (True, {"CPU": 8.0}))
    assert slots.available_slots() == Slots(1, True)
    assert [n.name for n in connection.nodes()] == ["host 000000", "host 111111"]
