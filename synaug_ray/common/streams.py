"""Standard streams that are closed or full behave like /dev/null, so that a run does not fail for want of a reader.

A daemon, a service or ``>&-`` starts a process without them: ``sys.stdout`` is then None, and the next file to be
opened gets its descriptor. A stream redirected to a full disk fails at each write.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, TextIO

INPUT, OUTPUT, ERRORS = 0, 1, 2


class LenientWriter(io.FileIO):
    """Writes to a descriptor; after a failed write, drops everything.

    Args:
        raise_broken_pipe: raise BrokenPipeError instead if the reader has gone.
    """

    def __init__(self, descriptor: int, raise_broken_pipe: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._raise_broken_pipe = raise_broken_pipe
        self.refused = ""  # why the first write failed

    def write(self, data: Any, /) -> int:
        while not self.refused:
            try:
                written: int | None = super().write(data)
                if written is not None:
                    return written
                select.select([], [self], [])  # a non-blocking pipe that is full at present
            except OSError as error:
                if self._raise_broken_pipe and isinstance(error, BrokenPipeError):
                    raise
                self.refused = error.strerror or str(error)
        return len(memoryview(data).cast("B"))


def replace_streams() -> LenientWriter | None:
    """Replace this process's standard streams by lenient ones, and return stdout's writer.

    None if stdout is not the process's own, as in a test. Characters that a terminal cannot show are escaped: paths and
    class names may contain some.
    """
    for descriptor in (INPUT, OUTPUT, ERRORS):
        _reserve(descriptor)
    sys.stdin = sys.stdin or open(os.devnull)
    sys.stderr, _ = _lenient(sys.stderr, ERRORS, raise_broken_pipe=False)
    sys.stdout, output = _lenient(sys.stdout, OUTPUT, raise_broken_pipe=True)
    return output


def _reserve(descriptor: int) -> None:
    """Open /dev/null as a closed stream's descriptor: the next file would get it, and Ray's or torch's messages too."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)  # often that very number: the lowest free one is taken
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
        os.set_inheritable(descriptor, True)


def _lenient(stream: TextIO | None, descriptor: int, raise_broken_pipe: bool) -> tuple[TextIO, LenientWriter | None]:
    if stream is None:
        return open(os.devnull, "w"), None
    if not isinstance(stream, io.TextIOWrapper):
        return stream, None
    if not _writes_to(stream, descriptor):  # a test's
        stream.reconfigure(errors="backslashreplace")
        return stream, None
    raw = LenientWriter(descriptor, raise_broken_pipe)
    replacement = io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),  # type: ignore[arg-type]  # unbuffered as by python -u
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return replacement, raw


def _writes_to(stream: io.TextIOWrapper, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError):
        return False
