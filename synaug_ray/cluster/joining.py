"""Joining a cluster whose workers do not start: a sentence in two minutes instead of a wait for ever.

Measured with Ray 2.60: a node lets its first driver in once its first workers are there, and ``ray.init`` waits for
that within C++, deaf to Ctrl-C. So another process joins first, one that can be ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from synaug_ray.cluster.start import last_error
from synaug_ray.common.errors import ResourceProblem

JOIN_SECONDS = 120.0  # as long as a node has for its answer in the probe
REFUSED = 9  # exit code of the other process, which then says why
TRY = f"""
import os, ray
try:
    ray.init(log_to_driver=False, logging_level="ERROR")
except Exception as error:
    print("\\0", error, flush=True)
    os._exit({REFUSED})
"""


def try_to_join(address: str) -> None:
    """Join the cluster and leave it, in another process.

    Args:
        address: of the cluster, as ``$RAY_ADDRESS`` names it.

    Raises:
        ConnectionError: with what Ray says, where it refuses: asking twice would take twice as long.
        ResourceProblem: where it takes longer than JOIN_SECONDS, with the last words of workers on this machine.
    """
    quiet = subprocess.DEVNULL
    words = [sys.executable, "-c", TRY]
    with subprocess.Popen(
        words, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, text=True, errors="replace"
    ) as other:
        try:
            output, _ = other.communicate(timeout=JOIN_SECONDS)
            if other.returncode == REFUSED:
                raise ConnectionError(output.rpartition("\0")[2].strip())
        except subprocess.TimeoutExpired:
            said = last_words(address)
            why = f"the last one here said: {said}" if said else "see raylet.err in Ray's logs on its nodes"
            raise ResourceProblem(
                f"the workers of the Ray cluster at {address} do not start: it let nobody in for {JOIN_SECONDS:.0f} s; "
                f"{why}. Look at the Python environment and the free memory of its nodes. --local runs without Ray",
                code="no-workers",
            ) from None
        finally:
            other.kill()


def last_words(address: str) -> str:
    """The last error among the words of workers of that cluster's nodes on this machine; empty where there is none."""
    found = (last_error(Path(folder)) for folder in _logs(address))
    return next((said for said in found if said), "")


def _logs(address: str) -> list[str]:
    """Folders of logs of the nodes of that cluster on this machine, as their processes were given them."""
    folders = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if words and os.path.basename(words[0]) == "raylet":
                given = dict(word.split("=", 1) for word in words if "=" in word)
                # by the port: Ray writes 127.0.0.1 and a host's name as the machine's own address
                same = (
                    address == "auto" or address.rpartition(":")[2] == given.get("--gcs-address", "").rpartition(":")[2]
                )
                if same and "--log_dir" in given:
                    folders.append(given["--log_dir"])
    return folders
