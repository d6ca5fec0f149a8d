"""Recipes of the generators that are trained: what all have, and EDM's, on which others build."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.recipes import Count, Flag, Number, Positive, Precision, Share, invalid
from synaug_ray.config.sampling import Guide, Sampling, usable

LENGTH = frozenset({"nimg", "max_passes"})  # the fields that say how long a generator trains


class TrainedRecipe(AnyGenerator):
    """A network trained on the Subset for ``nimg`` images seen, or ``max_passes`` passes over it if that is fewer."""

    trained_on: Count | None = None  # images of the same draw; None is closed-set: the cell's own Subset
    nimg: Count = 16_000
    max_passes: Positive | None = None  # training ends after this many passes over the Subset
    batch: Count = 32
    ema_half_life: Positive = 1_600  # images seen
    flip: Flag = False  # random horizontal flips of the training images
    precision: Precision = "fp32"  # of training
    # Of the learning rate after its warm-up: it falls to 0 at the end of the training (diffusion: as a cosine; GAN:
    # linearly, in the second half), or stays, so that a shorter training is the beginning of a longer one
    schedule: Literal["falling", "constant"] = "falling"

    @property
    def continues(self) -> bool:
        """Whether a longer training begins, bit by bit, with a shorter one of the same recipe."""
        return self.schedule == "constant"

    @property
    def any_length_key(self) -> str:
        return self._key(LENGTH)

    @property
    def mirrors(self) -> bool:
        return self.flip

    def length(self, num_real: int) -> int:
        return self.nimg if self.max_passes is None else min(self.nimg, round(self.max_passes * num_real))


class ConvolutionalRecipe(TrainedRecipe):
    """A network of convolutions at several resolutions."""

    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)  # one entry per resolution, the finest first

    @property
    def halvings(self) -> int:
        return len(self.channels) - 1


class UNetRecipe(ConvolutionalRecipe):
    """A class-conditional diffusion model on diffusers' U-Net: the base of EDM and DDPM."""

    labels: ClassVar[frozenset[str]] = AnyGenerator.labels | {"guide", "sampler"}  # one training serves all of them
    unused_settings: ClassVar[tuple[str, ...]] = ()  # of ``Sampling``
    later: ClassVar[frozenset[str]] = frozenset({"conditioning", "schedule"})
    guide: Guide | None = None
    sampler: Sampling | None = None  # settings of its own, in place of those of the grid's sampler
    attention: tuple[Flag, ...] = (False, False)  # one entry per resolution; the middle block always has it
    layers_per_block: Count = 1
    norm_groups: Count = 8
    dropout: Share = 0.1
    label_dropout: Share = 0.15  # share of labels replaced by the null class, for guidance
    learning_rate: Positive = 8e-3
    warmup_nimg: Count = 1_600
    # How noise level and class enter each block: added to its features, or as their scale and shift after the
    # normalisation (adaptive group norm, arXiv 2105.05233, section 3)
    conditioning: Literal["add", "scale-shift"] = "add"

    @field_validator("sampler")
    @classmethod
    def _samples(cls, value: Sampling | None) -> Sampling | None:
        return usable(value, cls.samplers, cls.unused_settings)

    @model_validator(mode="after")
    def _held_out_is_unseen(self) -> UNetRecipe:
        if self.held_out and self.trained_on:
            raise invalid(
                "held-out-but-seen",
                f"{self.name}: trained_on: {self.trained_on:,} would show it the held-out images that it re-makes; "
                "leave trained_on out, or guide of: subset",
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> UNetRecipe:
        if len(self.attention) != len(self.channels):
            raise invalid(
                "unequal-lengths",
                f"{self.name} has {len(self.channels)} channels and {len(self.attention)} attention entries; give one "
                "of each for every resolution",
            )
        odd = [c for c in self.channels if c % self.norm_groups]
        if odd:
            raise invalid(
                "not-divisible", f"{self.name}: channels {odd} do not divide into norm_groups: {self.norm_groups}"
            )
        return self


class EDMRecipe(UNetRecipe):
    """EDM: preconditioning, loss and noise levels of Karras et al., arXiv 2206.00364."""

    samplers: ClassVar[tuple[str, ...]] = ("dpmpp-2m", "dpmpp-3m", "heun", "euler")
    later: ClassVar[frozenset[str]] = UNetRecipe.later | {"augment", "micro_batch", "noise_frequencies"}
    family: Literal["edm"] = "edm"
    p_mean: Number = -1.2  # ln(sigma) ~ N(p_mean, p_std^2) in training
    p_std: Positive = 1.2
    # Frequencies of the sinusoids that encode c_noise = ln(sigma) / 4: from 1 down to 1/10,000, which diffusers uses
    # for steps 0 to 1,000, or from 1 up to 100 radians a unit
    noise_frequencies: Literal["falling", "rising"] = "falling"
    augment: Share = 0.0  # probability of each augmentation; the network is conditioned on them (non-leaky)
    micro_batch: Count | None = None  # images at once, if a batch does not fit into memory; gradients accumulate

    @property
    def mirrors(self) -> bool:
        return (
            self.flip or self.augment > 0
        )  # the network is conditioned on the mirroring, but may not learn it perfectly

    @model_validator(mode="after")
    def _divides(self) -> EDMRecipe:
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise invalid(
                "not-divisible", f"{self.name}: batch {self.batch} does not divide into micro_batch: {self.micro_batch}"
            )
        return self
