"""Steps: frozen units of work, each with a content key over all that bears on its result.

``version`` is raised by hand when a code change alters results; everything made with the old
version then counts as missing. A parent enters a key by its own key. Devices, worker counts and
storage are arguments of ``execute`` and never fields: they must not bear on a result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from synaug_ray.common.keys import content_key, derive_seed
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.recipes import ClassifierRecipe, FilterRecipe, GeneratorRecipe, SamplerRecipe

Stage = Literal["generator", "shard", "quality", "trial"]
STAGES: tuple[Stage, ...] = ("generator", "shard", "quality", "trial")


@dataclass(frozen=True)
class DataIdentity:
    """Which images: a source, its content, how they were read and split.

    ``fingerprint`` is of the source's content (or its published version); images that differ in
    any byte are other data.
    """

    source: str
    fingerprint: str
    options: DataOptions = DataOptions()

    # 2: 2026-11, images that are not square are cropped, not stretched; those that shrink by no whole factor are scaled
    #    bicubically; photos are turned upright; grey with transparency stays grey
    VERSION: ClassVar[int] = 2

    @cached_property
    def key(self) -> str:
        """Identity; the path of a source is where, not what, and so no part of it."""
        return content_key(
            {
                "version": self.VERSION,
                "kind": self.source.partition(":")[0],
                "fingerprint": self.fingerprint,
                "options": self.options.model_dump(mode="json"),
            }
        )


@dataclass(frozen=True)
class Subset:
    """The first ``num_real`` images of one draw's permutation of the training images."""

    data: DataIdentity
    num_real: int
    draw: int
    stratify: Literal["natural", "balanced"] = "natural"

    def fields(self) -> dict[str, Any]:
        return {"data": self.data.key, "num_real": self.num_real, "draw": self.draw, "stratify": self.stratify}


class Step(ABC):
    """What the Store and the plan know of a step: its stage, its fields, its key, its parents."""

    stage: ClassVar[Stage]
    version: ClassVar[int]

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """Everything that bears on the result, in JSON's types; parents by their keys."""

    def parents(self) -> tuple[Step, ...]:
        """The steps whose records must stand before this one can run."""
        return ()

    @cached_property
    def key(self) -> str:
        return content_key({"stage": self.stage, "version": self.version, **self.fields()})


@dataclass(frozen=True)
class GeneratorStep(Step):
    """Train one generator on one Subset and nothing else."""

    subset: Subset
    recipe: GeneratorRecipe

    stage: ClassVar[Stage] = "generator"
    version: ClassVar[int] = 1  # 1: 2026-11, first

    def fields(self) -> dict[str, Any]:
        return {"subset": self.subset.fields(), "recipe": self.recipe.key}

    @cached_property
    def seed(self) -> int:
        """Of the weights, the batches and the noise: one per draw, so sizes differ by their data alone."""
        return derive_seed("generator", self.subset.data.key, self.subset.draw, self.recipe.key)


@dataclass(frozen=True)
class ShardStep(Step):
    """Sample images [index * shard_size, (index + 1) * shard_size) of one generator's Pool."""

    generator: GeneratorStep
    sampler: SamplerRecipe
    index: int

    stage: ClassVar[Stage] = "shard"
    version: ClassVar[int] = 1  # 1: 2026-11, first

    def fields(self) -> dict[str, Any]:
        return {"generator": self.generator.key, "sampler": self.sampler.key, "index": self.index}

    def parents(self) -> tuple[Step, ...]:
        return (self.generator,)


@dataclass(frozen=True)
class Pool:
    """The synthetic images of one generator under one sampler: endless, image i a function of i alone."""

    generator: GeneratorStep
    sampler: SamplerRecipe

    @cached_property
    def key(self) -> str:
        return content_key({"generator": self.generator.key, "sampler": self.sampler.key})

    def shards(self, num_synthetic: int) -> tuple[ShardStep, ...]:
        """The shards that hold the first ``num_synthetic`` images."""
        count = -(-num_synthetic // self.sampler.shard_size)
        return tuple(self.shard(i) for i in range(count))

    def shard(self, index: int) -> ShardStep:
        shards: dict[int, ShardStep] = self.__dict__.setdefault("_shards", {})
        if index not in shards:
            shards[index] = ShardStep(self.generator, self.sampler, index)
        return shards[index]


@dataclass(frozen=True)
class QualityStep(Step):
    """Look at the first ``num_images`` of a Pool: are they real-looking, rightly labelled, varied, no copies?"""

    pool: Pool
    num_images: int
    spaces: tuple[FeatureRecipe, ...] = ()  # networks trained elsewhere, in whose features they are compared too

    stage: ClassVar[Stage] = "quality"
    version: ClassVar[int] = 1  # 1: 2026-11, first

    def fields(self) -> dict[str, Any]:
        also = {"spaces": sorted(s.key for s in self.spaces)} if self.spaces else {}  # left out: keys of before
        return {"pool": self.pool.key, "num_images": self.num_images} | also

    def parents(self) -> tuple[Step, ...]:
        return self.pool.shards(self.num_images)

    @cached_property
    def seed(self) -> int:
        """Of the judges' weights and batches."""
        return derive_seed("quality", self.key)


Protocol = Literal["real-only", "mixed", "synthetic-only", "pretrain"]


@dataclass(frozen=True)
class TrialStep(Step):
    """Train one classifier on a Subset and a prefix of a Pool; measure it on the test set.

    With a ``filter`` the prefix is of what it keeps of the Pool's first images.

    ``real_share`` is the share of real images in a batch; None is "proportional" (to the counts),
    and the only value where the protocol leaves no choice.
    """

    subset: Subset
    pool: Pool | None
    num_synthetic: int
    protocol: Protocol
    real_share: float | None
    classifier: ClassifierRecipe
    seed: int
    filter: FilterRecipe | None = None  # None keeps all

    stage: ClassVar[Stage] = "trial"
    version: ClassVar[int] = 1  # 1: 2026-11, first

    def fields(self) -> dict[str, Any]:
        filtered = {} if self.filter is None else {"filter": self.filter.key}  # left out: keys of before there were any
        return filtered | {
            "subset": self.subset.fields(),
            "pool": self.pool.key if self.pool else None,
            "num_synthetic": self.num_synthetic,
            "protocol": self.protocol,
            "real_share": self.real_share,
            "classifier": self.classifier.key,
            "seed": self.seed,
        }

    def parents(self) -> tuple[Step, ...]:
        return self.pool.shards(self.num_raw) if self.pool else ()

    @property
    def num_raw(self) -> int:
        """Images of the Pool that it needs: more than it trains on where a filter drops some."""
        return self.num_synthetic if self.filter is None else self.filter.num_raw(self.num_synthetic)

    @cached_property
    def common_seed(self) -> int:
        """Of weights and batches: the same in all cells of a draw and seed, so that they can be paired."""
        return derive_seed("trial", self.subset.data.key, self.subset.draw, self.seed)
