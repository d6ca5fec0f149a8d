"""Recipes of the generator families, trained, pretrained and reference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from synaug_ray.common.keys import folder_key
from synaug_ray.config.recipes import (
    Count,
    Flag,
    Name,
    NotNegative,
    Number,
    Positive,
    Precision,
    Recipe,
    Share,
    invalid,
)

LENGTH = frozenset({"nimg", "max_passes"})  # the fields that say how long a generator trains


class _Generator(Recipe):
    """Fields and properties of the recipes of all families."""

    samplers: ClassVar[tuple[str, ...]]  # families of samplers that work with it, the default first
    reference: ClassVar[bool] = False  # a control or baseline without training
    open_set: ClassVar[bool] = False  # whether it was trained on more than any Subset, by its nature
    name: Name

    @property
    def continues(self) -> bool:
        """Whether it can be trained further than it was, as if it had never ended."""
        return False

    @property
    def any_length_key(self) -> str:
        """The same for recipes that differ in nothing but how long they train."""
        return self.key

    @property
    def halvings(self) -> int:
        """How often it halves its images; their side must be a multiple of 2 to that power."""
        return 0

    @property
    def mirrors(self) -> bool:
        """Whether it sees its training images mirrored, so that a copy of one may be mirrored."""
        return False

    def length(self, num_real: int) -> int:
        """Images seen in training on ``num_real`` images."""
        return 0


class _Trained(_Generator):
    """A network trained on the Subset for ``nimg`` images seen, or ``max_passes`` passes over it if that is fewer."""

    trained_on: Count | None = None  # images of the same draw; None is closed-set: the cell's own Subset
    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)  # one entry per resolution, the finest first
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
    def halvings(self) -> int:
        return len(self.channels) - 1

    @property
    def mirrors(self) -> bool:
        return self.flip

    def length(self, num_real: int) -> int:
        return self.nimg if self.max_passes is None else min(self.nimg, round(self.max_passes * num_real))


class UNetRecipe(_Trained):
    """A class-conditional diffusion model on diffusers' U-Net: the base of EDM and DDPM."""

    later: ClassVar[frozenset[str]] = frozenset({"conditioning", "schedule"})
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


class DDPMRecipe(UNetRecipe):
    """DDPM: noise prediction at discrete noise levels (Ho et al., arXiv 2006.11239)."""

    samplers: ClassVar[tuple[str, ...]] = ("ddim", "ddpm")
    family: Literal["ddpm"] = "ddpm"
    betas: Literal["cosine", "linear"] = "cosine"  # arXiv 2102.09672, eq. 17; arXiv 2006.11239, section 4
    levels: Annotated[int, Field(strict=True, ge=2, le=10_000)] = 1_000  # T


class GANRecipe(_Trained):
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


HUB = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")


