"""The device that ``--device`` chooses: test modules with ``DEVICE`` run on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from helpers.simulated_gpu import SimulatedGPU, simulated_gpu

CHOICES = ("cpu", "cuda", "simulated")
VARIABLE = "SYNAUG_TEST_DEVICE"  # set by conftest before test modules are imported
_ASKED = os.environ.get(VARIABLE, "cpu")
DEVICE = torch.device("cpu" if _ASKED == "cpu" else "cuda")
_gpu = SimulatedGPU()

if _ASKED == "cuda":  # tests compare results up to the rounding of fp32
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False


def absent() -> str | None:
    """Why no test can run on the requested device; None if they can."""
    return "no CUDA GPU that torch can use" if _ASKED == "cuda" and not torch.cuda.is_available() else None


@contextmanager
def running() -> Iterator[None]:
    """A context with a simulated GPU, if one was requested; it is the same one for all tests of a process."""
    if _ASKED != "simulated":
        yield
        return
    with simulated_gpu(_gpu):
        yield
