"""Recipes of the generator families: those trained on a Subset, the references, and hybrids of several."""

from __future__ import annotations

import json
import math
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from synaug_ray.common.keys import content_key
from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.given_autoencoder import given_autoencoder
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.pretrained_recipe import PretrainedRecipe
from synaug_ray.config.recipes import (
    Count,
    NotNegative,
    Number,
    Positive,
    invalid,
)
from synaug_ray.config.reference_recipe import ReferenceRecipe
from synaug_ray.config.sampling import OF_NOISE_LEVELS
from synaug_ray.config.trained_recipes import LENGTH as LENGTH
from synaug_ray.config.trained_recipes import ConvolutionalRecipe, EDMRecipe, UNetRecipe
from synaug_ray.config.vit_gan_recipe import ViTGANRecipe as ViTGANRecipe

FINEST = 10_000  # shares of a hybrid are multiples of 1 / FINEST
LEAST, ROUNDED = 0.001, 0.002  # the smallest share above 0; what shares may add up to beside 1, as thirds do
OF_IMAGES = ("guide", "sampler")  # fields that one training does not depend on, and its images do


class LatentRecipe(EDMRecipe):
    """Latent diffusion (arXiv 2112.10752): an autoencoder trained on the Subset, then EDM in its latents.

    The first ``autoencoder_share`` of the images seen in training are the autoencoder's. Noise levels, of training and
    of the sampler, are in standard deviations of a latent. With ``autoencoder`` it is not trained but given: the whole
    training is that of the diffusion model.
    """

    labels: ClassVar[frozenset[str]] = EDMRecipe.labels | {"autoencoder"}
    later: ClassVar[frozenset[str]] = EDMRecipe.later | {"autoencoder_content"}
    family: Literal["latent"] = "latent"  # type: ignore[assignment]
    autoencoder: str = ""  # folder of a diffusers AutoencoderKL that was trained on other images; empty: trained here
    autoencoder_content: str = ""  # of its files: computed if empty, else checked
    p_mean: Number = -0.4  # of EDM2, arXiv 2312.02696, for latents of about unit variance
    p_std: Positive = 1.0
    conditioning: Literal["add", "scale-shift"] = "scale-shift"
    autoencoder_share: Annotated[Number, Field(gt=0, lt=1)] = 0.4
    autoencoder_channels: Annotated[tuple[Count, ...], Field(min_length=2)] = (16, 32, 64)  # as ``channels``
    autoencoder_learning_rate: Positive = 2e-3
    latent_channels: Count = 4
    kl_weight: NotNegative = 1e-6  # of the divergence, in nats a pixel value, beside the mean squared error

    @property
    def continues(self) -> bool:
        return False  # a longer training begins with a longer one of the autoencoder

    @property
    def halvings(self) -> int:
        return super().halvings + self.latent_halvings

    @property
    def latent_halvings(self) -> int:
        """How often the autoencoder halves the images."""
        return len(self.autoencoder_channels) - 1

    def latent_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Of the latents of images of ``shape``: (channels, height, width)."""
        side = 2**self.latent_halvings
        return self.latent_channels, shape[1] // side, shape[2] // side

    @property
    def given(self) -> bool:
        """Whether its autoencoder was trained elsewhere, on other images."""
        return bool(self.autoencoder_content)

    @property
    def trained_share(self) -> float:
        """The share of the images seen that are the autoencoder's."""
        return 0.0 if self.given else self.autoencoder_share

    def autoencoder_length(self, num_real: int) -> int:
        """Images seen in the training of the autoencoder: whole batches, at least one; none where it is given."""
        if self.given:
            return 0
        return max(round(self.autoencoder_share * self.length(num_real) / self.batch), 1) * self.batch

    @model_validator(mode="before")
    @classmethod
    def _identified(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("autoencoder", ""), str):
            return values
        if values.get("autoencoder"):
            return given_autoencoder(values)
        if values.get("autoencoder_content"):
            raise invalid("no-such-autoencoder", "autoencoder_content without `autoencoder:`; name its folder")
        return values

    @model_validator(mode="after")
    def _works_in_latents(self) -> LatentRecipe:
        if self.augment:
            raise invalid(
                "augment-latents",
                f"{self.name}: augment transforms images, and a latent generator learns latents; remove augment: "
                f"{self.augment:g}",
            )
        if self.schedule != "falling":
            raise invalid(
                "schedule-of-latents",
                f"{self.name}: a longer latent training does not begin with a shorter one, as its autoencoder trains "
                f"longer too; schedule must be falling, got {self.schedule}",
            )
        odd = [c for c in self.autoencoder_channels if c % self.norm_groups]
        if odd and not self.given:
            raise invalid(
                "not-divisible",
                f"{self.name}: autoencoder_channels {odd} do not divide into norm_groups: {self.norm_groups}",
            )
        return self