class PretrainedRecipe(_Generator):
    """A diffusers pipeline trained elsewhere on other images, so open-set.

    Its key depends on the folder's content, not its path, or on the name on the hub with the commit.
    """

    samplers: ClassVar[tuple[str, ...]] = ("pipeline",)
    open_set: ClassVar[bool] = True
    trained_on: ClassVar[None] = None
    labels: ClassVar[frozenset[str]] = Recipe.labels | {"pipeline"}
    family: Literal["pretrained"] = "pretrained"
    pipeline: Annotated[str, Field(min_length=1)]  # a folder, or ``owner/name@commit`` on the hub
    content: str = ""  # of the folder: computed if empty, else checked
    class_ids: tuple[
        Annotated[int, Field(strict=True, ge=0)], ...
    ] = ()  # the pipeline's, one per class; () is 0, 1, ...
    prompt: str = "a photo of a {label}"  # text-to-image
    words: tuple[str, ...] = ()  # in place of {label}, one per class; () is the classes' names
    size: Count | None = None  # pixels a side of a text-to-image pipeline's images; None is its default

    @model_validator(mode="before")
    @classmethod
    def _identified(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("pipeline"), str):
            return values
        where, given = values["pipeline"], values.get("content") or ""
        if HUB.fullmatch(where):
            return values | {"content": where}
        try:
            folder = Path(where).expanduser().resolve()  # absolute: workers run elsewhere
            found = (folder / "model_index.json").is_file()
        except (OSError, RuntimeError, ValueError) as error:  # name too long, unknown user, NUL character
            raise invalid("not-a-path", f"pipeline {where!r} is not a valid path ({error})") from None
        if found:
            found = folder_key(folder)
            if given and given != found:
                raise invalid(
                    "other-content",
                    f"pipeline {folder} has other files (content {found[:12]}) than the grid names (content "
                    f"{given[:12]}); remove `content:` to use the files as they are",
                )
            return values | {"pipeline": str(folder), "content": found}
        if given:
            return values  # identified by its content; the machine that loads it must have it
        raise invalid(
            "no-such-pipeline",
            f"pipeline {where!r} is neither a folder with a model_index.json nor a name on the hub with "
            "its commit (owner/name@40 hexadecimal digits; a branch or tag can move)",
        )

    @model_validator(mode="after")
    def _prompt_names_the_class(self) -> PretrainedRecipe:
        if "{label}" not in self.prompt:
            raise invalid(
                "prompt-without-label",
                f"{self.name}: the prompt {self.prompt!r} does not contain {{label}}, so it "
                "would be the same for all classes; add {label}",
            )
        return self


class ReferenceRecipe(_Generator):
    """A generator without training: a control, or a baseline that a trained generator has to beat.

    - ``real-holdout``: real images of the same draw outside the Subset (worth one each);
    - ``duplicate``: the Subset's own images again (worth nothing);
    - ``label-shuffle``: held-out real images under randomly permuted labels (must hurt);
    - ``jitter``: the Subset's images plus Gaussian noise (cheap, often as good);
    - ``mixup``: points between two images of one class of the Subset (SMOTE, arXiv 1106.1813; within a class
      also the labels of mixup, arXiv 1710.09412, are the class's own);
    - ``augment``: the Subset's images randomly flipped, rotated, scaled and shifted.
    """

    samplers: ClassVar[tuple[str, ...]] = ("replay",)
    reference: ClassVar[bool] = True
    trained_on: ClassVar[None] = None
    later: ClassVar[frozenset[str]] = frozenset({"alpha", "flip", "shift", "rotate", "scale"})
    family: Literal["real-holdout", "duplicate", "label-shuffle", "jitter", "mixup", "augment"]
    noise: NotNegative = 0.0  # jitter: standard deviation, as a share of the images' own
    alpha: Positive = 1.0  # mixup: the share of the first image ~ Beta(alpha, alpha)
    flip: Flag = False  # augment: horizontally, with probability 1/2
    shift: Annotated[Number, Field(ge=0, lt=1)] = 0.0  # augment: at most, as a share of the side, in each direction
    rotate: Annotated[Number, Field(ge=0, le=180)] = 0.0  # augment: at most, degrees in each direction
    scale: Annotated[Number, Field(ge=0, lt=1)] = 0.0  # augment: between 1 - scale and 1 + scale

    @property
    def mirrors(self) -> bool:
        return self.family == "augment" and self.flip

    def most_images(self, num_train: int, num_real: int) -> int | None:
        """The largest possible pool; None if there is no limit."""
        return num_train - num_real if self.family in ("real-holdout", "label-shuffle") else None


GeneratorRecipe = Annotated[
    EDMRecipe | DDPMRecipe | GANRecipe | PretrainedRecipe | ReferenceRecipe, Field(discriminator="family")
]
GENERATOR_FAMILIES: dict[str, type[_Generator]] = {
    "edm": EDMRecipe,
    "ddpm": DDPMRecipe,
    "gan": GANRecipe,
    "pretrained": PretrainedRecipe,
    **dict.fromkeys(("real-holdout", "duplicate", "label-shuffle", "jitter", "mixup", "augment"), ReferenceRecipe),
}
