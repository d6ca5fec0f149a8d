"""Steps that compute the features of images with a frozen network, once for all trials that have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.plan.step import Stage, Step
from synaug_ray.plan.steps import SECOND_TEST, ShardStep
from synaug_ray.plan.subset import DataIdentity

if TYPE_CHECKING:
    from synaug_ray.plan.steps import TrialStep

Split = Literal["train", "val", "test", "test2"]  # the last is of ``data.test2``
PARTS: dict[Split, int] = {"train": 8, "val": 1, "test": 2}  # of a split's images, each a step; never to be changed
SAID: dict[Split, str] = {"test2": "second test"}
ASSUMED = 500  # images of a part, for costs: only the images tell


def parts_of(split: Split) -> int:
    """In how many steps the features of a split's images are computed."""
    return PARTS["test" if split == "test2" else split]


@dataclass(frozen=True)
class RealPart:
    """Images [N * part / parts, N * (part + 1) / parts) of the N of a split."""

    data: DataIdentity
    split: Split
    part: int

    def rows(self, count: int) -> slice:
        """Which of ``count`` images these are."""
        parts = parts_of(self.split)
        return slice(count * self.part // parts, count * (self.part + 1) // parts)


@dataclass(frozen=True)
class FeatureStep(Step):
    """Compute the features of a shard's images, or of a part of the data set's, with a recipe's network."""

    classifier: ClassifierRecipe  # its network alone counts
    source: ShardStep | RealPart

    stage: ClassVar[Stage] = "features"
    version: ClassVar[int] = 1  # 1: 2026-11, first
    splits: ClassVar[bool] = False

    def fields(self) -> dict[str, Any]:
        network = {"network": self.classifier.network_key}
        if isinstance(self.source, ShardStep):
            return network | {"shard": self.source.key}
        at, other = self.source, self.source.data.test2
        if at.split == "test2" and other is not None:
            network |= {"test2": [SECOND_TEST, other.key]}
        return network | {"data": at.data.key, "split": at.split, "part": at.part, "parts": parts_of(at.split)}

    def parents(self) -> tuple[Step, ...]:
        return (self.source,) if isinstance(self.source, ShardStep) else ()

    @property
    def images_seen(self) -> float:
        return self.source.sampler.shard_size if isinstance(self.source, ShardStep) else ASSUMED

    @property
    def cost_key(self) -> str:
        return f"features {self.classifier.network_key}"

    @property
    def cost_name(self) -> str:
        return self.classifier.model

    def describe(self, names: Mapping[str, str]) -> str:
        if isinstance(self.source, ShardStep):
            return f"the features by {self.classifier.model} of {self.source.describe(names)}"
        at = self.source
        part = f"part {at.part + 1} of {parts_of(at.split)} of the {SAID.get(at.split, at.split)} images"
        return f"the features by {self.classifier.model} of {part}"


def real_features(classifier: ClassifierRecipe, data: DataIdentity, split: Split) -> tuple[FeatureStep, ...]:
    """The steps of all images of a split, in their order."""
    return tuple(FeatureStep(classifier, RealPart(data, split, part)) for part in range(parts_of(split)))


def features_of(trial: TrialStep) -> tuple[FeatureStep, ...]:
    """All that a trial on frozen features needs: of the data set's images, and of the shards of its pool."""
    splits: list[Split] = ["train", "val", "test"]
    if trial.subset.data.test2 is not None:
        splits.append("test2")
    real = [step for split in splits for step in real_features(trial.classifier, trial.subset.data, split)]
    return (*real, *(FeatureStep(trial.classifier, shard) for shard in trial.shards))
