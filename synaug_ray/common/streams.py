"""Standard streams that are closed or full: like /dev/null, so that a run does not end because nobody can read it.

A daemon, a service or ``>&-`` leaves a process without them: Python's own are then None, and the next file that is
opened takes their number. On a disk that is full a write fails.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, TextIO

INPUT, OUTPUT, ERRORS = 0, 1, 2


class Forgiving(io.FileIO):
    """Writes to a descriptor, and drops what it does not take. Only a reader that is gone is an error, on request."""

    def __init__(self, descriptor: int, tell_of_readers: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._tell_of_readers = tell_of_readers
        self.refused = ""  # why the first write failed

    def write(self, data: Any, /) -> int:
        while not self.refused:
            try:
                written: int | None = super().write(data)
                if written is not None:
                    return written
                select.select([], [self], [])  # a pipe that does not block, and is full for now
            except OSError as error:
                if self._tell_of_readers and isinstance(error, BrokenPipeError):
                    raise
                self.refused = error.strerror or str(error)
        return len(memoryview(data).cast("B"))


def mend() -> Forgiving | None:
    """Put streams that write anyway in place of this process's; None where they are not its own, as in a test.

    Characters that a terminal cannot show are escaped: paths and class names may have some.
    """
    for descriptor in (INPUT, OUTPUT, ERRORS):
        _hold(descriptor)
    sys.stdin = sys.stdin or open(os.devnull)
    sys.stderr, _ = _mended(sys.stderr, ERRORS, tell_of_readers=False)
    sys.stdout, output = _mended(sys.stdout, OUTPUT, tell_of_readers=True)
    return output


def _hold(descriptor: int) -> None:
    """Keep the number of a closed stream from the next file, into which Ray's or torch's own messages would go."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)  # often that number already: it is the lowest that is free
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
        os.set_inheritable(descriptor, True)


def _mended(stream: TextIO | None, descriptor: int, tell_of_readers: bool) -> tuple[TextIO, Forgiving | None]:
    if stream is None:
        return open(os.devnull, "w"), None
    if not isinstance(stream, io.TextIOWrapper):
        return stream, None
    if not _writes_to(stream, descriptor):  # a test's
        stream.reconfigure(errors="backslashreplace")
        return stream, None
    raw = Forgiving(descriptor, tell_of_readers)
    mended = io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),  # type: ignore[arg-type]  # as python -u makes its own
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return mended, raw


def _writes_to(stream: io.TextIOWrapper, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError):
        return False
