"""The declared question as a value: a ``GridSpec``, its factors and its cells."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.presets import FILTERS, SAMPLERS
from synaug_ray.config.recipes import (
    MOST,
    ClassifierRecipe,
    Count,
    FilterRecipe,
    GeneratorRecipe,
    Number,
    Positive,
    Precision,
    SamplerRecipe,
)

Multiple = Annotated[Number, Field(ge=0, le=1_000)]
RealShare = Literal["proportional"] | Annotated[Number, Field(gt=0, lt=1)]
GridProtocol = Literal["mixed", "synthetic-only", "pretrain"]
DEFAULT_SAMPLER = "dpmpp-8"
FACTORS = (
    "num_real",
    "synthetic_multiples",
    "real_share",
    "generators",
    "filters",
    "classifiers",
    "protocols",
    "draws",
    "seeds",
)


class Factors(BaseModel):
    """A full product of factors: every value of each with every value of the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_real: Annotated[tuple[Count, ...], Field(min_length=1)]
    synthetic_multiples: Annotated[tuple[Multiple, ...], Field(min_length=1)]
    generators: Annotated[tuple[GeneratorRecipe, ...], Field(min_length=1)]
    classifiers: Annotated[tuple[ClassifierRecipe, ...], Field(min_length=1)]
    filters: Annotated[tuple[FilterRecipe, ...], Field(min_length=1)] = (FILTERS["none"],)  # of synthetic images
    protocols: Annotated[tuple[GridProtocol, ...], Field(min_length=1)] = ("mixed",)
    real_share: Annotated[tuple[RealShare, ...], Field(min_length=1)] = ("proportional",)
    draws: Count = 6  # independent subsets, each with its own generator: the unit of the intervals
    seeds: Count = 2  # classifier seeds per draw

    @field_validator("num_real", "synthetic_multiples", "protocols", "real_share")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        repeated = sorted({str(v) for v in values if values.count(v) > 1})
        if repeated:
            raise ValueError(f"repeats {', '.join(repeated)}; give each value once")
        return values

    @field_validator("generators", "classifiers", "filters")
    @classmethod
    def _named_apart(cls, recipes: tuple[Any, ...]) -> tuple[Any, ...]:
        return _apart(recipes)


def _apart(recipes: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [recipe.name for recipe in recipes]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise ValueError(f"has two named {', '.join(repeated)}; give each its own `name:`")
    return recipes


class CellSpec(NamedTuple):
    """One cell's factors; ``generator`` is None in real-only cells, which exist once."""

    num_real: int
    num_synthetic: int
    generator: GeneratorRecipe | None
    classifier: ClassifierRecipe
    protocol: str
    real_share: float | None
    draw: int
    seed: int
    filter: FilterRecipe = FILTERS["none"]

    @property
    def arm(self) -> str:
        """What tables and pages call the synthetic images: their generator, and the filter they went through."""
        if self.generator is None:
            return "none"
        return self.generator.name if self.filter.family == "none" else f"{self.generator.name}+{self.filter.name}"


class GridSpec(Factors):
    """What ``grids/<name>.yaml`` declares. ``blocks`` are further products that override some factors."""

    dataset: Annotated[str, Field(min_length=1)]
    data: DataOptions = DataOptions()
    sampler: SamplerRecipe = SAMPLERS[DEFAULT_SAMPLER]  # of the generators that it can sample: see ``sampler_of``
    precision: Precision | None = None  # of every network that has one, whatever its recipe says; None: as it says
    stratify: Literal["natural", "balanced"] = "natural"
    delta: Positive = 1.0  # points: effects within +-delta count as none
    confidence: Annotated[Number, Field(gt=0.5, lt=1)] = 0.9
    replicates: Annotated[int, Field(strict=True, ge=0, le=MOST)] = 1_000  # of the bootstrap
    quality_draws: Annotated[int, Field(strict=True, ge=0, le=MOST)] = 2  # draws whose pools are looked at: fidelity,
    # labels, copies, distance from real images. A look costs seconds, and copying differs little between draws
    quality_features: tuple[FeatureRecipe, ...] = ()  # in whose features the looks compare too
    blocks: tuple[dict[str, Any], ...] = ()

    @field_validator("quality_features")
    @classmethod
    def _spaces_named_apart(cls, recipes: tuple[FeatureRecipe, ...]) -> tuple[FeatureRecipe, ...]:
        return _apart(recipes)

    def products(self) -> tuple[Factors, ...]:
        """The grid's own product and each block's."""
        own = {name: getattr(self, name) for name in FACTORS}
        return (Factors.model_validate(own),) + tuple(Factors.model_validate(own | b) for b in self.blocks)

    def cells(self) -> Iterator[CellSpec]:
        """Every cell of the union of the products; a cell in two products comes twice."""
        for factors in self.products():
            yield from _cells(factors)

    def precisions(self) -> dict[Precision, list[str]]:
        """The names of the networks, each once, by the number format they are trained in."""
        found: dict[Precision, list[str]] = {"fp32": [], "bf16": []}
        for factors in self.products():
            for recipe in (*factors.generators, *factors.classifiers):
                precision = getattr(recipe, "precision", None)  # what learns nothing has none
                if precision is not None and recipe.name not in found[precision]:
                    found[precision].append(recipe.name)
        return found

    def resolved(self) -> dict[str, Any]:
        """Plain values that, written as YAML, are this grid again, every default spelled out."""
        return self.model_dump(mode="json")


def _cells(factors: Factors) -> Iterator[CellSpec]:
    for n, classifier, draw, seed in product(
        factors.num_real, factors.classifiers, range(factors.draws), range(factors.seeds)
    ):
        yield CellSpec(n, 0, None, classifier, "real-only", None, draw, seed)
        for generator, kept, multiple, protocol in product(
            factors.generators, factors.filters, factors.synthetic_multiples, factors.protocols
        ):
            num_synthetic = round(n * multiple)
            if num_synthetic == 0:
                continue
            shares = factors.real_share if protocol == "mixed" else ("proportional",)
            for share in shares:
                real_share = None if share == "proportional" else float(share)
                yield CellSpec(n, num_synthetic, generator, classifier, protocol, real_share, draw, seed, kept)


def write_grid(spec: GridSpec) -> str:
    """The resolved grid as YAML text that loads to an equal ``GridSpec``."""
    return yaml.safe_dump(spec.resolved(), sort_keys=False, allow_unicode=True)
