"""The declared question: a ``GridSpec``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from synaug_ray.config.budget import Budget, Until
from synaug_ray.config.cells import LONGER, TRAINING_CHECK, CellSpec, cells_of
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.factors import FACTORS, Factors, with_distinct_names
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.fewer_draws import FewerDraws, left_out
from synaug_ray.config.generator_recipes import LatentRecipe, singles
from synaug_ray.config.given_autoencoder import weights_of
from synaug_ray.config.given_base import files_of
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.presets import SAMPLERS
from synaug_ray.config.recipes import (
    MOST,
    ClassifierRecipe,
    Number,
    Positive,
    Precision,
    SamplerRecipe,
    invalid,
    truth_value,
)
from synaug_ray.config.weights import HUB

DEFAULT_SAMPLER = "dpmpp-8"


class TrainingCheck(BaseModel):
    """Real-only trials over twice the images seen, where there are synthetic images and at the end: long enough?"""

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
        return with_distinct_names(recipes)

    def products(self) -> tuple[Factors, ...]:
        """The grid's own product, then each block's."""
        own = {name: getattr(self, name) for name in FACTORS}
        return (Factors.model_validate(own),) + tuple(Factors.model_validate(own | b) for b in self.blocks)

    def cells(self) -> Iterator[CellSpec]:
        """All cells, product by product; a cell of two products comes twice."""
        for factors in self.products():
            for cell in cells_of(factors):
                if not left_out(self.fewer_draws, cell):
                    yield cell

    def arms(self, num_real: int) -> set[str]:
        """The names of the synthetic images at ``num_real`` real ones: see ``CellSpec.arm``."""
        one = {"num_real": (num_real,), "draws": 1, "seeds": 1}
        found: set[str] = set()
        for factors in self.products():
            if num_real in factors.num_real:
                few = factors.model_copy(update=one | {"classifiers": factors.classifiers[:1]})
                found |= {cell.arm for cell in cells_of(few) if cell.generator is not None}
        return found

    def training_checks(self) -> Iterator[CellSpec]:
        """The longer real-only trials of each size that has synthetic images, and of each classifier's largest size.

        The largest says what more real images bring, and takes the longest training. One of two products comes twice.
        """
        largest: dict[str, tuple[int, ClassifierRecipe, int]] = {}
        checked: dict[str, int] = {}
        for factors in self.products():
            draws = min(self.training_check.draws, factors.draws)
            trained = [c for c in factors.classifiers if not c.frozen]  # a fitted head has no length
            sizes = [n for n in factors.num_real if n and factors.amounts(n)]
            for n, classifier, draw in product(sizes, trained, range(draws)):
                checked[classifier.name] = max(n, checked.get(classifier.name, 0))
                yield _longer(n, classifier, draw)
            for classifier in trained:
                end = max(factors.num_real), classifier, draws
                largest[classifier.name] = max(end, largest.get(classifier.name, end), key=lambda found: found[0])
        for name, (n, classifier, draws) in largest.items():
            for draw in range(draws if n > checked.get(name, n) else 0):
                yield _longer(n, classifier, draw)

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


def _longer(num_real: int, classifier: ClassifierRecipe, draw: int) -> CellSpec:
    return CellSpec(num_real, 0, None, classifier.longer(LONGER), TRAINING_CHECK, None, draw, 0)


def write_grid(spec: GridSpec) -> str:
    """The resolved grid as YAML text that loads to an equal ``GridSpec``."""
    return yaml.safe_dump(spec.resolved(), sort_keys=False, allow_unicode=True)
