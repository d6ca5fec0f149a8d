"""Writes npy files row by row without knowing their length, and reads them in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MOST = 10**15  # upper bound of the rows of a file, for which the first header reserves space


class RowWriter:
    """An npy file of uint8 rows of one shape. Its header is overwritten at the end, when the length is known.

    Uses plain writes instead of a memory map, so that written data do not stay in this process's memory.
    """

    def __init__(self, file: Path) -> None:
        self._out = file.open("wb")
        self._shape: tuple[int, ...] | None = None
        self._count = self._start = 0

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Append one row, uint8 [...], of the same shape as the rows before."""
        self.extend(rows[None])

    def extend(self, rows: NDArray[np.uint8]) -> None:
        """Append rows, uint8 [N, ...]."""
        if self._shape is None:
            self._shape = rows.shape[1:]
            self._header(MOST)
            self._start = self._out.tell()
        assert rows.shape[1:] == self._shape and rows.dtype == np.uint8
        self._out.write(np.ascontiguousarray(rows).data)
        self._count += len(rows)

    def _header(self, count: int) -> None:
        npy.write_array_header_1_0(
            self._out, {"descr": "|u1", "fortran_order": False, "shape": (count, *(self._shape or ()))}
        )

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._out.seek(0)
            self._header(self._count)
            # numpy reserves space in its headers for a first axis of any length
            assert self._shape is None or self._out.tell() == self._start
        self._out.close()


def read_runs(file: Path, rows: int = 256) -> Iterator[NDArray[np.uint8]]:
    """The rows of an npy file of uint8, in order, up to ``rows`` at a time: uint8 [<= rows, ...]."""
    with file.open("rb") as raw:
        npy.read_magic(raw)
        shape, _, dtype = npy.read_array_header_1_0(raw)
        assert dtype == np.uint8
        each = int(np.prod(shape[1:]))
        for start in range(0, shape[0], rows):
            count = min(rows, shape[0] - start)
            yield np.frombuffer(raw.read(count * each), np.uint8).reshape(count, *shape[1:])
