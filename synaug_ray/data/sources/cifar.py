"""CIFAR-10 and CIFAR-100 out of the published archive, without unpickling and without unpacking.

The batches are Python 2 pickles. A pickle is a program; of its instructions this reader follows the
few that build dicts, lists, numbers, strings and one kind of array, and it calls nothing: what a
pickle would call is recorded as a name and looked up among three. Everything else is refused. The
archive's md5 is compared before that. (A restricted ``pickle.Unpickler`` would be shorter, but it
runs numpy's own constructors on what the file says.)

Format: cs.toronto.edu/~kriz/cifar.html, "CIFAR python version".
"""

from __future__ import annotations

import hashlib
import pickletools
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_FILE = 1 << 28  # bytes of one file in the archive; the largest is 153,700,000
_MARK = object()
_CALLED = {f"{module} _reconstruct" for module in ("numpy.core.multiarray", "numpy._core.multiarray")} | {
    "numpy ndarray",
    "numpy dtype",
}


class NotCifar(ValueError):
    """The bytes are no batch of CIFAR."""


@dataclass
class _Called:
    """What the pickle would call, and what it was given instead."""

    name: str
    arguments: Any = None
    state: Any = None


def read_archive(file: Path, folder: str, names: list[str], md5: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The named files of an archive, each a dict with str keys.

    Args:
        folder: that the files lie in, inside the archive.
        md5: of each file; one that differs is refused.
    """
    found = {}
    with tarfile.open(file, "r:gz") as archive:
        for member in archive:  # in one pass: a compressed archive can only be read forwards
            name = member.name.rpartition("/")[2]
            if member.name != f"{folder}/{name}" or name not in names:
                continue
            raw = archive.extractfile(member)
            if raw is None or member.size > MAX_FILE:
                raise NotCifar(f"{member.name} is no regular file of at most {MAX_FILE:,} bytes")
            found[name] = read_batch(raw.read(), md5[name])
    missing = [name for name in names if name not in found]
    if missing:
        raise NotCifar(f"{', '.join(missing)} missing in {folder}")
    return found


def read_batch(content: bytes, md5: str) -> dict[str, Any]:
    """One file's dict: ``data`` uint8 [N, 3072] (red, green, blue, each row by row), lists of labels and names."""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise NotCifar(f"the md5 is not {md5}")
    value = _plain(_follow(content))
    if not isinstance(value, dict):
        raise NotCifar(f"a {type(value).__name__} where a dict was expected")
    return value


def _follow(content: bytes) -> Any:
    reader = _Reader()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                break
            reader.follow(opcode.name, argument)
        (value,) = reader.stack
    except NotCifar:
        raise
    except (ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
        raise NotCifar(f"damaged ({error})") from None
    return value


class _Reader:
    """A pickle's stack and memo; each instruction that a batch needs is a method or a constant."""

    _CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "MARK": _MARK}
    _PUSHED = ("BININT", "BININT1", "BININT2", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE")

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def follow(self, name: str, argument: Any) -> None:
        if name in self._CONSTANTS:
            self.stack.append(self._CONSTANTS[name])
        elif name in self._PUSHED:
            self.stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            self.stack.append({} if name == "EMPTY_DICT" else [])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self.stack.append(tuple(self._popped(int(name[-1]))))
        elif name == "TUPLE":
            self.stack.append(tuple(self._since_mark()))
        elif name in ("APPEND", "APPENDS"):
            items = self._popped(1) if name == "APPEND" else self._since_mark()
            self.stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._popped(2) if name == "SETITEM" else self._since_mark()
            self.stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "GLOBAL":
            if argument not in _CALLED:
                raise NotCifar(f"{argument} is called, which no batch needs")
            self.stack.append(_Called(argument))
        elif name == "REDUCE":
            called, arguments = self._popped(2)
            if not isinstance(called, _Called):
                raise NotCifar("something is called that is no name")
            self.stack.append(_Called(called.name, arguments))
        elif name == "BUILD":
            (state,) = self._popped(1)
            if not isinstance(self.stack[-1], _Called):
                raise NotCifar("a state is given to what has none")
            self.stack[-1].state = state
        elif name != "PROTO":
            raise NotCifar(f"the instruction {name}, which no batch needs")

    def _popped(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise NotCifar("the stack is empty")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _since_mark(self) -> list[Any]:
        at = max(i for i, value in enumerate(self.stack) if value is _MARK)
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items


def _plain(value: Any) -> Any:
    """Arrays for what would have made arrays; only at the top and one level down, where they lie."""
    if isinstance(value, dict):
        return {str(key): _array(item) if isinstance(item, _Called) else item for key, item in value.items()}
    return value


def _array(value: _Called) -> NDArray[np.uint8]:
    """numpy's pickled form: ``_reconstruct(ndarray, ...)`` with the state (1, shape, dtype, order, bytes)."""
    try:
        _, shape, dtype, fortran, content = value.state
        if dtype.name != "numpy dtype" or dtype.arguments[0] != "u1" or fortran:
            raise NotCifar("an array that is not of bytes, row by row")
        return np.frombuffer(content.encode("latin-1"), np.uint8).reshape(shape)
    except (AttributeError, TypeError, ValueError, IndexError, UnicodeError) as error:
        raise NotCifar(f"an array that is damaged ({error})") from None
