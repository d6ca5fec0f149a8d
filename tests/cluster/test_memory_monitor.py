"""Ray's memory monitor for real: its threshold is a little over what the machine uses, and one classifier is huge."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from helpers.own_process import environment
from helpers.paths import REPOSITORY

from synaug_ray.common.errors import FAILED_CELLS
from synaug_ray.store.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.alone]

ROOM = 5 << 30  # bytes, for Ray, torch in each worker, and all that is not huge: some 3 GB
HUGE = 24_000  # a layer of so many squared is 2.3 GB, its gradient another, the optimiser's moments two more
GRID = f"""
dataset: digits
num_real: [20]
synthetic_multiples: [0, 1]
generators: [duplicate]
classifiers:
  - {{preset: mlp, nimg: 3200, pack: 4}}
  - {{preset: mlp, name: huge, widths: [{HUGE}, {HUGE}], nimg: 128, pack: 1}}
draws: 1
seeds: 1
replicates: 50
quality_draws: 0
training_check: {{draws: 0}}
"""


def test_what_does_not_fit_is_recorded_and_takes_nothing_with_it(tmp_path):
    memory = psutil.virtual_memory()
    if memory.available < ROOM + (10 << 30):
        pytest.skip("needs 15 GB of free memory")
    (tmp_path / "huge.yaml").write_text(GRID)
    folder = Path(tempfile.mkdtemp(prefix="synmem"))  # short: a unix socket's path may have 107 bytes
    threshold = (memory.total - memory.available + ROOM) / memory.total
    variables = environment(HOME=str(folder), RAY_TMPDIR=str(folder), RAY_memory_usage_threshold=f"{threshold:.3f}")
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "synaug_ray.grid",
                str(tmp_path / "huge.yaml"),
                "--storage",
                str(tmp_path / "storage"),
            ],
            cwd=REPOSITORY,
            env=variables,
            capture_output=True,
            text=True,
            timeout=900,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    said = done.stdout + done.stderr
    assert done.returncode == FAILED_CELLS and "Traceback" not in said, said
    store = Store(str(tmp_path / "storage" / "store"))
    failed = store.failed("trial")
    assert {f.cause for f in failed.values()} == {"out of memory"} and len(failed) == 2, (failed, said)
    assert len(store.keys("trial")) == 2 and f"{len(failed)} out of memory" in said
