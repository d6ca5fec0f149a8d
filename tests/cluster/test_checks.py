"""Whether a cluster can do a run: tables of nodes in, sentences and levels out."""

from dataclasses import replace

import pytest
from helpers.nodes import DRIVER, answering, node

from synaug_ray.cluster.checks import (
    LANES,
    SHOWN,
    WORKER_BYTES,
    Needs,
    bf16,
    memory,
    needs,
    resources,
    sharing,
    versions,
    weights,
    whole_slots,
)
from synaug_ray.common.errors import RESOURCES, STORAGE
from synaug_ray.common.findings import problem


@pytest.mark.parametrize(
    "nodes,slots",
    [
        ([(4, 0)], (4, False)),
        ([(4, 1)], (1, True)),
        ([(2, 8)], (2, True)),  # six GPUs without a core
        ([(0, 8), (64, 0)], (64, False)),  # GPUs and cores, and no node with both: Ray would wait for ever
        ([(1, 2), (8, 1)], (2, True)),
        ([(0, 0), (4, 0)], (4, False)),  # a head that gives nothing
        ([(0.5, 0), (0.5, 0)], (0, False)),  # a core of fractions, none of them whole
        ([(1.5, 0.5)], (1, False)),
        ([(0, 8)], (0, False)),
        ([], (0, False)),
    ],
)
def test_slots_are_whole_on_their_node(nodes, slots):
    assert whole_slots(node(f"n{i}", *has) for i, has in enumerate(nodes)) == slots


@pytest.mark.parametrize(
    "nodes", [[(4, 1)], [(2, 8)], [(0, 8), (64, 0)], [(1, 2), (8, 1)], [(3.5, 0), (1, 0)], [(8, 2), (0, 4), (2, 2)]]
)
def test_some_node_has_room_for_every_slot_that_is_counted(nodes):
    """An oracle of its own: hand the slots out one by one to nodes that still have a whole one."""
    made = [node(f"n{i}", *has) for i, has in enumerate(nodes)]
    count, gpu = whole_slots(made)
    left = [dict(n.resources) for n in made]
    wanted = ("CPU", "GPU") if gpu else ("CPU",)
    for _ in range(count):
        at = next(has for has in left if all(has[r] >= 1 for r in wanted))
        for r in wanted:
            at[r] -= 1
    assert not any(all(has[r] >= 1 for r in wanted) for has in left)


def test_a_cluster_on_which_ray_would_wait_for_ever_is_refused():
    refused = problem(resources([node("head"), node("worker", 0.5, 2)]))
    assert refused is not None and refused.exit_code == RESOURCES
    (said,) = refused.sentences
    assert "head has 0 CPU, 0 GPU, worker has 0.5 CPU, 2 GPU" in said and "wait for ever" in said
    assert "--num-cpus" in said


def test_what_of_a_cluster_is_left_alone_is_noted():
    rows = resources([node("a", 1, 4), node("b", 16)])
    assert [(r.what, r.level) for r in rows] == [("slots", "ok"), ("GPUs", "note"), ("CPUs", "note")]
    assert "1 slot, each a GPU with a CPU core" in rows[0].means and "on a:" in rows[1].means and " b " in rows[2].means
    assert [r.level for r in resources([node("a", 4, 4)])] == ["ok"]
    (cores,) = resources([node("head"), node("b", 2), node("c", 3)])
    assert "5 slots, each a CPU core" in cores.means


def test_a_large_cluster_is_told_in_a_line():
    said = resources([node(f"n{i}", 1) for i in range(100)])[0].means
    assert said.startswith("100 slots") and f"and {100 - SHOWN} more" in said and len(said) < 400


@pytest.mark.parametrize(
    "change,level,said",
    [
        ({"packages": {**DRIVER.packages, "ray": "2.58.0"}}, "problem", "ray 2.60.0 here, 2.58.0 on b"),
        ({"packages": {**DRIVER.packages, "torch": "2.14.1"}}, "problem", "torch 2.14.0 here, 2.14.1 on b"),
        ({"packages": {**DRIVER.packages, "numpy": "2.2.0"}}, "note", "numpy 2.1.0 here, 2.2.0 on b"),
        ({"packages": {"ray": "2.60.0", "numpy": "2.1.0"}}, "problem", "torch 2.14.0 here, none on b"),
        ({"python": "3.12.1"}, "problem", "Python 3.11.4 here, 3.12.1 on b"),
        ({"python": "3.11.9"}, "note", "Python 3.11.4 here, 3.11.9 on b"),
        (
            {"code": "bbb", "folder": "/old"},
            "problem",
            "synaug_ray 0.1.0 here (source aaa in /here/synaug_ray), 0.1.0 (source bbb in /old) on b",
        ),
        ({"version": "0.2.0"}, "problem", "synaug_ray 0.1.0 here"),
        ({"folder": "/copy/of/it"}, None, ""),  # the same source elsewhere: a submitted job's copy
        (
            {"packages": {k: v for k, v in DRIVER.packages.items() if k != "synaug-ray"}},
            None,
            "",
        ),  # there, not installed
        ({}, None, ""),
    ],
)
def test_version_skew_names_both_and_the_node(change, level, said):
    rows = versions(DRIVER, [answering("a"), answering("b", **change)])
    assert [r.level for r in rows] == ([level] if level else [])
    assert all(said in r.means for r in rows)


