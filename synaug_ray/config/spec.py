"""The declared question: a ``GridSpec``, its factors and its cells."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from synaug_ray.config.budget import Budget, Until
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.fewer_draws import FewerDraws, left_out
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.generator_recipes import GeneratorRecipe, LatentRecipe, singles
from synaug_ray.config.given_autoencoder import weights_of
from synaug_ray.config.given_base import files_of
from synaug_ray.config.joint import HEAD, fakes_seen, joint_arms
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.presets import FILTERS, SAMPLERS
from synaug_ray.config.protocols import (
    JOINT,
    SHARED,
    SYNTHETIC_ONLY,
    GridProtocol,
    StagedProtocol,
    name_of,
    with_controls,
)
from synaug_ray.config.recipes import (
    MOST,
    ClassifierRecipe,
    Count,
    CountOrZero,
    Number,
    Positive,
    Precision,
    SamplerRecipe,
    invalid,
    truth_value,
)
from synaug_ray.config.weights import HUB

Multiple = Annotated[Number, Field(ge=0, le=1_000)]
RealShare = Literal["proportional"] | Annotated[Number, Field(gt=0, lt=1)]


def _mixes(weight: float) -> float:
    if weight == 0:
        raise invalid("out-of-range", "0 would leave real images out; protocol synthetic-only trains without them")
    if weight == 1:
        raise invalid("out-of-range", "1 would leave synthetic images out; every grid has its real-only trials anyway")
    return weight


RealWeight = Literal["share"] | Annotated[Number, Field(ge=0, le=1), AfterValidator(_mixes)]
DEFAULT_SAMPLER = "dpmpp-8"
FACTORS = (
    "num_real",
    "synthetic_multiples",
    "num_synthetic",
    "real_share",
    "real_weight",
    "generators",
    "filters",
    "classifiers",
    "protocols",
    "draws",
    "seeds",
)


class Factors(BaseModel):
    """A full factorial design: every combination of the factors' values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_real: Annotated[tuple[CountOrZero, ...], Field(min_length=1)]
    synthetic_multiples: Annotated[tuple[Multiple, ...], Field(min_length=1)]
    num_synthetic: tuple[Count, ...] = ()  # further amounts, the same whatever ``num_real``
    generators: Annotated[tuple[GeneratorRecipe, ...], Field(min_length=1)]
    classifiers: Annotated[tuple[ClassifierRecipe, ...], Field(min_length=1)]
    filters: Annotated[tuple[FilterRecipe, ...], Field(min_length=1)] = (FILTERS["none"],)  # of synthetic images
    protocols: Annotated[tuple[GridProtocol, ...], Field(min_length=1)] = ("mixed",)
    real_share: Annotated[tuple[RealShare, ...], Field(min_length=1)] = ("proportional",)
    real_weight: Annotated[tuple[RealWeight, ...], Field(min_length=1)] = ("share",)  # of real images in the loss
    draws: Count = 6  # independent subsets, each with its own generator: the unit of the intervals
    seeds: Count = 2  # classifier seeds per draw

    @field_validator("num_real", "synthetic_multiples", "num_synthetic", "protocols", "real_share", "real_weight")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        _with_distinct_names(tuple(v for v in values if isinstance(v, StagedProtocol)))
        repeated = sorted({str(v) for v in values if values.count(v) > 1})
        if repeated:
            raise invalid("duplicate-value", f"repeats {', '.join(repeated)}; give each value once")
        return values

    def amounts(self, num_real: int) -> tuple[int, ...]:
        """The numbers of synthetic images at ``num_real`` real ones, each once; without none at all."""
        counts = (*(round(num_real * multiple) for multiple in self.synthetic_multiples), *self.num_synthetic)
        return tuple(dict.fromkeys(count for count in counts if count))

    @field_validator("generators", "classifiers", "filters")
    @classmethod
    def _distinct_names(cls, recipes: tuple[Any, ...]) -> tuple[Any, ...]:
        return _with_distinct_names(recipes)


