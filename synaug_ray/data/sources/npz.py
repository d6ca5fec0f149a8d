"""``npz:FILE`` in MedMNIST's layout: ``{train,val,test}_images`` uint8 [N, H, W(, 3)], ``_labels`` int [N(, 1)].

Images are streamed from the archive in blocks of rows and never unpickled. Header sizes are checked
against the archive's directory before memory is allocated.
"""

from __future__ import annotations

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from synaug_ray.common.errors import DataProblem, Message
from synaug_ray.common.text import one_line, printable, some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.sources.base import SPLITS, Part, Sample, Source, is_missing, missing_splits, without_labels
from synaug_ray.data.sources.npz_checks import image_problem, label_problems, split_name_problems

MAX_HEADER = 10_000  # characters; numpy's own limit, whose parser is slow on longer ones
MAX_LABELS = 1 << 30  # bytes of an array read in one piece
RUN_BYTES = 1 << 24  # of images read at a time
# what zipfile, zlib and numpy raise for damaged or hostile archives
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    OverflowError,
    MemoryError,
    SyntaxError,
    RecursionError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
)


@dataclass(frozen=True)
class Member:
    """An array in an archive, with its validated header."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool


def open_npz(file: Path, options: DataOptions, names: Sequence[str] | None = None) -> Source:
    """The arrays of an archive as parts.

    Args:
        names: class names, if known; otherwise their numbers are used.

    Raises:
        DataProblem: with everything wrong in the arrays.
    """
    at = printable(str(file))
    try:
        held, members = _members(file, options.group)
        notes = _unused(file, held, members, options.group)
    except UNREADABLE as error:
        raise DataProblem(replace(_unreadable(error), place=at)) from None
    problems: list[Message] = []
    parts: dict[str, Part] = {}
    labels: dict[str, NDArray[np.int64]] = {}
    problems += missing_splits(options, [s for s in SPLITS if f"{s}_images" in members], "the file")
    problems += split_name_problems(held)
    for split in SPLITS:
        if split in options.leave_out:
            continue
        images, label = members.get(f"{split}_images"), members.get(f"{split}_labels")
        if split == "train" and (images is None or label is None):
            text = f"no train_images or train_labels; it has {some(held) or 'nothing'}"
            problems.append(Message(text, code="no-train-split"))
        elif images is None and label is None:
            continue
        elif images is None or label is None:
            there, lacking = ("labels", "images") if images is None else ("images", "labels")
            remedy = f"; {without_labels(split)}" if lacking == "labels" else ""
            text = f"it has {split}_{there} but no {split}_{lacking}{remedy}"
            problems.append(Message(text, code="missing-array", value=f"{split}_{lacking}"))
        else:
            wrong = image_problem(images.name, images.shape, images.dtype)
            problems += [wrong] if wrong else []
            of = _labels(label, problems)
            if of is None:
                continue
            if not len(of) or images.shape[:1] != of.shape:
                text = f"{split} has {images.shape[0] if images.shape else 0:,} images and {len(of):,} labels"
                problems.append(Message(text, code="unequal-lengths"))
            groups = None if options.group is None else _groups(members, f"{split}_{options.group}", len(of), problems)
            labels[split] = of
            parts[split] = _part(images, of, groups)
    if not problems:
        problems += label_problems(labels, len(names) if names else None)
    if problems:
        raise DataProblem([replace(problem, place=at) for problem in problems])
    count = len(names) if names else 1 + max(int(of.max()) for of in labels.values())
    return Source(tuple(names or map(str, range(count))), parts, notes=notes)


def _members(file: Path, group: str | None) -> tuple[list[str], dict[str, Member]]:
    """All array names in an archive, and the arrays that make up the data set."""
    wanted = {f"{split}_{what}" for split in SPLITS for what in ("images", "labels", group)}
    with file.open("rb") as raw:
        if raw.read(6) == b"\x93NUMPY":
            raise DataProblem(
                f"{printable(str(file))} is a single array (.npy); expected an .npz with train_images and train_labels",
                code="data-layout",
            )
    with zipfile.ZipFile(file) as archive:
        infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        found = {}
        for name in sorted(wanted & infos.keys()):
            with archive.open(infos[name]) as raw:
                found[name] = _member(file, name, raw, infos[name].file_size)
        return list(infos), found


def _unused(file: Path, held: Sequence[str], members: Mapping[str, Member], group: str | None) -> tuple[str, ...]:
    """A note about arrays that hold a whole number or a text for each training image: they may name groups."""
    labels, found = members.get("train_labels"), []
    if group is not None or labels is None or not labels.shape:
        return ()
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in members or not name.startswith("train_") or name not in held:
                continue
            try:
                with archive.open(info) as raw:
                    member = _member(file, name, raw, info.file_size)
            except UNREADABLE:  # it is not asked for
                continue
            if member.dtype.kind in "iuUS" and math.prod(member.shape) == labels.shape[0]:
                found.append(name)
    if not found:
        return ()
    first = found[0].removeprefix("train_")
    return (
        f"array {some(found)} is not read; if it says which images belong together (a patient, a scene), set "
        f"data.group: {printable(first)}",
    )


def _member(file: Path, name: str, raw: IO[bytes], size: int) -> Member:
    shape, fortran, dtype, start = _header(raw)
    if dtype.hasobject:
        raise ValueError(f"{name} contains Python objects, which are not supported")
    if start + math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{name} claims to be {dtype} {list(shape)}, but {size - start:,} bytes follow")
    return Member(file, name, shape, dtype, fortran)


def _header(raw: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    version = npy.read_magic(raw)
    if version != (1, 0):  # later versions are for headers over 64 KB, which plain arrays do not need
        raise ValueError(f"npy format {version[0]}.{version[1]} is not supported")
    try:
        shape, fortran, dtype = npy.read_array_header_1_0(raw, max_header_size=MAX_HEADER)
    except Exception as error:  # numpy's header parser raises many kinds
        raise ValueError(f"unreadable header: {one_line(error, 200)}") from None
    if any(n < 0 for n in shape):
        raise ValueError(f"invalid array shape {list(shape)}")
    return shape, fortran, dtype, raw.tell()


def _whole(member: Member) -> NDArray:
    count = math.prod(member.shape) * member.dtype.itemsize
    if count > MAX_LABELS:
        raise ValueError(f"{member.name} has {count:,} bytes, too large to be read in one piece")
    with zipfile.ZipFile(member.file) as archive, archive.open(member.name + ".npy") as raw:
        _header(raw)
        content = raw.read()  # to the end, where zipfile verifies the checksum
    if len(content) != count:
        raise ValueError(f"{member.name} ends after {len(content):,} of {count:,} bytes")
    array = np.frombuffer(content, member.dtype)
    return array.reshape(member.shape, order="F" if member.fortran else "C")


def _runs(member: Member) -> Iterator[NDArray[np.uint8]]:
    """The rows of an array in order, in blocks of about 16 MB."""
    if member.fortran:
        yield _whole(member)
        return
    each = math.prod(member.shape[1:])
    rows = max(1, RUN_BYTES // each)
    with zipfile.ZipFile(member.file) as archive, archive.open(member.name + ".npy") as raw:
        _header(raw)
        for start in range(0, member.shape[0], rows):
            count = min(rows, member.shape[0] - start)
            content = raw.read(count * each)
            if len(content) != count * each:
                raise ValueError(f"{member.name} ends after {start + len(content) // each:,} images")
            yield np.frombuffer(content, np.uint8).reshape(count, *member.shape[1:])
        raw.read(1)  # the end, where zipfile verifies the checksum


def _part(images: Member, labels: NDArray[np.int64], groups: NDArray | None) -> Part:
    def samples() -> Iterator[Sample]:
        at = 0
        try:
            for run in _runs(images):
                for pixels in run[..., 0] if run.ndim == 4 and run.shape[3] == 1 else run:
                    group = None if groups is None else str(groups[at])
                    yield Sample(f"{images.name}[{at}]", pixels, int(labels[at]), group)
                    at += 1
        except UNREADABLE as error:
            raise DataProblem(replace(_unreadable(error), place=printable(str(images.file)))) from None

    return Part(len(labels), samples)


def _labels(member: Member, problems: list[Message]) -> NDArray[np.int64] | None:
    """int64 [N]; None, and a problem, if they are not valid labels."""
    shape = member.shape
    found = f"{member.dtype} {list(shape)}"
    what = f"{member.name} is {found}; expected one integer per image"
    if len(shape) == 2 and shape[1] != 1:
        columns = (
            f"{shape[1]} columns would be multi-label, which is not supported (for one-hot labels, save the argmax)"
        )
        problems.append(Message(f"{what}: {columns}", code="multi-label", value=found))
        return None
    if len(shape) not in (1, 2) or member.dtype.kind not in "biuf":
        problems.append(Message(f"{what}; save the classes as integers 0..K-1", code="label-type", value=found))
        return None
    try:
        labels = _whole(member).reshape(-1)
    except UNREADABLE as error:
        problems.append(_unreadable(error))
        return None
    if member.dtype.kind == "f":
        odd = np.flatnonzero(~np.isfinite(labels) | (labels != np.round(labels)))
        first = f": {member.name}[{odd[0]}] is {labels[odd[0]]}" if len(odd) else ""
        split = member.name.partition("_")[0]
        otherwise = f", or {without_labels(split)}" if split != "train" and len(odd) == len(labels) else ""
        text = f"{what}{first}; save the classes as integers 0..K-1{otherwise}"
        problems.append(Message(text, code="label-not-an-integer", value=str(labels[odd[0]]) if len(odd) else found))
        return None
    if len(labels) and int(labels.max()) > np.iinfo(np.int64).max:
        text = f"{what}, 0..K-1; the largest is {labels.max()}"
        problems.append(Message(text, code="label-out-of-range", value=str(labels.max())))
        return None
    return labels.astype(np.int64)


def _groups(members: dict[str, Member], name: str, count: int, problems: list[Message]) -> NDArray | None:
    member = members.get(name)
    if member is None:
        text = f"data.group: the file has no array {printable(name)}"
        problems.append(Message(text, code="missing-array", value=printable(name)))
        return None
    if math.prod(member.shape) != count or member.dtype.kind not in "iuUS":
        found = f"{member.dtype} {list(member.shape)}"
        text = f"data.group: {printable(name)} is {found}; expected an integer or a string for each of {count:,} images"
        problems.append(Message(text, code="group-type", value=found))
        return None
    try:
        groups = _whole(member).reshape(-1)
    except UNREADABLE as error:
        problems.append(_unreadable(error))
        return None
    told = [g.decode(errors="replace") if isinstance(g, bytes) else g for g in groups.tolist()]
    if empty := [i for i, group in enumerate(told) if is_missing(group)]:
        text = (
            f"data.group: {printable(name)} is empty for {len(empty):,} of {count:,} images ({some(empty)}); fill it in"
        )
        problems.append(Message(text, code="empty-cells", value=printable(name)))
    return groups


def _unreadable(error: BaseException) -> Message:
    return Message(f"not a readable .npz ({one_line(error, 200)})", code="data-damaged")