def test_skew_that_nodes_share_is_one_sentence():
    old = {"packages": {**DRIVER.packages, "ray": "2.58.0", "torch": "2.13.0"}}
    rows = versions(DRIVER, [answering("b", **old), answering("c", **old), answering("d", python="3.10.0")])
    assert len(rows) == 3 and sum("on b, c;" in r.means for r in rows) == 2


def test_a_node_that_cannot_be_asked_is_a_problem():
    silent = node("b", 4, silence="ModuleNotFoundError: No module named 'synaug_ray'")
    (row,) = versions(DRIVER, [answering("a"), silent])
    assert (
        row.level == "problem"
        and row.means.startswith("the software of b is unknown")
        and "No module named" in row.means
    )
    assert "synaug_ray 0.1.0, Python 3.11.4, ray 2.60.0" in row.means


def test_a_path_that_not_all_nodes_share_is_refused():
    nodes = [answering("a"), answering("b", unread="it is not there"), answering("c", unread="it is not there")]
    refused = problem(sharing("/data/runs", "a", nodes))
    assert refused is not None and refused.exit_code == STORAGE
    assert refused.sentences == [
        "/data/runs is not shared by all nodes: a marker written on a was not seen on b, c (it is not there); set "
        "--storage to a folder that all nodes can read and write, or to a URL"
    ]


def test_the_way_back_counts_too():
    refused = problem(
        sharing(
            "/data/runs",
            "a",
            [answering("b", unwritten="Read-only file system"), replace(answering("c"), unseen="it is not there")],
        )
    )
    assert refused is not None and refused.exit_code == STORAGE and len(refused.sentences) == 2
    assert "can be read but not written on b (Read-only file system)" in refused.sentences[0]
    assert "a marker written on c was not seen on a (it is not there)" in refused.sentences[1]


def test_storage_that_all_share_and_storage_that_the_driver_cannot_write():
    assert [r.level for r in sharing("/s", "a", [answering("a"), answering("b")])] == ["ok"]
    assert sharing("/s", "a", [answering("a")]) == []  # alone: nothing to share
    refused = problem(sharing("/s", "a", [answering("a"), answering("b")], "No space left on device"))
    assert refused is not None and refused.exit_code == STORAGE
    assert refused.sentences[0].startswith("cannot write to /s (No space left on device)")


def test_weights_that_nodes_lack_are_refused_with_their_names():
    a, b, c = (
        answering("a"),
        answering("b", missing_files=("/w/dinov2",)),
        answering("c", missing_files=("/w/dinov2", "/w/inception")),
    )
    dinov2, inception = weights([a, b, c, node("silent")])
    assert "/w/dinov2 are missing on b, c" in dinov2.means and "/w/inception are missing on c" in inception.means
    assert problem([dinov2, inception]).exit_code == RESOURCES
    assert weights([a]) == []


def test_memory_by_the_lanes_that_a_node_gets():
    small = replace(node("b", 8), resources={"CPU": 8, "memory": 8e9, "object_store_memory": 2e9})
    (row,) = memory([node("a", 8), small])
    assert row.level == "note"
    assert row.means.startswith(f"b: {8 * LANES} processes need about 24 GB, and Ray found 8 GB free")
    assert WORKER_BYTES == 1e9  # else the numbers above are others
    assert [r.level for r in memory([node("a", 8)])] == ["ok"]
    rows = memory([node("a", 8)], Needs(dataset=30_000_000_000, process=4_000_000_000))
    assert [r.level for r in rows] == ["note", "note"] and "24 processes need about 120 GB" in rows[0].means
    assert "30 GB of an object store of 20 GB" in rows[1].means
    # a node without a GPU gets no lane where there are GPUs
    assert [r.level for r in memory([node("a", 8, 8), replace(small, name="c")])] == ["ok"]


def test_what_a_plan_holds(small):
    _, plan = small
    found = needs(plan, (1, 8, 8))
    assert found == Needs(dataset=40 * 64, process=(40 + 2 * 40) * 64)


@pytest.mark.parametrize(
    "has,gpu,asked,level",
    [
        ([True, True], 0, True, "ok"),
        ([True, False], 0, True, "note"),
        ([True, False], 0, False, "ok"),
        ([False, False], 1, True, None),
        ([None, None], 0, True, None),
    ],
)
def test_bf16_is_noted_where_a_run_would_emulate_it(has, gpu, asked, level):
    nodes = [replace(answering(f"n{i}", bf16=b), resources={"CPU": 4, "GPU": gpu}) for i, b in enumerate(has)]
    assert [r.level for r in bf16(nodes, asked)] == ([level] if level else [])
