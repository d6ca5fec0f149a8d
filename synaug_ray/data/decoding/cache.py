"""Decoded data sets on disk, one folder per content key, as uint8 npy files that are memory-mapped.

``<cache>/arrays/<DataIdentity.key>/{train,val,test}_{images,labels,names[,groups]}.npy`` and ``about.json``,
which is written last and holds the size and SHA-256 of the others, and its own key. The folder appears under its name
by one rename. A damaged folder is made again. Losing one costs time, never a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug_ray.common.errors import StorageProblem
from synaug_ray.common.keys import content_key
from synaug_ray.data.decoding.npy_rows import RowWriter, read_runs
from synaug_ray.data.decoding.read_all import Rows
from synaug_ray.data.images import Dataset, Found, ImageSet, joined
from synaug_ray.data.sources.base import SPLITS

# Version of these folders; older ones are decoded again. 2: images whose tags show that they cannot be read correctly
# are refused, and transparent images are drawn on a background. 3: the images' names are kept
FORMAT = 3
STALE = 24 * 3600  # seconds after which leftovers of killed processes are removed


def open_arrays(folder: Path, name: str) -> Dataset | None:
    """The data set in ``folder``, with its images memory-mapped read-only; None if it is missing or damaged.

    Every file is read once to check its SHA-256, which also loads it into the page cache.
    """
    try:
        about = json.loads((folder / "about.json").read_bytes())
        if about.pop("key") != content_key(about) or about["format"] != FORMAT:
            return None
        arrays = {file: _checked(folder / file, **facts) for file, facts in about["files"].items()}
        train, val, test = (ImageSet(arrays[f"{s}_images.npy"], arrays[f"{s}_labels.npy"]) for s in SPLITS)
        groups = tuple(arrays[f"{s}_groups.npy"] for s in SPLITS) if about["groups"] else None
        was = about["found"]
        found = Found(
            tuple((w, h, n) for w, h, n in was["sizes"]),
            was["num_sizes"],
            tuple(was["smallest"]),
            tuple(was["largest"]),
            tuple((mode, n) for mode, n in was["modes"]),
        )
        return Dataset(
            name,
            train,
            val,
            test,
            tuple(about["classes"]),
            groups,
            found,
            tuple(about["dropped"]),
            (*about["notes"], *about["on_pixels"]),
            tuple(arrays[f"{s}_names.npy"] for s in SPLITS),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def reading_of(folder: Path) -> int:
    """The version of the rules for labels, splits and folders by which the arrays in ``folder`` were made."""
    try:
        return int(json.loads((folder / "about.json").read_bytes()).get("reading", 1))
    except (OSError, ValueError):
        return 0


def notes_on_pixels(folder: Path) -> list[str]:
    """The notes of decoding about the arrays in ``folder``."""
    return list(json.loads((folder / "about.json").read_bytes())["on_pixels"])


def amend(folder: Path, **facts: Any) -> None:
    """Change facts in ``about.json`` without changing the arrays; does nothing if the folder cannot be written."""
    with contextlib.suppress(OSError):
        about = json.loads((folder / "about.json").read_bytes()) | facts
        about.pop("key")
        _write_about(folder, about)


def _write_about(folder: Path, about: Mapping[str, Any]) -> None:
    new = folder / f".about.{uuid.uuid4().hex[:8]}.json"
    with new.open("w") as text:
        json.dump({**about, "key": content_key(dict(about))}, text, indent=1)
        text.flush()
        os.fsync(text.fileno())
    new.replace(folder / "about.json")


def _checked(file: Path, size: int, sha256: str) -> NDArray[Any]:
    if file.stat().st_size != size or _sha256(file) != sha256:
        raise ValueError(f"{file} is damaged")
    # a plain array on top of the map: Ray and pickle copy a numpy.memmap, but not a plain array
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _sha256(file: Path) -> str:
    with file.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


@contextlib.contextmanager
def new_arrays(folder: Path, need: int) -> Iterator[Path]:
    """A scratch folder that becomes ``folder`` when the block ends, and is deleted if it fails.

    Args:
        need: lower bound of the bytes that will be written.

    Raises:
        StorageProblem: if it cannot be written, or the disk has too little space.
    """
    scratch = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:12]}"
    try:
        scratch.mkdir(parents=True)
        _sweep(folder.parent)
        free = shutil.disk_usage(scratch).free
        if need > free:
            raise StorageProblem(
                f"the images need {need / 1e9:,.1f} GB in {folder.parent}, which has "
                f"{free / 1e9:,.1f} GB free; free some space, or name another folder with --data",
                code="data-cache-full",
            )
        yield scratch
        damaged = scratch / "damaged"
        with contextlib.suppress(FileNotFoundError):
            folder.rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was faster; its arrays are the same
            scratch.rename(folder)
    except OSError as error:
        raise StorageProblem(
            f"cannot write to {folder.parent} ({error.strerror or error}); name another folder with --data",
            code="data-cache-not-writable",
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def move_arrays(folder: Path, to: Path) -> None:
    """Rename a folder of arrays to another key; if that key has a folder already, it holds the same arrays."""
    try:
        folder.rename(to)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(folder: Path) -> None:
    for left in folder.glob(".*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left, ignore_errors=True)


def write_arrays(
    scratch: Path,
    rows: Mapping[str, Rows],
    to: Mapping[str, NDArray[np.int8]],
    groups: Mapping[str, NDArray[np.int64]] | None,
    about: Mapping[str, Any],
) -> None:
    """Distribute the images of all parts over the splits given by ``to``, in one pass through each file."""
    labels: dict[str, list[NDArray[np.int64]]] = {split: [] for split in SPLITS}
    members: dict[str, list[NDArray[np.int64]]] = {split: [] for split in SPLITS}
    names: dict[str, list[str]] = {split: [] for split in SPLITS}
    with contextlib.ExitStack() as stack:
        out = {split: stack.enter_context(RowWriter(scratch / f"{split}_images.npy")) for split in SPLITS}
        for part, read in rows.items():
            start = 0
            for run in read_runs(read.file):
                place = to[part][start : start + len(run)]
                for number in np.unique(place):
                    out[SPLITS[number]].extend(run[place == number])
                start += len(run)
            for number, split in enumerate(SPLITS):
                labels[split].append(read.labels[to[part] == number])
                names[split] += [read.names[i] for i in np.flatnonzero(to[part] == number)]
                if groups is not None:
                    members[split].append(groups[part][to[part] == number])
            read.file.unlink()
    for split in SPLITS:
        np.save(scratch / f"{split}_labels.npy", np.concatenate(labels[split]))
        np.save(scratch / f"{split}_names.npy", joined(names[split]))
        if groups is not None:
            np.save(scratch / f"{split}_groups.npy", np.concatenate(members[split]))
    files = {file.name: {"size": file.stat().st_size, "sha256": _sha256(file)} for file in sorted(scratch.iterdir())}
    _write_about(scratch, {"format": FORMAT, "groups": groups is not None, "files": files, **about})
