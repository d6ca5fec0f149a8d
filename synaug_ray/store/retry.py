"""What to do when a file system refuses: wait and retry, or end the run, because nothing can be written."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from synaug_ray.common.errors import StorageProblem, nested_exceptions
from synaug_ray.store.disk import free_bytes, size

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
PAUSES = (0.5, 2.0, 8.0)  # seconds before another try at what may pass; a network's hiccup is over by then
Value = TypeVar("Value")


class StorageRefused(StorageProblem):
    """The storage takes no more (full, read-only, no permission): the run cannot keep anything, and ends."""


def with_retries(action: Callable[[], Value], what: str) -> Value:
    """What ``action`` returns; retried if the error may be temporary.

    Args:
        what: the action in words: "read PATH" or "write PATH".

    Raises:
        StorageRefused: where waiting changes nothing, with the path and what is free.
        OSError: any other, and the last one that did not pass.
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
    """A lasting refusal to "read PATH" or "write PATH", in a sentence."""
    free = free_bytes(what.partition(" ")[2])
    room = "" if free is None else f"; {size(free)} are free there"
    return StorageRefused(
        f"cannot {what} ({error.strerror}{room}). Finished steps are kept: free some space or "
        "change the permissions, then run the same command to continue"
    )


def refusal_in(error: BaseException, where: str) -> StorageProblem | None:
    """The refusal behind an error, however deep: what other libraries raise holds it as cause, context or part.

    Args:
        where: what is written there, for a refusal that names no path.
    """
    for part in nested_exceptions(error):
        if isinstance(part, StorageProblem):
            return part
        if isinstance(part, OSError) and part.errno in LASTING:
            return refused(part, f"write {part.filename or where}")
    return None
