"""What steps need within one process: images, the Store, the machine, and caches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load as load_arrays

from synaug_ray.common.errors import DamagedState
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.protocols import SOFT
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.images import Dataset, ImageSet, concatenate, interleave
from synaug_ray.data.subsets import Draws
from synaug_ray.engine.machine import Machine
from synaug_ray.generators import registry
from synaug_ray.generators.base import Generator
from synaug_ray.plan.hybrid import HybridPool
from synaug_ray.plan.step import Step
from synaug_ray.plan.steps import GeneratorStep, Pool, ShardStep, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.quality import label_classifiers
from synaug_ray.quality.label_classifiers import LabelClassifiers
from synaug_ray.quality.pretrained_features import PretrainedSpace, open_space
from synaug_ray.store.store import Store

# a worker that only trains does without scipy, which takes two seconds of a core to import
if TYPE_CHECKING:
    from synaug_ray.classifiers.pretrained import FrozenNetwork
    from synaug_ray.quality.assess import RealReference
    from synaug_ray.quality.filters import Select

CACHE_BYTES = 1 << 30  # of shards cached per process
CACHE_GENERATORS = 4  # per process
CACHE_FILTERS = 8  # per process: a pack's trials come from few Subsets
TRAINING_IMAGES = 5_000  # real images to compare the variety of a pool with: more would not be worth their cost
Progress = Callable[[Step, float], None]  # (step, fraction done)
FetchShard = Callable[[ShardStep], ImageSet | None]
Features = tuple[NDArray[np.float16], NDArray[np.int64]]  # [N, views, D], and labels [N]
S = TypeVar("S", bound=Step)
K = TypeVar("K")
V = TypeVar("V")


def _kept(cache: OrderedDict[K, V], key: K, most: int, make: Callable[[], V]) -> V:
    """The value of a key, made unless it is there; only the ``most`` that were used last are kept."""
    if key not in cache:
        cache[key] = make()
    cache.move_to_end(key)
    while len(cache) > most:
        cache.popitem(last=False)
    return cache[key]


@dataclass
class WorkerContext:
    """What steps need within one process; call ``use_threads`` before running any."""

    store: Store
    dataset: Dataset
    machine: Machine
    fetch: FetchShard = lambda shard: None  # from shared memory, if it is there
    progress: Progress = lambda step, share: None
    draws: Draws = field(init=False)
    _shards: OrderedDict[str, ImageSet] = field(init=False, default_factory=OrderedDict)
    _generators: OrderedDict[tuple[str, str], Generator] = field(init=False, default_factory=OrderedDict)
    _selectors: OrderedDict[tuple[Subset | None, str, bool], Select] = field(init=False, default_factory=OrderedDict)
    _teachers: OrderedDict[Subset, LabelClassifiers] = field(init=False, default_factory=OrderedDict)
    _real_references: dict[Subset, RealReference] = field(init=False, default_factory=dict)
    _label_classifiers: LabelClassifiers | None = field(init=False, default=None)
    _spaces: dict[str, PretrainedSpace] = field(init=False, default_factory=dict)
    _networks: dict[str, FrozenNetwork] = field(init=False, default_factory=dict)
    _features: OrderedDict[tuple[str, ...], Features] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.draws = Draws(self.dataset.train, self.dataset.num_classes)

    @property
    def device(self) -> torch.device:
        return torch.device(self.machine.device)

    def missing(self, steps: Sequence[S]) -> list[S]:
        """The steps without a Record: another driver may have finished some since they were planned."""
        return [step for step in steps if not self.store.has(step)]

    def shard(self, step: ShardStep) -> ImageSet:
        """A shard's images: from this process, from shared memory, or from the Store."""
        if step.key in self._shards:
            self._shards.move_to_end(step.key)
            return self._shards[step.key]
        images = self.fetch(step)
        if images is None:
            record = self.store.record("shard", step.key)
            arrays = load_arrays(self.store.read(record, "images.safetensors"))
            images = ImageSet(arrays["images"], arrays["labels"])
        self._shards[step.key] = images
        while sum(s.images.nbytes for s in self._shards.values()) > CACHE_BYTES and len(self._shards) > 1:
            self._shards.popitem(last=False)
        return images

    def generator(self, step: GeneratorStep) -> Generator:
        """A finished generator, from this process or from the Store."""
        record = self.store.record("generator", step.key)
        at = (record.key, record.attempt)

        def load() -> Generator:
            files = {name: self.store.read(record, name) for name in record.files}
            order = self.draws.order(step.subset)
            return registry.load(step.recipe, files, self.dataset.train, order, step.subset.num_real)

        return _kept(self._generators, at, CACHE_GENERATORS, load)

    def images(self, trial: TrialStep) -> ImageSet:
        """A trial's images: its Subset, then a prefix of its Pool, or of the images its filter keeps.

        Raises:
            TooFewKept: if the filter keeps fewer images than the trial needs.
        """
        real = self.dataset.train.take(self.draws.index(trial.subset))
        if trial.pool is None:
            return real
        return concatenate(real, self.synthetic(trial))

    def synthetic(self, trial: TrialStep) -> ImageSet:
        """The images of a trial's Pool that it trains on, with the labels that it trains on; raises as ``images``."""
        assert trial.pool is not None
        images = self.pool(trial.pool, trial.num_raw).take(self.chosen(trial))
        if trial.filter is None or not trial.filter.relabels:
            return images
        from synaug_ray.quality.relabelling import relabelled

        return relabelled(images, self.label_classifiers(trial.subset.data, lambda share: self.progress(trial, 0.0)))

    def soft_labels(self, trial: TrialStep) -> NDArray[np.float32] | None:
        """The probabilities that a trial's synthetic images are learnt from, [num_synthetic, classes], if it does so.

        The teachers are classifiers of its Subset, and closed-set therefore.
        """
        if trial.protocol != SOFT:
            return None
        from synaug_ray.classifiers.soft_labels import softened

        subset = trial.subset

        def train() -> LabelClassifiers:
            real = self.dataset.train.take(self.draws.index(subset))
            seed = derive_seed("teacher", subset.data.key, subset.draw, subset.num_real)
            return label_classifiers.train_label_classifiers(real, self.dataset.num_classes, seed, self.device)

        teacher = _kept(self._teachers, subset, CACHE_FILTERS, train)
        return softened(teacher.log_probabilities(self.synthetic(trial)))

    def starts(self, step: ShardStep) -> ImageSet | None:
        """The real images that those of a shard start from: the Subset, or all others of its draw in their order."""
        if step.sampler.strength == 1:
            return None
        subset = step.generator.subset
        order = self.draws.order(subset)
        held_out = self.starts_held_out(step)
        return self.dataset.train.take(order[subset.num_real :] if held_out else order[: subset.num_real])

    @staticmethod
    def starts_held_out(step: ShardStep) -> bool:
        """Whether the images of a shard start from held-out ones."""
        return step.sampler.strength < 1 and step.sampler.start == "held-out"

    def network(self, recipe: ClassifierRecipe) -> FrozenNetwork:
        """The frozen network of a recipe; raises as ``open_network``. Only the last is kept."""
        from synaug_ray.classifiers.pretrained import FrozenNetwork

        if recipe.network_key not in self._networks:
            self._networks.clear()
            self._networks[recipe.network_key] = FrozenNetwork(recipe, self.device)
        return self._networks[recipe.network_key]

    def features(self, steps: Sequence[Step]) -> Features:
        """Of the images of finished feature steps, in order; kept for the next trials."""
        at = tuple(step.key for step in steps)
        if at not in self._features:
            records = [self.store.record("features", step.key) for step in steps]
            found = [load_arrays(self.store.read(record, "features.safetensors")) for record in records]
            x, y = (np.concatenate([arrays[name] for arrays in found]) for name in ("features", "labels"))
            self._features[at] = x, y
        self._features.move_to_end(at)
        while sum(x.nbytes for x, _ in self._features.values()) > CACHE_BYTES and len(self._features) > 1:
            self._features.popitem(last=False)
        return self._features[at]

    def chosen(self, trial: TrialStep) -> NDArray[np.int64]:
        """Which of the images of its shards a trial trains on: the first ones, or the first that its filter keeps.

        Raises:
            TooFewKept: if the filter keeps fewer images than the trial needs.
        """
        if trial.filter is None or trial.pool is None or trial.filter.relabels:
            return np.arange(trial.num_synthetic)
        return self._selector(trial, trial.filter)(self.pool(trial.pool, trial.num_raw), trial.num_synthetic)

    def _selector(self, trial: TrialStep, recipe: FilterRecipe) -> Select:
        """Raises as ``open_clip``."""
        from synaug_ray.quality.filters import by_text, selector

        subset, count = trial.subset, self.dataset.num_classes
        at = (subset if recipe.needs_subset else None, recipe.key, trial.mirrors)

        def fit() -> Select:
            if not recipe.needs_subset:
                from synaug_ray.quality.clip import own_class

                return by_text(recipe, own_class(recipe, self.dataset.classes, self.device), count)
            real = self.dataset.train.take(self.draws.index(subset))
            seed = derive_seed("filter", subset.data.key, subset.draw, subset.num_real)
            return selector(recipe, real, count, seed, self.device, trial.mirrors)

        return _kept(self._selectors, at, CACHE_FILTERS, fit)

    def pool(self, pool: Pool, count: int) -> ImageSet:
        """The first ``count`` images of a pool whose shards are finished."""
        if isinstance(pool, HybridPool):
            parts = {i: self.pool(part, number) for i, (part, number) in enumerate(pool.taken(count)) if number}
            turns = pool.turns(count)
            images, labels = ({i: getattr(p, name) for i, p in parts.items()} for name in ("images", "labels"))
            return ImageSet(interleave(turns, images), interleave(turns, labels))
        shards = [self.shard(s) for s in pool.shards(count)]
        return ImageSet(
            np.concatenate([s.images for s in shards])[:count], np.concatenate([s.labels for s in shards])[:count]
        )

    def space(self, recipe: FeatureRecipe, tick: Callable[[float], None]) -> PretrainedSpace:
        """A pretrained network; raises as ``open_space``."""
        if recipe.key not in self._spaces:
            self._spaces[recipe.key] = open_space(recipe, self.device, tick)
        return self._spaces[recipe.key]

    def label_classifiers(self, data: DataIdentity, tick: Callable[[float], None]) -> LabelClassifiers:
        """Classifiers of all the data set's training images, or of those of ``data.judge``.

        They are trained once a storage, as far as processes can tell.
        """
        if self._label_classifiers is None:
            of = data.key if data.judge is None else f"{data.judge.key} for {data.key}"
            images = self.dataset.train if data.judge is None else self.dataset.judge
            assert images is not None  # ``open_run`` has read them
            made = images, self.dataset.num_classes, derive_seed("judges", of), self.device
            key = label_classifiers.storage_key(of)
            stored = self.store.load_shared(key)
            if stored is not None:
                with suppress(DamagedState):
                    self._label_classifiers = label_classifiers.from_bytes(stored, *made)
            if self._label_classifiers is None:
                self._label_classifiers = label_classifiers.of_data_set(*made, tick)
                self.store.save_shared(key, label_classifiers.to_bytes(self._label_classifiers))
        return self._label_classifiers

    def real_reference(self, subset: Subset, tick: Callable[[float], None] = lambda share: None) -> RealReference:
        """What a Subset's pools are compared with in quality checks: training and validation images, never test images.

        Only the last is cached: the quality checks of one Subset run one after another.
        """
        from synaug_ray.quality.assess import real_reference

        if subset not in self._real_references:
            order = self.draws.order(subset)
            seen, others = order[: subset.num_real], order[subset.num_real : TRAINING_IMAGES]
            train = self.dataset.train
            # the seed's label never changes: another one would train other classifiers
            seed = derive_seed("yardstick", subset.data.key, subset.draw, subset.num_real)
            self._real_references.clear()
            self._real_references[subset] = real_reference(
                train.take(seen),
                self.dataset.val,
                self.dataset.num_classes,
                train.take(others) if len(others) else None,
                seed,
                self.device,
                self.label_classifiers(subset.data, tick),
            )
        return self._real_references[subset]
