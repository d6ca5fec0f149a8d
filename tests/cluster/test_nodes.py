"""Several nodes, of one machine: everything finishes, on more than one of them, and to the bits of --local."""

import pytest
from helpers.own_process import last_line_of
from helpers.paths import SMALL_GRID

from synaug_ray import grid
from synaug_ray.store.store import Store

GRID = str(SMALL_GRID)


def on_three_nodes(fate, storage, tmp_path, *words):
    """Run the grid, and how it went: worker's process id to node, and what stood when a node was lost."""
    told = last_line_of("several_nodes", fate, GRID, *words, "--storage", storage, folder=tmp_path)
    return {int(pid): node for pid, node in told["nodes"].items()}, told["stood"]


def nodes_at_work(storage, local, node_of):
    """The nodes that made what stands, all of which has to be as ``--local`` makes it, bit for bit."""
    there, here = (Store(str(path / "store")) for path in (storage, local))
    nodes = set()
    for stage in ("generator", "shard", "trial"):
        assert there.keys(stage) == here.keys(stage) != set()
        for key in here.keys(stage):
            record = there.record(stage, key)
            assert record.files == here.record(stage, key).files  # sizes and checksums: the same bytes
            nodes.add(node_of.get(record.made["pid"]))
    return nodes - {None}


@pytest.mark.slow  # with a node lost, below, the same holds
def test_three_nodes_do_what_one_process_does(tmp_path):
    node_of, _ = on_three_nodes("keep", tmp_path / "nodes", tmp_path)
    assert grid.main([GRID, "--storage", str(tmp_path / "local"), "--local"]) == 0
    nodes = nodes_at_work(tmp_path / "nodes", tmp_path / "local", node_of)
    assert len(nodes) > 1, nodes


@pytest.mark.integration
def test_a_node_that_goes_away_takes_nothing_with_it(tmp_path):
    words = ["draws=4", "classifiers.0.nimg=60000"]
    node_of, stood = on_three_nodes("lose", tmp_path / "nodes", tmp_path, *words)
    assert grid.main([GRID, *words, "--storage", str(tmp_path / "local"), "--local"]) == 0
    nodes = nodes_at_work(tmp_path / "nodes", tmp_path / "local", node_of)
    total = sum(len(Store(str(tmp_path / "local" / "store")).keys(s)) for s in ("generator", "shard", "trial"))
    assert len(stood) == 1 and stood[0] < total and nodes & {0, 1}
