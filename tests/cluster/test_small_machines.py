"""Small machines: no lane waits for ever for what another holds; pools larger than the object store pass through."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from victims import table

from synaug_ray import grid

HERE = Path(__file__).resolve().parent
GRID = str(HERE.parent / "small.yaml")
SEVERAL = ["draws=4", "blocks.0.num_real=[20, 40]"]  # generators enough for more Trainers than there are cores
LIMIT = 600  # s: it takes 60 on an idle core, and never ends in a deadlock

pytestmark = pytest.mark.slow


def on(machine, storage, grid_file, *words):
    """Run a grid on a machine of so many CPUs, GPUs and megabytes of object store; what was in use of the last."""
    (storage.parent / "token").write_text("0123456789abcdef" * 4)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(storage.parent / "token")}
    done = subprocess.run([sys.executable, str(HERE / "small_machine.py"), *map(str, machine), str(grid_file), *words,
                           "--storage", str(storage)], cwd=HERE.parent.parent, env=environment, capture_output=True,
                          text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    storage = tmp_path_factory.mktemp("local")
    assert grid.main([GRID, *SEVERAL, "--storage", str(storage), "--local"]) == 0
    return table(storage, "small")


@pytest.mark.parametrize("machine", [(1, 0, 100), (2, 0, 100), (2, 1, 100)], ids=["1 CPU", "2 CPUs", "1 GPU"])
def test_everything_finishes_on(machine, undisturbed, tmp_path):
    on(machine, tmp_path / "storage", GRID, *SEVERAL)
    assert table(tmp_path / "storage", "small").equals(undisturbed)


LARGE = """dataset: npz:{images}
num_real: [1000]
synthetic_multiples: [0, 10]
generators: [duplicate]
classifiers: [{{preset: mlp, nimg: 640, pack: 1, widths: [8]}}]
sampler: {{preset: dpmpp-8, shard_size: 256}}
draws: 2
seeds: 1
quality_draws: 0
replicates: 0
"""


def test_pools_nine_times_the_cap_pass_through_an_object_store_that_could_not_hold_them(tmp_path):
    """240 MB of pools; an object store of 104 MB of which shards may keep a quarter, 26 MB, and the data set has 18.

    Ray Data takes up to a half of it for blocks on their way; 59 MB in all were seen. Above 80% Ray spills.
    """
    rng = np.random.default_rng(0)
    counts = {"train": 1_050, "val": 200, "test": 200}
    arrays = {f"{split}_images": rng.integers(0, 256, (n, 64, 64, 3), dtype=np.uint8) for split, n in counts.items()}
    arrays |= {f"{split}_labels": np.arange(n)[:, None] % 2 for split, n in counts.items()}
    np.savez(tmp_path / "noise.npz", **arrays)
    (tmp_path / "large.yaml").write_text(LARGE.format(images=tmp_path / "noise.npz"))
    used = on((2, 0, 104), tmp_path / "storage", tmp_path / "large.yaml")
    assert len(table(tmp_path / "storage", "large")) == 4
    data = sum(counts.values()) * 64 * 64 * 3
    assert used["spilled"] == 0 and data < used["peak"] < data + (26 << 20) + (52 << 20), used
