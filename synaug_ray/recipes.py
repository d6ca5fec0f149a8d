"""Recipes: hyperparameters without data, of a generator, a sampler, a classifier; and the named presets.

Every field is part of the identity of what is made with it, except ``name`` (a label) and
``trained_on`` (which chooses a Subset). Training lengths are in images seen (``nimg``), never epochs.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from synaug_ray.keys import content_key


def _no_truth_value(value: object) -> object:
    """YAML reads ``yes`` and ``on`` as true, which pydantic would take for 1.0."""
    if isinstance(value, bool):
        raise ValueError("input should be a number")
    return value


MOST = 1_000_000_000_000  # of any count: so that no product of two overflows
Count = Annotated[int, Field(strict=True, ge=1, le=MOST)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Number = Annotated[float, BeforeValidator(_no_truth_value), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Precision = Literal["fp32", "bf16"]  # bf16: of matrix products and convolutions; weights and losses stay fp32


class Recipe(BaseModel):
    """Frozen hyperparameters; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    labels: ClassVar[frozenset[str]] = frozenset({"name", "trained_on"})

    @cached_property
    def key(self) -> str:
        """Identity: every field but the labels, defaults included."""
        return content_key(self.model_dump(mode="json", exclude=set(self.labels)))


class EDMRecipe(Recipe):
    """A class-conditional diffusion generator, EDM-preconditioned (Karras et al., arXiv 2206.00364)."""

    family: Literal["edm"] = "edm"
    name: Name
    trained_on: Count | None = None  # images of the same draw; None is closed-set: the cell's own Subset
    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)  # of the U-Net, one entry a resolution
    attention: tuple[StrictBool, ...] = (False, False)  # at which of these; the middle always has it
    layers_per_block: Count = 1
    norm_groups: Count = 8
    dropout: Share = 0.1
    label_dropout: Share = 0.15  # share of labels replaced by the null class, for guidance
    nimg: Count = 16_000
    max_passes: Positive | None = None  # training ends after this many passes over the Subset
    batch: Count = 32
    learning_rate: Positive = 8e-3
    warmup_nimg: Count = 1_600
    ema_half_life: Positive = 1_600  # images seen
    p_mean: Number = -1.2  # ln(sigma) ~ N(p_mean, p_std^2) in training
    p_std: Positive = 1.2
    flip: StrictBool = False  # random horizontal flips of the training images
    precision: Precision = "fp32"  # of training

    @model_validator(mode="after")
    def _fits_together(self) -> EDMRecipe:
        if len(self.attention) != len(self.channels):
            raise ValueError(f"{self.name} has {len(self.channels)} channels and {len(self.attention)} attention "
                             "entries; give one of each for every resolution")
        odd = [c for c in self.channels if c % self.norm_groups]
        if odd:
            raise ValueError(f"{self.name}: channels {odd} do not divide into norm_groups: {self.norm_groups}")
        return self


class ReferenceRecipe(Recipe):
    """A generator that learns nothing: a control, or a baseline that a learnt generator has to beat.

    - ``real-holdout``: real images of the same draw that the Subset does not hold (worth one each);
    - ``duplicate``: the Subset's own images again (worth nothing);
    - ``label-shuffle``: held-out real images under labels dealt anew at random (must hurt);
    - ``jitter``: the Subset's images plus Gaussian noise (cheap, and often as good).
    """

    family: Literal["real-holdout", "duplicate", "label-shuffle", "jitter"]
    name: Name
    noise: NotNegative = 0.0  # jitter: standard deviation, as a share of the images' own
    trained_on: ClassVar[None] = None


GeneratorRecipe = Annotated[EDMRecipe | ReferenceRecipe, Field(discriminator="family")]


class SamplerRecipe(Recipe):
    """How images come out of a generator; ``replay`` (see ``REPLAY``) is that of reference generators."""

    family: Literal["dpmpp-2m", "heun", "euler", "replay"] = "dpmpp-2m"
    name: Name
    steps: Annotated[int, Field(strict=True, ge=2, le=MOST)] = 8
    guidance: NotNegative = 1.5  # classifier-free; 1 is none
    sigma_min: Positive = 0.002
    sigma_max: Positive = 80.0
    rho: Positive = 7.0
    batch: Count = 256  # images sampled at once; the last batch is padded, so bits do not depend on it
    shard_size: Count = 256  # images; the unit of resume
    precision: Precision = "fp32"

    @model_validator(mode="after")
    def _noise_falls(self) -> SamplerRecipe:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"{self.name}: sigma_min {self.sigma_min:g} is not below sigma_max {self.sigma_max:g}")
        return self


