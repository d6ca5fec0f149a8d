"""Recipes of the generator families: those trained on a Subset, the references, and hybrids of several."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from synaug_ray.common.keys import content_key
from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.pretrained_recipe import PretrainedRecipe
from synaug_ray.config.recipes import Number, invalid
from synaug_ray.config.reference_recipe import ReferenceRecipe
from synaug_ray.config.text_recipes import InversionRecipe, TextLoraRecipe, of_text
from synaug_ray.config.trained_recipes import LENGTH as LENGTH
from synaug_ray.config.trained_recipes import DDPMRecipe, EDMRecipe, GANRecipe, LatentRecipe
from synaug_ray.config.trained_recipes import UNetRecipe as UNetRecipe
from synaug_ray.config.vit_gan_recipe import ViTGANRecipe

FINEST = 10_000  # shares of a hybrid are multiples of 1 / FINEST
LEAST, ROUNDED = 0.001, 0.002  # the smallest share above 0; what shares may add up to beside 1, as thirds do
OF_IMAGES = ("guide", "sampler")  # fields that one training does not depend on, and its images do
TEXT_LORA = "lora-text"  # family lora of a text-to-image pipeline


def kind_of(value: Any) -> str | None:
    """Which recipe a generator's is: its family, but for ``lora``, which has two."""
    if not isinstance(value, (Mapping, AnyGenerator)):
        return "edm"  # any: it is not a mapping, and said so
    family = value.get("family") if isinstance(value, Mapping) else getattr(value, "family", None)
    if family == "lora" and (of_text(value) if isinstance(value, Mapping) else isinstance(value, TextLoraRecipe)):
        return TEXT_LORA
    return "reference" if GENERATOR_FAMILIES.get(str(family)) is ReferenceRecipe else family


def recipe_type(kind: str | None) -> type[AnyGenerator] | None:
    """The class of a recipe, by what ``kind_of`` gives; None if there is none."""
    return {TEXT_LORA: TextLoraRecipe, "reference": ReferenceRecipe}.get(str(kind)) or GENERATOR_FAMILIES.get(str(kind))


_Single = (
    Annotated[EDMRecipe, Tag("edm")]
    | Annotated[LatentRecipe, Tag("latent")]
    | Annotated[LoraRecipe, Tag("lora")]
    | Annotated[TextLoraRecipe, Tag(TEXT_LORA)]
    | Annotated[InversionRecipe, Tag("inversion")]
    | Annotated[DDPMRecipe, Tag("ddpm")]
    | Annotated[GANRecipe, Tag("gan")]
    | Annotated[ViTGANRecipe, Tag("vit-gan")]
    | Annotated[PretrainedRecipe, Tag("pretrained")]
    | Annotated[ReferenceRecipe, Tag("reference")]
)
OneRecipe = Annotated[_Single, Discriminator(kind_of)]


class Part(BaseModel):
    """A generator of a hybrid, and the share of the hybrid's images that are its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generator: OneRecipe
    share: Annotated[Number, Field(ge=0, le=1)]


class HybridRecipe(AnyGenerator):
    """One pool of the images of several generators at given shares: it trains nothing and makes no image of its own.

    Its parts' images are those of their own pools, shared with these (``plan.hybrid``).
    """

    samplers: ClassVar[tuple[str, ...]] = ("replay",)  # unused: each part has its own
    trained_on: ClassVar[None] = None  # each part has its own
    family: Literal["hybrid"] = "hybrid"
    parts: Annotated[tuple[Part, ...], Field(min_length=2)]

    @property
    def used_weights(self) -> tuple[tuple[OneRecipe, int], ...]:
        """The recipes of its parts that have a share, with these as ``weights``."""
        return tuple((p.generator, weight) for p, weight in zip(self.parts, self.weights, strict=True) if weight)

    @property
    def used(self) -> tuple[OneRecipe, ...]:
        """The recipes of its parts that have a share."""
        return tuple(recipe for recipe, _ in self.used_weights)

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """The shares as whole numbers without a common factor; thirds may be written as 0.333."""
        of_ten_thousand = [round(part.share * FINEST) for part in self.parts]
        common = math.gcd(*of_ten_thousand)
        return tuple(weight // common for weight in of_ten_thousand)

    @cached_property
    def key(self) -> str:
        parts = [(*_identity(recipe), weight) for recipe, weight in self.used_weights]
        return content_key({"family": self.family, "parts": parts})

    @property
    def reference(self) -> bool:  # type: ignore[override]
        return all(recipe.reference for recipe in self.used)

    @property
    def halvings(self) -> int:
        return max(recipe.halvings for recipe in self.used)

    @property
    def mirrors(self) -> bool:
        return any(recipe.mirrors for recipe in self.used)

    @property
    def held_out(self) -> bool:
        return any(recipe.held_out for recipe in self.used)

    @model_validator(mode="after")
    def _adds_up(self) -> HybridRecipe:
        shares = [part.share for part in self.parts]
        given, total = ", ".join(f"{share:g}" for share in shares), sum(shares)
        if abs(total - 1) > ROUNDED:
            raise invalid(
                "shares",
                f"{self.name}: the shares {given} of its parts add up to {total:g}; they must add up to 1, such as "
                f"{', '.join(f'{share / total:.3g}' for share in shares) if total else '0.5, 0.5'}",
            )
        tiny = [share for share in shares if 0 < share < LEAST]
        if tiny:
            raise invalid(
                "shares",
                f"{self.name}: a share is 0, or {LEAST:g} or more, got {tiny[0]:g}; raise it, or leave this part out",
            )
        names: dict[tuple[Any, ...], str] = {}
        for recipe in (part.generator for part in self.parts):
            if (at := _identity(recipe)) in names:
                raise invalid(
                    "same-parts",
                    f"{self.name}: its parts {names[at]} and {recipe.name} are the same generator, whose images would "
                    "come twice; keep one, with the sum of their shares",
                )
            names[at] = recipe.name
        return self


def _identity(recipe: AnyGenerator) -> tuple[Any, ...]:
    """What the images of a part depend on besides its data and the grid's sampler, in JSON's types."""
    plain = [value and value.model_dump(mode="json") for value in (getattr(recipe, n, None) for n in OF_IMAGES)]
    for settings in plain:
        if settings:
            settings.pop("name", None)
    return (recipe.key, getattr(recipe, "trained_on", None), *(json.dumps(value, sort_keys=True) for value in plain))


GeneratorRecipe = Annotated[_Single | Annotated[HybridRecipe, Tag("hybrid")], Discriminator(kind_of)]


def singles(recipe: GeneratorRecipe) -> tuple[OneRecipe, ...]:
    """The generators that make its images: itself, or the parts of a hybrid that have a share."""
    return recipe.used if isinstance(recipe, HybridRecipe) else (recipe,)


GENERATOR_FAMILIES: dict[str, type[AnyGenerator]] = {
    "edm": EDMRecipe,
    "latent": LatentRecipe,
    "lora": LoraRecipe,
    "inversion": InversionRecipe,
    "ddpm": DDPMRecipe,
    "gan": GANRecipe,
    "vit-gan": ViTGANRecipe,
    "pretrained": PretrainedRecipe,
    "hybrid": HybridRecipe,
    **dict.fromkeys(("real-holdout", "duplicate", "label-shuffle", "jitter", "mixup", "augment"), ReferenceRecipe),
}
