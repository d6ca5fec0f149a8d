"""A look at a cluster of one node, and what a grid does with what is found."""

import hashlib
import os
from pathlib import Path

import pytest
from helpers.nodes import answering
from helpers.paths import SMALL_GRID

from synaug_ray import grid
from synaug_ray.cluster import connection, probe
from synaug_ray.cluster.checks import Node
from synaug_ray.common.errors import RESOURCES, STORAGE
from synaug_ray.common.provenance import software

SMALL = str(SMALL_GRID)


def test_every_node_answers_and_nothing_is_left(cluster, tmp_path):
    found = probe.probe_nodes(str(tmp_path / "new" / "storage"), {})
    (node,) = found.nodes
    assert node.name == found.here and node.resources["CPU"] == 2 and not found.unwritten
    assert node.answer is not None and node.answer.software == software()
    assert (node.answer.unread, node.answer.unwritten, node.unseen, node.silence) == ("", "", "", "")
    assert not (tmp_path / "new").exists()  # a look makes no storage
    (tmp_path / "old").mkdir()
    probe.probe_nodes(str(tmp_path / "old"), {})
    assert list((tmp_path / "old").iterdir()) == []


def test_a_marker_that_the_driver_does_not_find_is_removed_by_its_node(cluster, tmp_path, monkeypatch):
    removed = tmp_path / "removed"
    monkeypatch.setattr(probe, "SEEN_SECONDS", 0.1)
    monkeypatch.setattr(probe, "why_unread", lambda url: "it is not there")
    really, driver = probe._remove, os.getpid()

    def remove(folder):  # travels to the node with the task, and there does what it should
        removed.write_text(folder) if os.getpid() == driver else really(folder)

    monkeypatch.setattr(probe, "_remove", remove)
    (node,) = probe.probe_nodes(str(tmp_path), {}, read=lambda url: "").nodes
    assert node.unseen == "it is not there"
    assert not Path(removed.read_text()).exists()  # though the driver removed nothing


def test_storage_that_cannot_be_written_is_told_and_nodes_are_asked_all_the_same(cluster, tmp_path):
    (tmp_path / "file").write_text("")
    found = probe.probe_nodes(str(tmp_path / "file"), {})
    assert "File exists" in found.unwritten or "Not a directory" in found.unwritten
    assert found.nodes[0].answer is not None and found.nodes[0].answer.unread == ""


def test_weights_that_a_node_has_not_are_named(cluster, tmp_path):
    """Of three files one is there, one is not, and one is another than the grid means."""
    content = hashlib.sha256(b"weights").hexdigest()
    for name, there in (("right", b"weights"), ("other", b"others")):
        (tmp_path / name).write_bytes(there)
    files = {str(tmp_path / name): content for name in ("right", "other", "none")}
    (node,) = probe.probe_nodes(str(tmp_path / "storage"), files).nodes
    assert node.answer is not None and node.answer.missing_files == (str(tmp_path / "other"), str(tmp_path / "none"))


def test_a_node_that_cannot_answer_says_why(cluster, tmp_path, monkeypatch):
    def lacks(url):
        raise ModuleNotFoundError("No module named 'synaug_ray'")

    def dies(url):
        os._exit(3)

    assert (
        probe.probe_nodes(str(tmp_path), {}, lacks).nodes[0].silence
        == "ModuleNotFoundError: No module named 'synaug_ray'"
    )
    assert "died" in probe.probe_nodes(str(tmp_path), {}, dies).nodes[0].silence
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def joining(monkeypatch):
    """As in a submitted job; the cluster that is joined is pretended."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    monkeypatch.setattr(connection, "connect", lambda: False)
    monkeypatch.setattr(
        "synaug_ray.runs.lifecycle.open_run", lambda *_: pytest.fail("images are read before it is refused")
    )

    def find(*nodes):
        monkeypatch.setattr(probe, "probe_nodes", lambda storage, files: probe.ClusterProbe(tuple(nodes), "a"))

    return find


def test_a_grid_is_refused_before_images_are_read_with_all_that_is_wrong(joining, tmp_path, capsys):
    joining(
        answering("a", cpu=0, base=software()),
        answering("b", cpu=0, base=software(), unread="it is not there", version="0.0.9"),
    )
    assert grid.main([SMALL, "--storage", str(tmp_path / "s")]) == STORAGE
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") for line in said] == [True] * 3
    assert "no node has a whole CPU core" in said[0] and "0.0.9" in said[1] and "not shared" in said[2]
    assert not (tmp_path / "s").exists()


def test_a_grid_that_ray_would_let_wait_for_ever_is_refused(joining, tmp_path, capsys):
    joining(Node("a", "1", {"GPU": 8.0}), Node("b", "2", {"CPU": 0.5}))
    assert grid.main([SMALL, "--storage", str(tmp_path / "s")]) == RESOURCES
    said = capsys.readouterr().err
    assert "a has 0 CPU, 8 GPU, b has 0.5 CPU, 0 GPU" in said and "--num-cpus 1" in said