class Optimiser(Recipe):
    """AdamW or SGD with Nesterov momentum, linear warm-up, then cosine to zero."""

    family: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Positive = 3e-3
    weight_decay: NotNegative = 0.01
    momentum: Share = 0.9  # sgd only
    warmup: Share = 0.05  # share of the training


class ClassifierRecipe(Recipe):
    """A classifier and its training, the same number of images seen in every cell."""

    family: Literal["mlp", "cnn", "timm"] = "mlp"
    name: Name
    model: str = ""  # timm's name of it
    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = (128, 128)  # of layers (mlp), of stages (cnn)
    small_stem: StrictBool = True  # timm only: 3x3 first convolution of stride 1, no max-pool
    optimiser: Optimiser = Optimiser()
    nimg: Count = 64_000
    batch: Count = 64
    label_smoothing: Share = 0.0
    flip: StrictBool = False
    shift: Annotated[int, Field(strict=True, ge=0, le=MOST)] = 0  # pixels, zero-padded random translation
    pack: Count = 16  # trials trained together in one process, padded to exactly this many
    precision: Precision = "fp32"


GENERATORS: dict[str, EDMRecipe | ReferenceRecipe] = {
    recipe.name: recipe
    for recipe in (
        EDMRecipe(name="edm-tiny"),
        EDMRecipe(name="edm-smoke", nimg=6_400, warmup_nimg=640, ema_half_life=640),
        EDMRecipe(name="edm-16px", channels=(32, 64), nimg=128_000, max_passes=400, batch=64, learning_rate=3e-3,
                  warmup_nimg=6_400, ema_half_life=6_400, flip=True, precision="bf16"),
        EDMRecipe(name="edm-28px", channels=(16, 32, 64), attention=(False, False, True), nimg=96_000,
                  batch=64, learning_rate=5e-3, warmup_nimg=3_200, ema_half_life=3_200),
        EDMRecipe(
            name="edm-small", channels=(128, 256, 256), attention=(False, True, False), layers_per_block=3,
            norm_groups=32, dropout=0.13, label_dropout=0.1, nimg=20_000_000, max_passes=4_000, batch=512,
            learning_rate=1e-3, warmup_nimg=500_000, ema_half_life=500_000, flip=True,
        ),
        ReferenceRecipe(name="real-holdout", family="real-holdout"),
        ReferenceRecipe(name="duplicate", family="duplicate"),
        ReferenceRecipe(name="label-shuffle", family="label-shuffle"),
        ReferenceRecipe(name="jitter", family="jitter", noise=0.25),
    )
}

SAMPLERS: dict[str, SamplerRecipe] = {
    recipe.name: recipe
    for recipe in (
        SamplerRecipe(name="dpmpp-8"),
        SamplerRecipe(name="dpmpp-10-bf16", steps=10, precision="bf16"),
        SamplerRecipe(name="heun-18", family="heun", steps=18),
        SamplerRecipe(name="heun-18-large", family="heun", steps=18, batch=512, shard_size=2_048),
    )
}

REPLAY = SamplerRecipe(name="replay", family="replay")

CLASSIFIERS: dict[str, ClassifierRecipe] = {
    recipe.name: recipe
    for recipe in (
        ClassifierRecipe(name="mlp"),
        ClassifierRecipe(name="mlp-smoke", nimg=16_000),
        ClassifierRecipe(name="cnn", family="cnn", widths=(32, 64, 128), flip=True, shift=2, pack=1, precision="bf16"),
        ClassifierRecipe(
            name="resnet18", family="timm", model="resnet18", nimg=5_000_000, batch=128, flip=True, shift=4,
            optimiser=Optimiser(family="sgd", learning_rate=0.1, weight_decay=5e-4), pack=1,
        ),
    )
}
