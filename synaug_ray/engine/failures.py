"""Why a step failed, and what that deserves within the run: most nothing, because it would fail again.

=============  ======================================================================================
bug, data      no second try: the same step fails the same way. The rest goes on
diverged       the same
collapsed      the same; what needs the generator is blocked
out of memory  one second try, with the batch in halves whose gradients add up; none where several
               processes train together
storage        tried again below, in the Store, with pauses; a full or read-only storage ends the run
preempted      always again: the cluster starts a worker that died anew
=============  ======================================================================================

Every failure is tried again by the next run of the command.
"""

from __future__ import annotations

import gc
import re
import traceback
from dataclasses import dataclass

import torch

from synaug_ray.common.errors import Collapsed, DataProblem, Diverged, StorageProblem, TooFewKept
from synaug_ray.store.store import Cause, CorruptPayload

# what torch says of memory in errors of no class of their own: the CPU's allocator, cuBLAS, cuDNN
_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|ALLOC_FAILED", re.IGNORECASE)


@dataclass(frozen=True)
class StepError:
    """Why a try failed, as text alone: an exception's frames would hold the memory that a second try needs."""

    cause: Cause
    message: str
    traceback: str
    lost: bool = False  # whether a file was missing or damaged, so that what was in it can be made again


def step_error_of(error: Exception) -> StepError:
    """An exception, caught, as a StepError."""
    return StepError(
        cause_of(error),
        f"{type(error).__name__}: {error}",
        traceback.format_exc(),
        isinstance(error, (CorruptPayload, FileNotFoundError)),
    )


def cause_of(error: Exception) -> Cause:
    """The cause of a failure."""
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


def free_memory() -> None:
    """Give back what a failed try held, on the device too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
