"""The factors of a grid: the values whose every combination is measured."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.config.presets import FILTERS
from synaug_ray.config.protocols import GridProtocol, StagedProtocol
from synaug_ray.config.recipes import ClassifierRecipe, Count, CountOrZero, Number, invalid

Multiple = Annotated[Number, Field(ge=0, le=1_000)]
RealShare = Literal["proportional"] | Annotated[Number, Field(gt=0, lt=1)]


def _mixes(weight: float) -> float:
    if weight == 0:
        raise invalid("out-of-range", "0 would leave real images out; protocol synthetic-only trains without them")
    if weight == 1:
        raise invalid("out-of-range", "1 would leave synthetic images out; every grid has its real-only trials anyway")
    return weight


RealWeight = Literal["share"] | Annotated[Number, Field(ge=0, le=1), AfterValidator(_mixes)]
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
        with_distinct_names(tuple(v for v in values if isinstance(v, StagedProtocol)))
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
        return with_distinct_names(recipes)


def with_distinct_names(recipes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The recipes; raises ``ValueError`` with the names that several of them have."""
    names = [recipe.name for recipe in recipes]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise invalid("duplicate-name", f"several recipes are named {', '.join(repeated)}; give each its own `name:`")
    return recipes