class DDPMRecipe(UNetRecipe):
    """DDPM: noise prediction at discrete noise levels (Ho et al., arXiv 2006.11239)."""

    samplers: ClassVar[tuple[str, ...]] = ("ddim", "ddpm")
    unused_settings: ClassVar[tuple[str, ...]] = OF_NOISE_LEVELS
    family: Literal["ddpm"] = "ddpm"
    betas: Literal["cosine", "linear"] = "cosine"  # arXiv 2102.09672, eq. 17; arXiv 2006.11239, section 4
    levels: Annotated[int, Field(strict=True, ge=2, le=10_000)] = 1_000  # T


class GANRecipe(ConvolutionalRecipe):
    """A conditional GAN for few, small images: hinge loss, spectral norm, projection, DiffAugment."""

    samplers: ClassVar[tuple[str, ...]] = ("latent",)
    later: ClassVar[frozenset[str]] = frozenset({"schedule"})
    family: Literal["gan"] = "gan"
    latent: Count = 32  # dimensions of z
    norm_groups: Count = 8
    learning_rate: Positive = 1e-3  # of both networks
    augment: tuple[Literal["translate", "cutout", "brightness"], ...] = ("translate", "cutout")

    @model_validator(mode="after")
    def _divides(self) -> GANRecipe:
        odd = [c for c in self.channels if c % self.norm_groups]
        if odd:
            raise invalid(
                "not-divisible", f"{self.name}: channels {odd} do not divide into norm_groups: {self.norm_groups}"
            )
        return self


OneRecipe = Annotated[
    EDMRecipe | LatentRecipe | LoraRecipe | DDPMRecipe | GANRecipe | ViTGANRecipe | PretrainedRecipe | ReferenceRecipe,
    Field(discriminator="family"),
]


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


GeneratorRecipe = Annotated[
    EDMRecipe
    | LatentRecipe
    | LoraRecipe
    | DDPMRecipe
    | GANRecipe
    | ViTGANRecipe
    | PretrainedRecipe
    | ReferenceRecipe
    | HybridRecipe,
    Field(discriminator="family"),
]


def singles(recipe: GeneratorRecipe) -> tuple[OneRecipe, ...]:
    """The generators that make its images: itself, or the parts of a hybrid that have a share."""
    return recipe.used if isinstance(recipe, HybridRecipe) else (recipe,)


GENERATOR_FAMILIES: dict[str, type[AnyGenerator]] = {
    "edm": EDMRecipe,
    "latent": LatentRecipe,
    "lora": LoraRecipe,
    "ddpm": DDPMRecipe,
    "gan": GANRecipe,
    "vit-gan": ViTGANRecipe,
    "pretrained": PretrainedRecipe,
    "hybrid": HybridRecipe,
    **dict.fromkeys(("real-holdout", "duplicate", "label-shuffle", "jitter", "mixup", "augment"), ReferenceRecipe),
}
