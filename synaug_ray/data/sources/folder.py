"""``folder:PATH``: one sub-folder per class, optionally below ``train/ val/ test/``."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from synaug_ray.common.errors import DataProblem, Message, UsageProblem, did_you_mean
from synaug_ray.common.text import printable, some
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.decode import SUFFIXES
from synaug_ray.data.decoding.fingerprint import fingerprint
from synaug_ray.data.sources.base import Part, Sample, Source, missing_splits, without_labels, your_copy
from synaug_ray.data.sources.companions import companions
from synaug_ray.data.sources.folder_splits import split_folders
from synaug_ray.data.sources.walk import Walk, walk


def identify_folder(folder: Path, options: DataOptions, where: str, cache: Path | None) -> str:
    """SHA-256 of the names and bytes of all images in a folder.

    Raises:
        UsageProblem: for a ``data.group`` that is not a valid pattern.
        DataProblem: for a folder that does not exist or has no images.
    """
    if options.group is not None:
        _rule(options.group, where)
    return fingerprint(_walked(folder, where).files, folder, cache)


def open_folder(folder: Path, options: DataOptions) -> Source:
    """The images of a folder as parts; the class is the top folder's name, however deep the image.

    Raises:
        DataProblem: with everything wrong in the layout and the names.
    """
    found = _walked(folder)
    problems = list(found.problems)
    layout: list[Message] = []
    splits = split_folders(found, layout)
    if layout:  # then nothing else can be checked
        raise DataProblem([*problems, *layout, *(Message(note, code="files-not-read") for note in _not_read(found))])
    problems += missing_splits(options, splits, printable(str(folder)))
    splits = [s for s in splits if s not in options.leave_out]
    by_class = {split: _by_class(found, split, problems) for split in splits or [""]}
    base = splits[0] if splits else ""  # train
    classes = sorted(name for name, files in by_class[base].items() if files)
    problems += _class_problems(folder, base, by_class[base], classes)
    for split in splits[1:]:
        problems += _split_problems(folder, split, by_class[split], classes, base, _loose(found, split))
    used = [name for name in found.files if name.partition("/")[0] not in options.leave_out]
    beside: list[str] = []
    companions(used, problems, beside)
    groups = _groups(found, options.group, problems) if options.group is not None else {}
    if problems:
        if any(p.code in ("empty-class", "empty-split", "too-few-classes") for p in problems):
            problems += (Message(note, code="files-not-read") for note in _not_read(found))
        raise DataProblem(problems)
    number = {name: i for i, name in enumerate(classes)}

    def part(files: dict[str, list[str]]) -> Part:
        def samples() -> Iterator[Sample]:
            for name in classes:
                for file in files.get(name, ()):
                    yield Sample(file, found.files[file], number[name], groups.get(file))

        return Part(sum(map(len, files.values())), samples)

    parts = {split or "train": part(files) for split, files in by_class.items()}
    return Source(tuple(classes), parts, notes=(*_notes(found, splits, used), *beside))


def _walked(folder: Path, where: str = "dataset") -> Walk:
    if not folder.is_dir():
        said = "is a file, not a folder; unpack it" if folder.is_file() else "no such folder"
        raise DataProblem(
            f"{where}: folder:{printable(str(folder))}: {said}"
            + your_copy("folder", folder, "one that contains <class>/*.png or train/<class>/*.png", where),
            code="no-such-data",
        )
    found = walk(folder)
    if not found.files and not found.problems:
        others = "; found " + some(f"{n:,} {s}" for s, n in found.ignored.most_common()) if found.ignored else ""
        raise DataProblem(
            f"{where}: folder:{printable(str(folder))} has no images; expected "
            f"{folder}/train/<class>/*.png or {folder}/<class>/*.png ({', '.join(SUFFIXES)}){others}",
            code="no-images",
        )
    return found


def _by_class(found: Walk, split: str, problems: list[Message]) -> dict[str, list[str]]:
    """Class -> its files, empty folders included; a class is its folder's name in Unicode's composed form."""
    at = f"{split}/" if split else ""
    written: dict[str, set[str]] = {}
    files: dict[str, list[str]] = {}
    for name in found.folders:
        if name.startswith(at) and "/" not in name[len(at) :]:
            folder = name[len(at) :]
            composed = unicodedata.normalize("NFC", folder)
            written.setdefault(composed, set()).add(folder)
            files[composed] = []
    for name in found.files:
        inner = name[len(at) :]
        if name.startswith(at) and "/" in inner:
            files[unicodedata.normalize("NFC", inner.partition("/")[0])].append(name)
    for composed, folders in written.items():
        if len(folders) > 1:
            text = (
                f"{found.root / at}: {len(folders)} class folders are named {printable(composed)} in different Unicode "
                "forms; merge them"
            )
            problems.append(Message(text, code="unicode-forms", value=printable(composed)))
    return files


def _class_problems(folder: Path, base: str, by_class: dict[str, list[str]], classes: list[str]) -> Iterator[Message]:
    path = folder / base
    at = printable(str(path))
    empty = sorted(name for name, files in by_class.items() if not files)
    if empty:
        what = "class folder holds" if len(empty) == 1 else "class folders hold"
        text = f"{at}: {len(empty):,} {what} no images: {some(empty)}; add images or remove it"
        yield Message(text, code="empty-class", value=some(empty))
    odd = [name for name in classes if not name.isprintable() or _not_unicode(name)]
    if odd:
        text = f"{at}: {len(odd):,} class folders have unprintable names: {some(odd)}; rename them"
        yield Message(text, code="unprintable-class", value=some(odd))
    if len(classes) < 2:
        inner = sorted(
            {
                f.split("/")[(2 if base else 1)]
                for n in classes
                for f in by_class[n]
                if f.count("/") > (2 if base else 1)
            }
        )
        hint = (
            (
                f". It has folders inside ({some(inner)}): if these are the classes or the splits, use "
                f"folder:{printable(str(path / classes[0]))}"
            )
            if len(inner) > 1
            else ""
        )
        text = (
            f"{at}: class folders with images: {len(classes)} ({some(classes) or 'none'}); a classifier needs at "
            f"least two, one folder per class{hint}"
        )
        yield Message(text, code="too-few-classes", value=str(len(classes)))
    total = sum(map(len, by_class.values()))
    if len(classes) > 100 and total < 3 * len(classes):
        text = (
            f"{at}: {len(classes):,} class folders of {total / len(classes):.1f} images each: folders of patients or "
            "of single images are not classes; use one folder per class, and data.group for the patients"
        )
        yield Message(text, code="not-classes", value=f"{len(classes):,}")


def _split_problems(
    folder: Path, split: str, by_class: dict[str, list[str]], classes: list[str], base: str, loose: int
) -> list[Message]:
    """``loose``: number of images of the split that are in no class folder."""
    at = printable(str(folder / split))
    if not by_class and loose:
        text = f"{at} has {loose:,} images outside any class folder, which therefore have no labels; "
        return [Message(text + without_labels(split), code="unlabelled-split", value=split)]
    if not any(by_class.values()):
        text = f"{at} has no images; add some, or remove the folder to hold out a part of train instead"
        return [Message(text, code="empty-split", value=split)]
    unknown = sorted(name for name, files in by_class.items() if files and name not in classes)
    if not unknown:
        return []
    hint = did_you_mean(unknown[0], classes) if len(unknown) == 1 else ""
    text = f"{at}: class {some(unknown)} is not in {printable(str(folder / base))}{hint}"
    return [Message(text, code="unknown-class", value=some(unknown))]


def _loose(found: Walk, split: str) -> int:
    return sum(name.startswith(f"{split}/") and name.count("/") == 1 for name in found.files)


def _not_unicode(name: str) -> bool:
    return any(0xD800 <= ord(c) < 0xE000 for c in name)


def _rule(rule: str, where: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise UsageProblem(
            f"{where}: data.group {rule!r} is not a regular expression ({error})", code="group-pattern"
        ) from None
    if pattern.groups != 1:
        raise UsageProblem(
            f"{where}: data.group {rule!r} has {pattern.groups} groups in parentheses; expected one, "
            "which matches the patient in the path of an image inside the folder, such as '(p[0-9]+)_'",
            code="group-pattern",
        )
    return pattern


def _groups(found: Walk, rule: str, problems: list[Message]) -> dict[str, str]:
    pattern = _rule(rule, "dataset")
    groups, unmatched = {}, []
    for name in found.files:
        match = pattern.search(name)
        if match is None or match[1] is None:
            unmatched.append(name)
        else:
            groups[name] = match[1]
    if unmatched:
        text = f"data.group {rule!r} does not match {len(unmatched):,} of {len(found.files):,} paths: {some(unmatched)}"
        problems.append(Message(text, code="group-not-matched", value=repr(rule)))
    return groups


def _not_read(found: Walk) -> Iterator[str]:
    if found.ignored:
        others = some(f"{n:,} {suffix}" for suffix, n in found.ignored.most_common())
        yield f"{found.ignored.total():,} files are not read as images: {others}"


def _notes(found: Walk, splits: list[str], used: list[str]) -> Iterator[str]:
    """``used``: the images, less those of splits that are left out."""
    yield from _not_read(found)
    if found.outside:
        yield f"{found.outside:,} images lie outside the folder and are reached through links"
    depth = 2 if splits else 1
    stray = [name for name in used if name.count("/") < depth or (splits and name.partition("/")[0] not in splits)]
    if stray:
        yield f"{len(stray):,} images are outside any class folder and are left out: {some(stray)}"
    deeper = Counter(name.split("/")[depth - 1] for name in used if name.count("/") > depth)
    inner: dict[str, set[str]] = {}  # class -> the folders in it, "" for images that are in none
    for name in used:
        folders = name.split("/")[:-1]
        inner.setdefault("".join(folders[:1]), set()).add("".join(folders[1:2]))
    alike = set.intersection(*inner.values()) - {""} if inner and not splits else set()
    if len(alike) > 1:
        yield (
            f"all class folders ({some(sorted(deeper))}) hold the same folders ({some(sorted(alike))}): if these are "
            "the classes, name the folders above them train, val and test"
        )
    if deeper:
        yield (
            f"{deeper.total():,} images are nested below their class folder ({some(deeper)}): the "
            f"{'second' if splits else 'first'} folder of a path is the class"
        )
