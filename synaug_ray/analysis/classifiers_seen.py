"""What pretrained classifiers have seen besides the grid's images, according to the table of trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from synaug_ray.analysis.results import Verdict

SAW = "classifier_saw"  # the column: what a classifier saw before, '' for random weights; absent in older tables
UNKNOWN = "other images"  # its value if nothing more is known


def seen_before(measurements: pd.DataFrame) -> dict[str, str]:
    """What each pretrained classifier has seen, by name."""
    if SAW not in measurements:
        return {}
    pairs = measurements[["classifier", SAW]].drop_duplicates().itertuples(index=False)
    return {str(name): str(saw) for name, saw in pairs if isinstance(saw, str) and saw}


def with_seen(verdicts: Sequence[Verdict], seen: Mapping[str, str]) -> tuple[Verdict, ...]:
    """The verdicts, completed with what pretrained classifiers have seen."""
    return tuple(
        replace(
            v,
            classifier_saw=seen[v.classifier],
            sentence=f"{v.sentence} The classifier has seen {_words(seen[v.classifier])}.",
        )
        if v.classifier in seen
        else v
        for v in verdicts
    )


def seen_notes(seen: Mapping[str, str]) -> list[str]:
    """A note for each pretrained classifier."""
    return [
        f"The classifier {name} has seen {_words(saw)} before its first image of this grid: to it, real and synthetic "
        "images are not worth the same as to a classifier that starts with these images alone."
        for name, saw in sorted(seen.items())
    ]


def _words(saw: str) -> str:
    return UNKNOWN if saw == UNKNOWN else f"{UNKNOWN} ({saw})"
