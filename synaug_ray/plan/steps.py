"""The steps of a grid and their keys: generators, shards of their pools, quality checks and trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from synaug_ray.common.keys import content_key, derive_seed
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.config.protocols import SOFT, Named, StagedProtocol
from synaug_ray.config.recipes import ClassifierRecipe, SamplerRecipe
from synaug_ray.plan.step import Stage, Step
from synaug_ray.plan.subset import Subset

if TYPE_CHECKING:
    from synaug_ray.plan.features import FeatureStep


@dataclass(frozen=True)
class GeneratorStep(Step):
    """Train one generator on one Subset and nothing else."""

    subset: Subset
    recipe: GeneratorRecipe

    stage: ClassVar[Stage] = "generator"
    version: ClassVar[int] = 1  # 1: 2026-11, first

    def fields(self) -> dict[str, Any]:
        return {"subset": self.subset.fields(), "recipe": self.recipe.key}

    @property
    def images_seen(self) -> float:
        return self.recipe.length(self.subset.num_real)

    @property
    def cost_key(self) -> str:
        return self.recipe.any_length_key

    @property
    def cost_name(self) -> str:
        return self.recipe.trained_name

    def describe(self, names: Mapping[str, str]) -> str:
        return f"{names[self.key]} at {self.subset.num_real:,} real images, draw {self.subset.draw}"

    @cached_property
    def seed(self) -> int:
        """Of the weights, the batches and the noise: one per draw, so sizes differ by their data alone.

        Where a longer training begins with a shorter one, the same for all lengths.
        """
        return derive_seed("generator", self.subset.data.key, self.subset.draw, self.recipe.seed_key)

    @cached_property
    def course(self) -> str:
        """Key of the one training that this generator is a length of, where it can go on from shorter ones; else ''."""
        if not self.recipe.continues:
            return ""
        return content_key({"course": self.recipe.any_length_key, "version": self.version, **self.subset.fields()})


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

    @property
    def images_seen(self) -> float:
        return 0 if self.sampler.family == "replay" or not self.sampler.strength else self.sampler.shard_size

    @property
    def cost_key(self) -> str:
        return f"{self.generator.recipe.any_length_key} {self.sampler.key}"  # of its network

    @property
    def cost_name(self) -> str:
        return f"{self.generator.recipe.trained_name} ({self.sampler.name})"

    def describe(self, names: Mapping[str, str]) -> str:
        first = self.index * self.sampler.shard_size
        return f"images {first:,} to {first + self.sampler.shard_size - 1:,} of {self.generator.describe(names)}"


@dataclass(frozen=True)
class Pool:
    """The synthetic images of one generator and sampler, without end; image i depends on i alone."""

    generator: GeneratorStep
    sampler: SamplerRecipe

    @cached_property
    def key(self) -> str:
        return content_key({"generator": self.generator.key, "sampler": self.sampler.key})

    @property
    def generators(self) -> tuple[GeneratorStep, ...]:
        """What makes its images: its generator, or those of the parts of a ``HybridPool``."""
        return (self.generator,)

    def taken(self, count: int) -> tuple[tuple[Pool, int], ...]:
        """The Pools of single generators that the first ``count`` images come from, and how many from each."""
        return ((self, count),)

    def shards(self, num_synthetic: int) -> tuple[ShardStep, ...]:
        """The shards that hold the first ``num_synthetic`` images."""
        count = -(-num_synthetic // self.sampler.shard_size)
        return tuple(self.shard(i) for i in range(count))

    @cached_property
    def _shards(self) -> dict[int, ShardStep]:
        return {}  # those that have been asked for: trials share them, and with them their keys

    def shard(self, index: int) -> ShardStep:
        if index not in self._shards:
            self._shards[index] = ShardStep(self.generator, self.sampler, index)
        return self._shards[index]


@dataclass(frozen=True)
class QualityStep(Step):
    """Check the first ``num_images`` of a Pool: do they look real, show their label, vary, copy nothing?"""

    pool: Pool
    num_images: int
    spaces: tuple[FeatureRecipe, ...] = ()  # pretrained networks in whose features they are compared, too

    stage: ClassVar[Stage] = "quality"
    # 2: 2026-11, labels judged by classifiers of all training images, as good as the data set asks for; none where they
    #    are too often wrong on real images; mirrored copies
    # 3: 2026-11, membership
    version: ClassVar[int] = 3
    splits: ClassVar[bool] = False

    def fields(self) -> dict[str, Any]:
        also = {"spaces": sorted(s.key for s in self.spaces)} if self.spaces else {}  # left out: older keys stay
        judge = self.pool.generator.subset.data.judge
        also |= {} if judge is None else {"judge": judge.key}
        return {"pool": self.pool.key, "num_images": self.num_images} | also

    def parents(self) -> tuple[Step, ...]:
        return self.pool.shards(self.num_images)

    @property
    def images_seen(self) -> float:
        return self.num_images

    @property
    def cost_key(self) -> str:
        # computing a large network's features is most of the cost, and how large it is, is not known here
        return " ".join(s.key for s in self.spaces) if self.spaces else "quality"

    @property
    def cost_name(self) -> str:
        return f"any pool in {', '.join(s.name for s in self.spaces)}" if self.spaces else "any pool"

    def describe(self, names: Mapping[str, str]) -> str:
        return f"the quality check of {self.pool.generator.describe(names)}"

    @cached_property
    def seed(self) -> int:
        """Of the label classifiers' weights and batches."""
        return derive_seed("quality", self.key)


