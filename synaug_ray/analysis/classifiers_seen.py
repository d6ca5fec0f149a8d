"""What pretrained classifiers have seen besides the images of the grid, as the table of trials says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from synaug_ray.analysis.results import Verdict

SAW = "classifier_saw"  # the column: what a classifier saw before, '' for random weights; absent in older tables
UNKNOWN = "other images"  # in it, where nothing more is known


def seen_before(measurements: pd.DataFrame) -> dict[str, str]:
    """By its name, what each pretrained classifier has seen."""
    if SAW not in measurements:
        return {}
    pairs = measurements[["classifier", SAW]].drop_duplicates().itertuples(index=False)
    return {str(name): str(saw) for name, saw in pairs if isinstance(saw, str) and saw}


def with_seen(verdicts: Sequence[Verdict], seen: Mapping[str, str]) -> tuple[Verdict, ...]:
    """The verdicts; those of pretrained classifiers say so."""
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
        f"The classifier {name} has seen {_words(saw)} before its first image of this grid: what real and synthetic "
        "images are worth to it is not what they are worth to one that starts from these images alone."
        for name, saw in sorted(seen.items())
    ]


def _words(saw: str) -> str:
    return UNKNOWN if saw == UNKNOWN else f"{UNKNOWN} ({saw})"
