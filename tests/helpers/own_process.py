"""Runs a script of these tests in its own process, with its own Ray: pytest's process already has a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from helpers.paths import REPOSITORY, TESTS


def environment(**variables: str) -> dict[str, str]:
    """The tests' own environment for another Ray, without the variables of their own one.

    Ray gives its workers niceness 15: with that, beside another worker of pytest, they would hardly start.
    """
    return {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"RAY_worker_niceness": "0"} | variables


def last_line_of(script: str, *words: object, folder: Path, limit: float = 600, **variables: str) -> Any:
    """What a script prints as JSON in its last line.

    Args:
        folder: for Ray's token.
        limit: seconds, after which the script has failed.
        variables: of its environment, in addition to the tests' own.
    """
    (folder / "token").write_text("0123456789abcdef" * 4)
    own = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(TESTS))),
    }
    done = subprocess.run(
        [sys.executable, "-m", f"helpers.{script}", *map(str, words)],
        cwd=REPOSITORY,
        env=environment(**variables, **own),
        capture_output=True,
        text=True,
        timeout=limit,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