SECOND_TEST = 1  # version of the rules for the images of ``data.test2``: which they are, and which are left out


Protocol = Named | Literal["real-only"]


@dataclass(frozen=True)
class TrialStep(Step):
    """Train one classifier on a Subset and a prefix of a Pool; measure it on the test set.

    With a ``filter`` the prefix is of what it keeps of the Pool's first images.

    ``real_share`` is the share of real images in a batch, with local-replacement on average; None is "proportional"
    (to the counts), and the only value where the protocol leaves no choice. ``real_weight`` is what the real images of
    a mixture count in its loss, all together; None: as much as their share.
    """

    subset: Subset
    pool: Pool | None
    num_synthetic: int
    protocol: Protocol
    real_share: float | None
    classifier: ClassifierRecipe
    seed: int
    filter: FilterRecipe | None = None  # None keeps all
    real_weight: float | None = None
    stages: StagedProtocol | None = None  # of protocols in two stages, whose family ``protocol`` is

    stage: ClassVar[Stage] = "trial"
    version: ClassVar[int] = 1  # 1: 2026-11, first

    def fields(self) -> dict[str, Any]:
        filtered: dict[str, Any] = (
            {} if self.filter is None else {"filter": self.filter.key}
        )  # left out: older keys stay
        if self.mirrors:
            filtered["mirrors"] = True
        if self.filter is not None and self.filter.relabels and (judge := self.subset.data.judge) is not None:
            filtered["judge"] = judge.key
        if (other := self.subset.data.test2) is not None:
            filtered["test2"] = [SECOND_TEST, other.key]
        if self.real_weight is not None:
            filtered["real_weight"] = self.real_weight
        if self.stages is not None:
            filtered["stages"] = self.stages.key
        return filtered | {
            "subset": self.subset.fields(),
            "pool": self.pool.key if self.pool else None,
            "num_synthetic": self.num_synthetic,
            "protocol": self.protocol,
            "real_share": self.real_share,
            "classifier": self.classifier.key,
            "seed": self.seed,
        }

    @property
    def mirrors(self) -> bool:
        """Whether its filter searches mirrored copies too: no other filter looks for copies."""
        copies = self.filter is not None and self.filter.family == "copies"
        return copies and self.pool is not None and self.pool.generator.recipe.mirrors

    def parents(self) -> tuple[Step, ...]:
        if not self.classifier.frozen:
            return self.shards
        kept = self.shards if self.filter is not None else ()  # a filter looks at the images themselves
        return (*self.features, *kept)

    @property
    def shards(self) -> tuple[ShardStep, ...]:
        """Those of its Pool's images."""
        return self.pool.shards(self.num_raw) if self.pool else ()

    @cached_property
    def features(self) -> tuple[FeatureStep, ...]:
        """The steps of the features that it needs, if its network is frozen."""
        from synaug_ray.plan.features import features_of

        return features_of(self)

    @property
    def images_seen(self) -> float:
        return self.subset.num_real + self.num_synthetic if self.classifier.frozen else self.classifier.nimg

    @property
    def cost_key(self) -> str:
        return self.classifier.any_length_key

    @property
    def cost_name(self) -> str:
        return self.classifier.name

    def describe(self, names: Mapping[str, str]) -> str:
        kept = f" {'' if self.filter.relabels else 'kept by '}{self.filter.name}" if self.filter else ""
        pool = f" and {self.num_synthetic:,} of {self.pool.generator.describe(names)}{kept}" if self.pool else ""
        share = "" if self.real_share is None else f", {self.real_share:.0%} real"
        share += "" if self.real_weight is None else f", real weight {self.real_weight:g}"
        protocol = self.protocol if self.stages is None else self.stages.name
        return (
            f"{self.classifier.name} on {self.subset.num_real:,} real images{pool} ({protocol}{share}), "
            f"draw {self.subset.draw}, seed {self.seed}"
        )

    @cached_property
    def pack_key(self) -> str:
        """The same for trials that can be trained together: a pack has one recipe, loss and learning rate at a time."""
        soft = SOFT if self.protocol == SOFT else ""
        return self.classifier.key + (self.stages.options_key if self.stages else soft)

    @property
    def num_raw(self) -> int:
        """Images of the Pool that it needs: more than it trains on where a filter drops some."""
        return self.num_synthetic if self.filter is None else self.filter.num_raw(self.num_synthetic)

    @cached_property
    def common_seed(self) -> int:
        """Of weights and batches: the same in all cells of a draw and seed, so that they can be paired."""
        return derive_seed("trial", self.subset.data.key, self.subset.draw, self.seed)
