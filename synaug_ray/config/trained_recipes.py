"""Recipes of the generators that are trained: what all have, and EDM's, on which others build."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.given_autoencoder import given_autoencoder
from synaug_ray.config.recipes import Count, Flag, NotNegative, Number, Positive, Precision, Share, invalid
from synaug_ray.config.sampling import OF_NOISE_LEVELS, Guide, Sampling, usable

LENGTH = frozenset({"nimg", "max_passes"})  # the fields that say how long a generator trains


class TrainedRecipe(AnyGenerator):
    """What is trained on the Subset for ``nimg`` images seen, or ``max_passes`` passes over it if that is fewer."""

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

    @model_validator(mode="after")
    def _held_out_is_unseen(self) -> TrainedRecipe:
        if self.held_out and self.trained_on:
            raise invalid(
                "held-out-but-seen",
                f"{self.name}: trained_on: {self.trained_on:,} would show it the held-out images that it re-makes; "
                "leave trained_on out, or guide of: subset",
            )
        return self

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
    later: ClassVar[frozenset[str]] = frozenset({"adam_beta2", "conditioning", "schedule"})
    guide: Guide | None = None
    sampler: Sampling | None = None  # settings of its own, in place of those of the grid's sampler
    attention: tuple[Flag, ...] = (False, False)  # one entry per resolution; the middle block always has it
    layers_per_block: Count = 1
    norm_groups: Count = 8
    dropout: Share = 0.1
    label_dropout: Share = 0.15  # share of labels replaced by the null class, for guidance
    learning_rate: Positive = 8e-3
    # Decay of Adam's mean squared gradient in each batch. With 0.999 it remembers thousands of small gradients when
    # larger ones come, and the steps are too long: at half of a rate that is steady with 0.95, some trainings diverge
    adam_beta2: Annotated[Number, Field(gt=0, lt=1)] = 0.999
    warmup_nimg: Count = 1_600
    # How noise level and class enter each block: added to its features, or as their scale and shift after the
    # normalisation (adaptive group norm, arXiv 2105.05233, section 3)
    conditioning: Literal["add", "scale-shift"] = "add"

    @field_validator("sampler")
    @classmethod
    def _samples(cls, value: Sampling | None) -> Sampling | None:
        return usable(value, cls.samplers, cls.unused_settings)

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