def _with_distinct_names(recipes: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [recipe.name for recipe in recipes]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise invalid("duplicate-name", f"several recipes are named {', '.join(repeated)}; give each its own `name:`")
    return recipes


class CellSpec(NamedTuple):
    """One cell's factors; ``generator`` is None in real-only cells, which exist once per grid."""

    num_real: int
    num_synthetic: int
    generator: GeneratorRecipe | None
    classifier: ClassifierRecipe
    protocol: str
    real_share: float | None
    draw: int
    seed: int
    filter: FilterRecipe = FILTERS["none"]
    real_weight: float | None = None  # of the real images in the loss; None: as their share
    stages: StagedProtocol | None = None  # of protocols in two stages; ``protocol`` is their name

    @property
    def arm(self) -> str:
        """The name of the synthetic images in tables and on the page: their generator and filter."""
        if self.generator is None:
            return "none"
        return self.generator.name if self.filter.family == "none" else f"{self.generator.name}+{self.filter.name}"


TRAINING_CHECK = "training-check"  # in place of a protocol in tables: real-only trials that no law or verdict counts
LONGER = 2  # times the images seen, in those trials


class TrainingCheck(BaseModel):
    """Real-only trials over twice the images seen, at each size with synthetic images: is that long enough?"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    draws: Annotated[int, Field(strict=True, ge=0, le=MOST)] = 2  # of the grid's, with their first seed; 0: no check


class GridSpec(Factors):
    """A grid as ``grids/<name>.yaml`` declares it. ``blocks`` are further products that override some factors."""

    dataset: Annotated[str, Field(min_length=1)]
    data: DataOptions = DataOptions()
    sampler: SamplerRecipe = SAMPLERS[DEFAULT_SAMPLER]  # for the generators that it supports: see ``sampler_of``
    precision: Precision | None = None  # overrides that of every recipe that has one; None: the recipes' own
    stratify: Literal["natural", "balanced"] = "natural"
    delta: Positive = 1.0  # points: effects within +-delta count as no effect
    relative_delta: Annotated[Number, Field(gt=0, lt=1)] | None = None  # instead of delta: a fraction of the real-only
    # error at each size, such as 0.1
    confidence: Annotated[Number, Field(gt=0.5, lt=1)] = 0.9
    replicates: Annotated[int, Field(strict=True, ge=0, le=MOST)] = 1_000  # of the bootstrap
    quality_draws: Annotated[int, Field(strict=True, ge=0, le=MOST)] = 2  # draws whose pools get a quality check:
    # fidelity, labels, copies, domain gap. A check costs seconds, and copying differs little between draws
    quality_features: tuple[FeatureRecipe, ...] = ()  # further feature spaces of the quality checks
    training_check: TrainingCheck = TrainingCheck()
    budget: Budget | None = None  # of one core or GPU: ``draws`` are the first round, and more are added within it
    fewer_draws: tuple[FewerDraws, ...] = ()  # of synthetic images, at some numbers of real ones
    until: Until = Until()  # what a run with a budget is to find out
    blocks: tuple[dict[str, Any], ...] = ()

    @field_validator("training_check", mode="before")
    @classmethod
    def _on_or_off(cls, value: Any) -> Any:
        wanted = truth_value(value)
        if isinstance(wanted, bool):
            return {} if wanted else {"draws": 0}
        if not isinstance(value, (dict, TrainingCheck)):
            raise invalid("not-a-mapping", "input should be on, off, or a mapping such as {draws: 2}")
        return value

    @field_validator("quality_features")
    @classmethod
    def _distinct_feature_names(cls, recipes: tuple[FeatureRecipe, ...]) -> tuple[FeatureRecipe, ...]:
        return _with_distinct_names(recipes)

    def products(self) -> tuple[Factors, ...]:
        """The grid's own product, then each block's."""
        own = {name: getattr(self, name) for name in FACTORS}
        return (Factors.model_validate(own),) + tuple(Factors.model_validate(own | b) for b in self.blocks)

    def cells(self) -> Iterator[CellSpec]:
        """All cells, product by product; a cell of two products comes twice."""
        for factors in self.products():
            for cell in chain(_cells(factors), _joint_cells(factors)):
                if not left_out(self.fewer_draws, cell):
                    yield cell

    def arms(self, num_real: int) -> set[str]:
        """The names of the synthetic images at ``num_real`` real ones: see ``CellSpec.arm``."""
        one = {"num_real": (num_real,), "draws": 1, "seeds": 1}
        found: set[str] = set()
        for factors in self.products():
            if num_real in factors.num_real:
                few = factors.model_copy(update=one | {"classifiers": factors.classifiers[:1]})
                found |= {cell.arm for cell in chain(_cells(few), _joint_cells(few)) if cell.generator is not None}
        return found

    def training_checks(self) -> Iterator[CellSpec]:
        """The longer real-only trials of each size that has synthetic images; one of two products comes twice."""
        for factors in self.products():
            draws = range(min(self.training_check.draws, factors.draws))
            trained = [c for c in factors.classifiers if not c.frozen]  # a fitted head has no length
            sizes = [n for n in factors.num_real if n and factors.amounts(n)]
            for n, classifier, draw in product(sizes, trained, draws):
                yield CellSpec(n, 0, None, classifier.longer(LONGER), TRAINING_CHECK, None, draw, 0)

    def precisions(self) -> dict[Precision, list[str]]:
        """Names of the networks, without repeats, by the precision that they are trained in."""
        found: dict[Precision, list[str]] = {"fp32": [], "bf16": []}
        for factors in self.products():
            for recipe in (*(one for g in factors.generators for one in singles(g)), *factors.classifiers):
                precision = getattr(recipe, "precision", None)  # reference generators have none
                if precision is not None and recipe.name not in found[precision]:
                    found[precision].append(recipe.name)
        return found

    def weights(self) -> dict[str, str]:
        """The SHA-256 that each file of pretrained weights must have, by its path."""
        products = self.products()
        classifiers = [c for factors in products for c in factors.classifiers if c.pretrained]
        networks = (*self.quality_features, *classifiers)
        found = {recipe.weights: recipe.content for recipe in networks if not HUB.fullmatch(recipe.weights)}
        generators = [one for factors in products for g in factors.generators for one in singles(g)]
        latent = [g for g in generators if isinstance(g, LatentRecipe) and g.given]
        found |= dict(weights_of(g.autoencoder, g.autoencoder_content) for g in latent)
        for recipe in (g for g in generators if isinstance(g, LoraRecipe)):
            found |= files_of(recipe.base, recipe.base_content)
        return found

    def resolved(self) -> dict[str, Any]:
        """Plain values, defaults included, that load to this grid again when written as YAML."""
        return self.model_dump(mode="json")


def _cells(factors: Factors) -> Iterator[CellSpec]:
    for n, classifier, draw, seed in product(
        factors.num_real, factors.classifiers, range(factors.draws), range(factors.seeds)
    ):
        if classifier.frozen and seed:
            continue  # fitted exactly: a second seed would give the same
        amounts, protocols = factors.amounts(n), factors.protocols
        if n:
            yield CellSpec(n, 0, None, classifier, "real-only", None, draw, seed)
            for control in with_controls(protocols if amounts else (p for p in protocols if _alone(p))):
                yield CellSpec(n, 0, None, classifier, control.name, None, draw, seed, stages=control)
        else:  # without real images, all of them are
            protocols = (SYNTHETIC_ONLY,)
        for generator, kept, num_synthetic, protocol in product(
            factors.generators, factors.filters, amounts, protocols
        ):
            if _alone(protocol) or protocol == JOINT:
                continue
            stages = protocol if isinstance(protocol, StagedProtocol) else None
            shares = factors.real_share if protocol in SHARED else ("proportional",)
            weights = factors.real_weight if protocol == "mixed" else ("share",)
            for share, weight in product(shares, weights):
                real_share = None if share == "proportional" else float(share)
                real_weight = None if weight in ("share", share) else float(weight)
                yield CellSpec(
                    n,
                    num_synthetic,
                    generator,
                    classifier,
                    name_of(protocol),
                    real_share,
                    draw,
                    seed,
                    kept,
                    real_weight,
                    stages,
                )


def _joint_cells(factors: Factors) -> Iterator[CellSpec]:
    """One for each size, draw, generator with a head, and control of these; their synthetic images are those shown."""
    for n in factors.num_real if JOINT in factors.protocols else ():
        for draw, arm in product(range(factors.draws if n else 0), joint_arms(factors.generators)):
            yield CellSpec(n, fakes_seen(arm, n), arm, HEAD, JOINT, None, draw, 0)


def _alone(protocol: str | StagedProtocol) -> bool:
    """Whether it sees real images alone."""
    return isinstance(protocol, StagedProtocol) and not protocol.synthetic


def write_grid(spec: GridSpec) -> str:
    """The resolved grid as YAML text that loads to an equal ``GridSpec``."""
    return yaml.safe_dump(spec.resolved(), sort_keys=False, allow_unicode=True)
