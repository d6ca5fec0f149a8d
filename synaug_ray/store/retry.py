"""What to do about a file system's errors: wait and retry, or end the run if nothing can be written any more."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from synaug_ray.common.errors import StorageProblem, nested_exceptions
from synaug_ray.common.text import size
from synaug_ray.store.disk import free_bytes

LASTING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})  # waiting does not help
PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ECONNRESET,
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EMFILE,
        errno.ENFILE,
    }
)
PAUSES = (0.5, 2.0, 8.0)  # seconds before each retry of an error that may be temporary, such as a network hiccup
Value = TypeVar("Value")


class StorageRefused(StorageProblem):
    """The storage cannot be written to (full, read-only, no permission), so the run ends."""


def with_retries(action: Callable[[], Value], what: str) -> Value:
    """Call ``action``, with retries if the error may be temporary, and return its result.

    Args:
        what: the action in words: "read PATH" or "write PATH".

    Raises:
        StorageRefused: for an error that waiting does not cure, with the path and the free space.
        OSError: any other error; a temporary one after the last retry.
    """
    for pause in (*PAUSES, None):
        try:
            return action()
        except OSError as error:
            if error.errno in LASTING:
                raise refused(error, what) from error
            if pause is None or error.errno not in PASSING:
                raise
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def refused(error: OSError, what: str) -> StorageRefused:
    """A permanent error at "read PATH" or "write PATH" as a StorageRefused."""
    free = free_bytes(what.partition(" ")[2])
    room = "" if free is None else f"; {size(free)} are free there"
    return StorageRefused(
        f"cannot {what} ({error.strerror}{room}). Finished steps are kept: free some space or "
        "change the permissions, then run the same command to continue"
    )


def refusal_in(error: BaseException, where: str) -> StorageProblem | None:
    """The storage error nested in another library's exception (``nested_exceptions``), if any.

    Args:
        where: the storage, for the message of an error without a path.
    """
    for part in nested_exceptions(error):
        if isinstance(part, StorageProblem):
            return part
        if isinstance(part, OSError) and part.errno in LASTING:
            return refused(part, f"write {part.filename or where}")
    return None
