"""What pretrained classifiers, given autoencoders and bases have seen besides the grid's images, by the trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from synaug_ray.analysis.results import Verdict

CLASSIFIER_SAW = "classifier_saw"  # the column: what a classifier saw before, '' for random weights
GENERATOR_SAW = "generator_saw"  # the same of a generator's autoencoder or base; both are absent in older tables
UNKNOWN = "other images"  # the value if nothing more is known
OF_FILTER = "other images and texts (its filter)"  # of a generator whose images a model of these chooses
OF_PARTS = "other images (its part: "  # and their names: of a hybrid of several generators
AND = "; "  # between what several parts of a generator have seen
OF_BASE = "other images (its base)"  # of a generator that started from another

Seen = Mapping[str, str]  # what each has seen, by name


@dataclass(frozen=True)
class SeenBefore:
    """Those that have seen other images."""

    classifiers: Seen
    generators: Seen

    def told(self, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """The verdicts, completed."""
        return tuple(self._told(verdict) for verdict in verdicts)

    def _told(self, verdict: Verdict) -> Verdict:
        said, saw = verdict.sentence, self.classifiers.get(verdict.classifier, "")
        if verdict.generator in self.generators:
            for of_generator in self.generators[verdict.generator].split(AND):
                said += f" The generator's {_part(of_generator)} has seen {_words(of_generator)}."
        if saw:
            said += f" The classifier has seen {_words(saw)}."
        return replace(verdict, classifier_saw=saw, sentence=said)

    def notes(self) -> list[str]:
        """A note for each of them."""
        return [
            f"The {_part(saw)} of {name} has seen {_words(saw)}: what it gains is not of these real images alone."
            for name, several in sorted(self.generators.items())
            for saw in several.split(AND)
        ] + [
            f"The classifier {name} has seen {_words(saw)} before its first image of this grid: to it, real and "
            "synthetic images are not worth the same as to a classifier that starts with these images alone."
            for name, saw in sorted(self.classifiers.items())
        ]


def seen_before(measurements: pd.DataFrame) -> SeenBefore:
    """What the table says."""
    return SeenBefore(
        _seen(measurements, "classifier", CLASSIFIER_SAW), _seen(measurements, "generator", GENERATOR_SAW)
    )


def _seen(measurements: pd.DataFrame, name: str, column: str) -> dict[str, str]:
    if column not in measurements:
        return {}
    pairs = measurements[[name, column]].drop_duplicates().itertuples(index=False)
    return {str(name): str(saw) for name, saw in pairs if isinstance(saw, str) and saw}


def of_parts(names: Iterable[str]) -> str:
    """The column's value for a hybrid whose parts of these names have seen other images; '' if there are none."""
    told = " and ".join(names)
    return f"{OF_PARTS}{told})" if told else ""


def _words(saw: str) -> str:
    if saw == OF_FILTER:
        return f"{UNKNOWN} and texts"
    return UNKNOWN if saw in (UNKNOWN, OF_BASE) or saw.startswith(OF_PARTS) else f"{UNKNOWN} ({saw})"


def _part(saw: str) -> str:
    """What of a generator has seen other images."""
    if saw.startswith(OF_PARTS):
        return f"part {saw.removeprefix(OF_PARTS).removesuffix(')')}"
    return {OF_BASE: "base", OF_FILTER: "filter"}.get(saw, "autoencoder")
