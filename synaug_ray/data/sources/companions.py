"""Images named after others in the same data set: segmentation masks, which belong to no class, copies and pairs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from synaug_ray.common.errors import Message
from synaug_ray.common.text import some
from synaug_ray.data.sources.split_words import words

MANY_MASKS = 0.05  # share of all images from which masks are refused
_MASK_WORDS = {"mask", "masks", "segmentation", "segmentations", "groundtruth", "gt", "annotation", "annotations"}
_MASK = re.compile(
    r"(?i)(?P<base>.+?)[ _.-]+(mask|masks|seg|segm|segmentation|gt|ground[ _-]?truth|anno|annotation|superpixels)"
    r"([ _.-]*\d+)?|(mask|seg|gt)[ _.-]+(?P<after>.+)"
)
_COPY = re.compile(
    r"(?i)(?P<base>.+?)[ _.-]*(\(\d+\)|[ _.-](copy|aug|augmented|h?flip|v?flip|flipped|rot|rotated|crop)[ _.-]*\d*)"
    r"|copy of (?P<after>.+)"
)


def companions(files: Iterable[str], problems: list[Message], notes: list[str]) -> None:
    """Look for masks and copies by the names of images; many masks are a problem, all else is a note.

    Args:
        files: paths inside the source.
    """
    twice: list[str] = []
    by_folder: dict[str, dict[str, str]] = {}  # folder -> name without suffix -> path
    for path in files:
        folder, _, file = path.rpartition("/")
        stems = by_folder.setdefault(folder, {})
        stem = file.rpartition(".")[0]
        if stem in stems:
            twice.append(path)
        stems[stem] = path
    total = sum(map(len, by_folder.values()))
    masks = sorted({*_named_like(by_folder, _MASK), *_in_mask_folders(by_folder)})
    if masks:
        text = (
            f"{len(masks):,} of {total:,} images are named like masks of other images ({some(masks, 3)}); masks are "
            "not images of a class: move them out of the class folders"
        )
        if len(masks) >= MANY_MASKS * total:
            problems.append(Message(text, code="masks", value=f"{len(masks):,}"))
        else:
            notes.append(text)
    copies = sorted({*_named_like(by_folder, _COPY)} - {*masks})
    if copies:
        notes.append(
            f"{len(copies):,} images are named like copies of other images ({some(copies, 3)}): if they are, keep each "
            "with its original by data.group, or remove them"
        )
    if paired := [*_paired(by_folder, {*masks, *copies})]:
        notes.append(
            f"many images are named like another one with an addition: {some(paired)}; if these are no images of a "
            "class of their own, move them out of the class folders, or keep each pair together by data.group"
        )
    if twice:
        notes.append(
            f"{len(twice):,} images have the name of another one in the same folder, but for the format "
            f"({some(twice, 3)}): if they are the same images or masks, remove them"
        )


def _paired(by_folder: dict[str, dict[str, str]], known: set[str]) -> Iterable[str]:
    """What many images add to the name of another one in the same folder, such as ``_depth``, with an example.

    Many: at least a quarter of all images. ``known``: images that are said to be masks or copies already.
    """
    added: dict[str, list[str]] = {}
    for stems in by_folder.values():
        for stem, path in stems.items():
            if path in known:
                continue
            for cut in range(len(stem) - 1, 0, -1):
                if not stem[cut].isalnum() and stem[:cut] in stems:
                    added.setdefault(stem[cut:], []).append(path)
                    break
    total = sum(map(len, by_folder.values()))
    for end, paths in added.items():
        if len(paths) * 4 >= total:
            yield f"{end} ({some(sorted(paths), 2)})"


def _named_like(by_folder: dict[str, dict[str, str]], mark: re.Pattern[str]) -> Iterable[str]:
    """Images named like another one in the same folder, with a mark added."""
    for stems in by_folder.values():
        for stem, path in stems.items():
            match = mark.fullmatch(stem)
            if match and (match["base"] or match["after"]) in stems:
                yield path


def _in_mask_folders(by_folder: dict[str, dict[str, str]]) -> Iterable[str]:
    """Images in folders named as masks, if most share their name with an image in another folder."""
    plain = {f: stems for f, stems in by_folder.items() if not _for_masks(f)}
    names = {stem for stems in plain.values() for stem in stems}
    for folder, stems in by_folder.items():
        if _for_masks(folder):
            shared = sum(_unmarked(stem) in names or stem in names for stem in stems)
            if shared * 2 > len(stems):
                yield from stems.values()


def _for_masks(folder: str) -> bool:
    joined = re.sub(r"(?i)ground[ _-]truth", "groundtruth", folder)
    return any(_MASK_WORDS & {*words(part)} for part in joined.split("/"))


def _unmarked(stem: str) -> str:
    match = _MASK.fullmatch(stem)
    return (match["base"] or match["after"]) if match else stem
