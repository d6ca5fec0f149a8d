"""A generator's files, as a folder."""

from collections.abc import Mapping
from pathlib import Path


def write_files(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write what is given by relative path into ``folder``, and return it."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
