"""A working directory that the user may not search, such as another's home after `sudo -u`: a sentence, or it works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import REPOSITORY

NOBODY = 65534
AS_NOBODY = f"""
import os, sys
from synaug_ray import audit, grid  # before: the interpreter may lie where only its owner looks
os.chdir(sys.argv[1])
os.setgid({NOBODY}), os.setuid({NOBODY})
print(grid.main(["no-such-grid", "--storage", "s", "--data", "c"]))
for file in ("out.json", "no/out.json"):
    print(audit.main(["digits", "--data", "c", "--json", file]))
print(audit.main(["folder:images", "--data", "c"]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_working_directory_that_may_not_be_searched(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(tmp_path / "closed")],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert done.stdout.split() == ["2", "5", "5", "5"], done.stdout + done.stderr
    assert "no grid 'no-such-grid'" in done.stderr and "Available: atlas/blood" in done.stderr
    assert done.stderr.count("name a file in a folder that you may write to") == 2
