"""The words by which names of files, folders and columns are recognised as those of splits."""

from __future__ import annotations

import re

# whole names: values in a column of splits, splits of a published set, folders of Parquet files
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
UNCLEAR = "unclear"  # held-out images; only their owner knows whether for validation or for testing
_WORDS = SPLIT_NAMES | {
    **{f"{word}{what}": split for word, split in SPLIT_NAMES.items() for what in ("set", "data", "images", "imgs")},
    "devel": "val",
    "trn": "train",
    "tst": "test",
    "eval": UNCLEAR,
    "evaluation": UNCLEAR,
    "evalset": UNCLEAR,
    "holdout": UNCLEAR,
    "heldout": UNCLEAR,
}
SPLIT_COLUMNS = ("split", "splits", "subset", "partition", "part", "set", "usage", "phase", "stage", "fold")


def words(name: str) -> list[str]:
    """The runs of letters in a name, in lower case; ``trainData2`` is ``train``, ``data``."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    joined = re.sub(r"(?i)\b(hold|held)[-_ ]out\b", "holdout", re.sub(r"[_\W\d]+", " ", apart))
    return joined.lower().split()


def is_split_flag(name: str) -> bool:
    """Whether a column of this name says yes or no to one split: ``is_valid``, ``test``, but not ``covid_test``."""
    left = {*words(name)} - {"is", "in", "for"}
    return len(left) == 1 and left <= _WORDS.keys()


def splits_in(name: str) -> set[str]:
    """The splits that the words of a name stand for, perhaps ``UNCLEAR``; none for ``contest`` or ``latest``."""
    return {_WORDS[word] for word in words(name) if word in _WORDS}
