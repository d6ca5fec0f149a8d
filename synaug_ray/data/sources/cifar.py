"""CIFAR-10 and CIFAR-100 read from the published archive, without extracting it.

The batches are Python 2 pickles, and a pickle can call anything. Two guards: the md5 of each file is
compared first, and the unpickler then allows only what is needed to rebuild a uint8 array.

Format: cs.toronto.edu/~kriz/cifar.html, "CIFAR python version".
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_FILE = 1 << 28  # bytes of one file in the archive; the largest is 153,700,000


class NotCifar(ValueError):
    """The bytes are not a CIFAR batch."""


def read_archive(file: Path, folder: str, names: list[str], md5: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The named files of an archive, each a dict with str keys.

    Args:
        folder: the folder of these files inside the archive.
        md5: of each file.

    Raises:
        NotCifar: for a missing file, another md5, or content that is not a batch.
    """
    found = {}
    with tarfile.open(file, "r:gz") as archive:
        for member in archive:  # in one pass: a compressed archive can only be read forwards
            name = member.name.rpartition("/")[2]
            if member.name != f"{folder}/{name}" or name not in names:
                continue
            raw = archive.extractfile(member)
            if raw is None or member.size > MAX_FILE:
                raise NotCifar(f"{member.name} is not a regular file of at most {MAX_FILE:,} bytes")
            found[name] = read_batch(raw.read(), md5[name])
    missing = [name for name in names if name not in found]
    if missing:
        raise NotCifar(f"{', '.join(missing)} missing in {folder}")
    return found


def read_batch(content: bytes, md5: str) -> dict[str, Any]:
    """One file's dict: ``data`` uint8 [N, 3072] (red, green, blue, each row by row), lists of labels and names.

    Raises:
        NotCifar: for another md5, before anything is unpickled, or content that is not a batch.
    """
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise NotCifar(f"the md5 is not {md5}")
    try:
        value = _BatchUnpickler(io.BytesIO(content), encoding="latin1").load()
        if not isinstance(value, dict):
            raise NotCifar(f"a {type(value).__name__} where a dict was expected")
        return {str(key): item.values if isinstance(item, _Array) else item for key, item in value.items()}
    except NotCifar:
        raise
    except Exception as error:  # damaged bytes make an unpickler raise anything
        raise NotCifar(f"damaged ({error})") from None


class _Array:
    """Stands in for numpy's array, whose own ``__setstate__`` crashes on damaged states."""

    values: NDArray[np.uint8]

    def __init__(self, *_: Any) -> None:
        """Numpy's arguments, (ndarray, (0,), b"b"), say nothing; the state does."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        if not isinstance(dtype, _Dtype) or fortran:
            raise NotCifar("an array that is not uint8 in row-major order")
        self.values = np.frombuffer(content.encode("latin-1"), np.uint8).reshape(shape)


class _Dtype:
    """Stands in for numpy's dtype; accepts only uint8."""

    def __init__(self, name: str, *_: Any) -> None:
        if name != "u1":
            raise NotCifar(f"an array of {name!r}; expected 'u1' (uint8)")

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment, which single bytes do not have."""


class _BatchUnpickler(pickle._Unpickler):  # the one in Python: damaged bytes can make the C one allocate 30 GB
    """Builds dicts, lists, numbers, strings and uint8 arrays; refuses everything else."""

    _ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): None,  # only ever an argument of _reconstruct
        ("numpy", "dtype"): _Dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise NotCifar(f"refused to load {module}.{name}: a CIFAR batch needs only numpy's uint8 arrays")
        return self._ALLOWED[module, name]
