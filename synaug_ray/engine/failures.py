"""Why a step failed, and whether the run retries it: mostly not, because it would fail again.

=============  ======================================================================================
bug, data      not retried: the same step fails the same way. Other steps continue
diverged       the same
collapsed      the same; steps that need the generator are blocked
out of memory  retried once, with the gradients of half batches summed; not if several processes
               train together
storage        retried in the Store, with pauses; full or read-only storage ends the run
preempted      always retried: the cluster restarts workers that died
=============  ======================================================================================

The next run of the command retries every failure.
"""

from __future__ import annotations

import gc
import re
import traceback
from dataclasses import dataclass

import torch

from synaug_ray.common.errors import Collapsed, DataProblem, Diverged, StorageProblem, TooFewKept
from synaug_ray.store.store import Cause, CorruptPayload

# torch's memory errors without a class of their own: the CPU's allocator, cuBLAS, cuDNN
_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|ALLOC_FAILED", re.IGNORECASE)


@dataclass(frozen=True)
class StepError:
    """Why an attempt failed, as text only: an exception's frames would hold the memory that a retry needs."""

    cause: Cause
    message: str
    traceback: str
    lost: bool = False  # whether a file was missing or damaged: its step can be run again


def step_error_of(error: Exception) -> StepError:
    """A caught exception as a StepError."""
    return StepError(
        cause_of(error),
        f"{type(error).__name__}: {error}",
        traceback.format_exc(),
        isinstance(error, (CorruptPayload, FileNotFoundError)),
    )


def cause_of(error: Exception) -> Cause:
    """Classify an exception."""
    if isinstance(error, Diverged):
        return Cause.DIVERGED
    if isinstance(error, (Collapsed, TooFewKept)):
        return Cause.COLLAPSED
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and _MEMORY.search(str(error))
    ):
        return Cause.OUT_OF_MEMORY
    if isinstance(error, (OSError, CorruptPayload, StorageProblem)):
        return Cause.STORAGE
    return Cause.DATA if isinstance(error, DataProblem) else Cause.BUG


def release_memory() -> None:
    """Release memory held by a failed attempt, on the device too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
