"""Several nodes, of one machine: everything finishes, on more than one of them, and to the bits of --local."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synaug_ray import grid
from synaug_ray.store import Store

HERE = Path(__file__).resolve().parent
GRID = str(HERE.parent / "small.yaml")

pytestmark = pytest.mark.slow


def test_three_nodes_do_what_one_process_does(tmp_path):
    (tmp_path / "token").write_text("0123456789abcdef" * 4)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}
    done = subprocess.run([sys.executable, str(HERE / "several_nodes.py"), GRID, "--storage", str(tmp_path / "nodes")],
                          cwd=HERE.parent.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert grid.main([GRID, "--storage", str(tmp_path / "local"), "--local"]) == 0
    there, here = (Store(str(tmp_path / name / "store")) for name in ("nodes", "local"))
    node_of = {int(pid): node for pid, node in json.loads(done.stdout.splitlines()[-1]).items()}
    nodes = set()
    for stage in ("generator", "shard", "trial"):
        assert there.keys(stage) == here.keys(stage) != set()
        for key in here.keys(stage):
            record = there.record(stage, key)
            assert record.files == here.record(stage, key).files  # sizes and checksums: the same bytes
            nodes.add(node_of.get(record.made["pid"]))
    assert len(nodes - {None}) > 1, nodes
