"""The names of a run's classes, by number, in its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence

from synaug_ray.store.run_folder import CLASSES, SAMPLES, RunFolder


def write_classes(folder: RunFolder, names: Sequence[str]) -> None:
    """Keep the names of the classes, by number: chance, and with it the laws, depends on how many there are."""
    folder.write_json(CLASSES, {"classes": list(names)})


def class_names(folder: RunFolder) -> tuple[str, ...]:
    """The names of the classes; a run of an older version has them with its sample sheets, or not at all."""
    try:
        kept = folder.read_json(CLASSES) or json.loads(folder.read(SAMPLES) or "[{}]")[0]
        return tuple(str(name) for name in kept.get("classes", ()))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ()


def num_classes(folder: RunFolder) -> int | None:
    """How many classes there are; None in a run of an older version: those in labels and answers are counted then."""
    names = (folder.read_json(CLASSES) or {}).get("classes")
    return len(names) if isinstance(names, list) and names else None
