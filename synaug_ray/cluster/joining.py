"""Joining a cluster whose workers do not start: an error after two minutes instead of waiting for ever.

Measured with Ray 2.60: a node admits its first driver once its first workers have started, and ``ray.init`` waits for
that in C++ code that ignores Ctrl-C. So another process, which can be killed, joins first.
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

JOIN_SECONDS = 120.0  # the same as a node's timeout in the probe
REFUSED = 9  # exit code of the other process if it could not join; it has then printed why
TRY = f"""
import os, ray
try:
    ray.init(log_to_driver=False, logging_level="ERROR")
except Exception as error:
    print("\\0", error, flush=True)
    os._exit({REFUSED})
"""


def try_to_join(address: str) -> None:
    """Join the cluster and leave it again, in another process.

    Args:
        address: of the cluster, as in ``$RAY_ADDRESS``.

    Raises:
        ConnectionError: with Ray's message, if Ray refuses; joining here as well would take as long again.
        ResourceProblem: if it takes longer than JOIN_SECONDS, with the last error of workers on this machine.
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
            why = f"the last error on this machine: {said}" if said else "see raylet.err in Ray's logs on its nodes"
            raise ResourceProblem(
                f"the workers of the Ray cluster at {address} do not start: it admitted no driver for "
                f"{JOIN_SECONDS:.0f} s; {why}. Check the Python environment and the free memory of its nodes. --local "
                "runs without Ray",
                code="no-workers",
            ) from None
        finally:
            other.kill()


def last_words(address: str) -> str:
    """The last error in the output of workers of that cluster's nodes on this machine; empty if there is none."""
    found = (last_error(Path(folder)) for folder in _logs(address))
    return next((said for said in found if said), "")


def _logs(address: str) -> list[str]:
    """Log folders of that cluster's nodes on this machine, from the arguments of their processes."""
    folders = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if words and os.path.basename(words[0]) == "raylet":
                given = dict(word.split("=", 1) for word in words if "=" in word)
                # compared by port: Ray replaces 127.0.0.1 and host names by the machine's own address
                same = (
                    address == "auto" or address.rpartition(":")[2] == given.get("--gcs-address", "").rpartition(":")[2]
                )
                if same and "--log_dir" in given:
                    folders.append(given["--log_dir"])
    return folders
