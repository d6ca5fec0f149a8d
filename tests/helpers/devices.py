"""The device of the compute tests, as ``--device`` says: where a test module has ``DEVICE``, that is what it runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from helpers.pretended_gpu import PretendedGPU, pretended_gpu

CHOICES = ("cpu", "cuda", "pretended")
VARIABLE = "SYNAUG_TEST_DEVICE"  # set by conftest before test modules are imported
_ASKED = os.environ.get(VARIABLE, "cpu")
DEVICE = torch.device("cpu" if _ASKED == "cpu" else "cuda")
_gpu = PretendedGPU()

if _ASKED == "cuda":  # tests compare results, up to rounding of fp32
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False


def absent() -> str | None:
    """Why no test can run on the device that was asked for."""
    return "no CUDA GPU that torch can use" if _ASKED == "cuda" and not torch.cuda.is_available() else None


@contextmanager
def running() -> Iterator[None]:
    """Within it, a pretended GPU exists where one was asked for; the same one for all tests of a process."""
    if _ASKED != "pretended":
        yield
        return
    with pretended_gpu(_gpu):
        yield
