"""Folders that the user may not look into, such as another's home after `sudo -u`: a sentence, or it works."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

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


ASKED_BY_NOBODY = f"""
import os, sys
from synaug_ray import audit, compare, grid, predict, status
from synaug_ray.report import __main__ as report
os.setgid({NOBODY}), os.setuid({NOBODY})
for ask, *words in (
    (predict, "closed/run", "--real", "100"),
    (report, "closed/run"),
    (compare, "closed/run"),
    (status, "closed/run"),
    (status, "listed/run"),
    (audit, "parquet:tables", "--data", "mine"),
    (audit, "folder:images", "--data", "mine"),
    (audit, "digits", "--data", "closed"),
    (grid, "smoke", "-n", "--storage", "mine", "--data", "closed"),
    (grid, "closed/grid.yaml", "--storage", "mine", "--data", "mine"),
):
    print(ask.main(words))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_what_lies_in_a_closed_folder_is_not_called_absent() -> None:
    with TemporaryDirectory() as folder:  # others may not look into pytest's own
        here = Path(folder)
        here.chmod(0o755)
        for name in ("closed/run", "listed/run", "mine", "tables/train", "images/train/cat", "images/train/dog"):
            (here / name).mkdir(parents=True)
        (here / "mine").chmod(0o777)
        for name in ("closed/run/status.json", "closed/grid.yaml", "tables/train/a.parquet", "tables/test.parquet"):
            (here / name).touch()
        for name, mode in (("closed", 0o700), ("listed", 0o744), ("tables/train", 0o700), ("images/train/cat", 0o700)):
            (here / name).chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", ASKED_BY_NOBODY],
            cwd=here,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert done.stdout.split() == ["5"] * 5 + ["3", "3", "5", "5", "2"], done.stdout + done.stderr
    assert done.stderr.count("Permission denied") == 8 and done.stderr.count("may not be written to") == 2, done.stderr


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
