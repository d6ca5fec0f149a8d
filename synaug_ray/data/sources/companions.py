"""Images that lie beside others of the same name: their masks, which are no images of the class, and their copies."""

from __future__ import annotations

import re
from collections.abc import Iterable

from synaug_ray.common.text import some
from synaug_ray.data.sources.split_words import words

MANY_MASKS = 0.05  # share of all images from which they are refused
_MASK_WORDS = {"mask", "masks", "segmentation", "segmentations", "groundtruth", "gt", "annotation", "annotations"}
_MASK = re.compile(
    r"(?i)(?P<base>.+?)[ _.-]+(mask|masks|seg|segm|segmentation|gt|ground[ _-]?truth|anno|annotation|superpixels)"
    r"([ _.-]*\d+)?|(mask|seg|gt)[ _.-]+(?P<after>.+)"
)
_COPY = re.compile(
    r"(?i)(?P<base>.+?)[ _.-]*(\(\d+\)|[ _.-](copy|aug|augmented|h?flip|v?flip|flipped|rot|rotated|crop)[ _.-]*\d*)"
    r"|copy of (?P<after>.+)"
)


def companions(files: Iterable[str], problems: list[str], notes: list[str]) -> None:
    """Look for masks and copies among the names of images; many masks are a problem, few and copies a note.

    Args:
        files: paths inside the source.
    """
    by_folder: dict[str, dict[str, str]] = {}  # folder -> name without suffix -> path
    for path in files:
        folder, _, file = path.rpartition("/")
        by_folder.setdefault(folder, {})[file.rpartition(".")[0]] = path
    total = sum(map(len, by_folder.values()))
    masks = sorted({*_named_like(by_folder, _MASK), *_in_mask_folders(by_folder)})
    if masks:
        said = (
            f"{len(masks):,} of {total:,} images are called like others and named masks ({some(masks, 3)}): a mask is "
            "no image of its class; move them out of the class folders"
        )
        (problems if len(masks) >= MANY_MASKS * total else notes).append(said)
    copies = sorted({*_named_like(by_folder, _COPY)} - {*masks})
    if copies:
        notes.append(
            f"{len(copies):,} images are called like a copy of another ({some(copies, 3)}): where they are, keep each "
            "with its original by data.group, or remove them"
        )


def _named_like(by_folder: dict[str, dict[str, str]], mark: re.Pattern[str]) -> Iterable[str]:
    """Images whose name is that of another in the same folder, and a mark."""
    for stems in by_folder.values():
        for stem, path in stems.items():
            match = mark.fullmatch(stem)
            if match and (match["base"] or match["after"]) in stems:
                yield path


def _in_mask_folders(by_folder: dict[str, dict[str, str]]) -> Iterable[str]:
    """Images of folders called masks, most of which are called like an image of a folder that is not."""
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
