"""Recipes: hyperparameters without data. Their base and field types; those of samplers and classifiers.

Every field is part of the content key of what is made with it, except ``name`` (a label) and
``trained_on`` (which selects a Subset). Training lengths are in images seen (``nimg``), never epochs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from synaug_ray.common.keys import content_key
from synaug_ray.config.weights import identified


def invalid(code: str, text: str) -> PydanticCustomError:
    """What a validator raises: ``code`` is the code of the Message that a user gets."""
    return PydanticCustomError(code, text)  # type: ignore[arg-type]


def _no_truth_value(value: object) -> object:
    """YAML reads ``yes`` and ``on`` as true, which pydantic would convert to 1.0."""
    if isinstance(value, bool):
        raise invalid("not-a-number", "input should be a number")
    return value


def truth_value(value: object) -> object:
    """Accept yes, no, on and off, which our YAML reads as text, for true and false."""
    word = value.lower() if isinstance(value, str) else value
    return True if word in ("yes", "on") else False if word in ("no", "off") else value


def _integer(value: object, least: int = 1) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid("not-an-integer", f"input should be a whole number >= {least}")
    return value


MOST = 1_000_000_000_000  # of any count, so that no product of two overflows
Count = Annotated[int, BeforeValidator(_integer), Field(strict=True, ge=1, le=MOST)]
CountOrZero = Annotated[int, BeforeValidator(lambda value: _integer(value, 0)), Field(strict=True, ge=0, le=MOST)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Flag = Annotated[StrictBool, BeforeValidator(truth_value)]
Number = Annotated[float, BeforeValidator(_no_truth_value), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Precision = Literal["fp32", "bf16"]  # bf16: of matrix products and convolutions; weights and losses stay fp32


class Recipe(BaseModel):
    """Frozen hyperparameters; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    labels: ClassVar[frozenset[str]] = frozenset({"name", "trained_on"})
    # Fields added after the first release. A field at its default stays out of the key, because the default is what was
    # done before the field existed: results under the old key stay valid. Such a default may never change.
    later: ClassVar[frozenset[str]] = frozenset()

    @cached_property
    def key(self) -> str:
        """Content key: every field except the labels and the fields of ``later`` at their defaults."""
        return self._key(frozenset())

    def _key(self, without: frozenset[str]) -> str:
        untouched = {name for name in self.later if getattr(self, name) == type(self).model_fields[name].default}
        return content_key(self.model_dump(mode="json", exclude={*self.labels, *untouched, *without}))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A changed copy; pydantic's own would keep the keys of the original where they have been computed."""
        copy = super().model_copy(update=update, deep=deep)
        for key in vars(copy).keys() - type(self).model_fields.keys():
            vars(copy).pop(key)
        return copy


class SamplerRecipe(Recipe):
    """How images are sampled from a generator.

    ``dpmpp-2m``, ``dpmpp-3m``, ``heun`` and ``euler`` solve EDM's ODE; ``ddim`` and ``ddpm`` reverse a DDPM;
    ``latent`` is one evaluation of a GAN, ``pipeline`` a call of a pretrained pipeline, ``replay`` is for reference
    generators. ``sampler_of`` chooses the one for a generator.
    """

    later: ClassVar[frozenset[str]] = frozenset({"guidance_interval", "strength", "start"})
    family: Literal["dpmpp-2m", "dpmpp-3m", "heun", "euler", "ddim", "ddpm", "latent", "pipeline", "replay"] = (
        "dpmpp-2m"
    )
    name: Name
    steps: Annotated[int, Field(strict=True, ge=2, le=MOST)] = 8
    guidance: NotNegative = 1.5  # classifier-free; 1 is without guidance
    # Lowest and highest noise level with guidance (Kynkäänniemi et al., arXiv 2404.07724); None is all levels.
    # As EDM counts them: the standard deviation of the noise that is added to an image of black -1 and white 1
    guidance_interval: tuple[NotNegative, Positive] | None = None
    # Of diffusion models: 1 starts from noise; less, from real images with as much noise as that share of the steps
    # removes (SDEdit, arXiv 2108.01073); 0 returns the real images. ``guide`` of a generator sets it
    strength: Annotated[Number, Field(ge=0, le=1)] = 1.0
    # Which real images those are: the ones the generator was trained on, or others of the same draw, in their order and
    # with their labels, so that image i is what the generator makes of image i of ``real-holdout``
    start: Literal["subset", "held-out"] = "subset"
    sigma_min: Positive = 0.002
    sigma_max: Positive = 80.0
    rho: Positive = 7.0
    batch: Count = 256  # images sampled at once; the last batch is padded, so results do not depend on its size
    shard_size: Count = 256  # images; a run resumes at whole shards
    precision: Precision = "fp32"

    @property
    def steps_taken(self) -> int:
        """Of ``steps``, those that images take that start from real ones; at least one unless they are these."""
        return max(round(self.strength * self.steps), 1 if self.strength else 0)

    def guidance_at(self, sigma: float) -> float:
        """The guidance at a noise level."""
        if self.guidance_interval is None:
            return self.guidance
        low, high = self.guidance_interval
        tiny = 1 + 1e-9  # levels are powers of roots, and so not exactly those of the recipe
        return self.guidance if low * tiny < sigma <= high * tiny else 1.0

    @model_validator(mode="after")
    def _interval_rises(self) -> SamplerRecipe:
        if self.guidance_interval is not None and self.guidance_interval[0] >= self.guidance_interval[1]:
            low, high = self.guidance_interval
            raise invalid(
                "sigma-order",
                f"{self.name}: guidance_interval [{low:g}, {high:g}] is empty; its first noise level must be below the "
                "second",
            )
        return self

    @model_validator(mode="after")
    def _noise_falls(self) -> SamplerRecipe:
        if self.sigma_min >= self.sigma_max:
            raise invalid(
                "sigma-order",
                f"{self.name}: sigma_min {self.sigma_min:g} is not below sigma_max {self.sigma_max:g}; lower "
                "sigma_min, or raise sigma_max",
            )
        return self


class Optimiser(Recipe):
    """AdamW or SGD with Nesterov momentum, linear warm-up, then cosine to zero."""

    family: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Positive = 3e-3
    weight_decay: NotNegative = 0.01
    momentum: Share = 0.9  # sgd only
    warmup: Share = 0.05  # share of the training


# Of the training of networks: they do not bear on a head that is fitted exactly
UNUSED_BY_HEADS = frozenset(
    {"widths", "small_stem", "optimiser", "nimg", "min_passes", "batch", "label_smoothing", "shift", "pack"}
    | {"head_learning_rate", "batch_norm", "layer_decay", "decay_to", "lora_rank", "lora_alpha"}
)
# Of a recipe with weights that does not say otherwise: a short training at lower rates; buffers cannot be packed
PRETRAINED_DEFAULTS: dict[str, Any] = {
    "nimg": 12_800,
    "optimiser": {"learning_rate": 3e-4},
    "head_learning_rate": 3e-3,
    "pack": 1,
}


class ClassifierRecipe(Recipe):
    """A classifier and its training, with the same number of images seen in every cell of a number of real images.

    With ``weights`` it starts from a network of timm that was trained on other images, and has a new head.
    """

    labels: ClassVar[frozenset[str]] = Recipe.labels | {"weights"}
    later: ClassVar[frozenset[str]] = frozenset(
        {"content", "tune", "size", "head_learning_rate", "batch_norm"}
        | {"layer_decay", "decay_to", "lora_rank", "lora_alpha", "head", "min_passes"}
    )
    family: Literal["mlp", "cnn", "timm"] = "mlp"
    name: Name
    model: str = ""  # its name in timm
    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = (128, 128)  # of layers (mlp), of stages (cnn)
    small_stem: Flag = True  # timm without weights: 3x3 first convolution of stride 1, no max-pool
    optimiser: Optimiser = Optimiser()
    nimg: Count = 64_000
    # Of at least so many times the real images: for the larger sizes of a grid, where nimg alone would be few passes
    min_passes: Positive | None = None
    batch: Count = 64
    label_smoothing: Share = 0.0
    flip: Flag = False
    shift: Annotated[int, Field(strict=True, ge=0, le=MOST)] = 0  # pixels, zero-padded random translation
    pack: Count = 16  # trials trained together in one process, padded to exactly this many
    precision: Precision = "fp32"
    weights: str = (
        ""  # path of the model's safetensors file, or ``owner/name@commit`` on the hub; empty: random weights
    )
    content: str = ""  # SHA-256 of that file: computed if empty, else checked when the file is opened
    # what is trained of a network with weights; lora: a low-rank change of each layer, and the head (arXiv 2106.09685)
    tune: Literal["all", "lora", "head"] = "all"
    size: Count | None = None  # pixels a side that images are scaled to for it; None is the model's own
    head_learning_rate: Positive | None = None  # of the new head; None is that of all
    # of a network with weights that is trained: means and variances stay those of its own images, or follow the batches
    batch_norm: Literal["frozen", "adapted"] = "frozen"
    layer_decay: Annotated[Number, Field(gt=0, le=1)] = (
        1.0  # of the learning rate, from each layer to the one before it
    )
    decay_to: Literal["zero", "weights"] = "zero"  # what weight decay pulls the body to (L2-SP, arXiv 1802.01483)
    lora_rank: Count = 8
    lora_alpha: Positive = 16.0  # the change is scaled by lora_alpha / lora_rank
    head: Literal["linear", "knn"] = "linear"  # what is fitted to frozen features: tune: head

    @model_validator(mode="before")
    @classmethod
    def _identified(cls, values: Any) -> Any:
        given = isinstance(values, dict) and all(
            isinstance(values.get(name, ""), str) for name in ("name", "model", "weights", "content")
        )
        if not given or not (values.get("weights") or values.get("content")):
            return values  # values of other types are reported field by field
        need = f"give model.safetensors of huggingface.co/timm/{values.get('model')}, or owner/name@commit there"
        defaults = {} if values.get("tune") == "head" else PRETRAINED_DEFAULTS
        return defaults | identified(values, need)

    @property
    def pretrained(self) -> bool:
        """Whether it has seen other images than those of the grid."""
        return bool(self.content)

    @property
    def frozen(self) -> bool:
        """Whether only a head is fitted, to features of a network that stays as it is: exactly, so without a length."""
        return self.pretrained and self.tune == "head"

    @cached_property
    def network_key(self) -> str:
        """Of what the features of a frozen network depend on."""
        names = {"model", "content", "size", "precision", "flip"}
        return content_key(self.model_dump(mode="json", include=names))

    def _key(self, without: frozenset[str]) -> str:
        return super()._key(without | UNUSED_BY_HEADS if self.frozen else without)

    @cached_property
    def any_length_key(self) -> str:
        """The same for all lengths of training: what an image costs does not depend on how many there are."""
        return self._key(frozenset({"nimg", "min_passes"}))

    def at(self, num_real: int) -> ClassifierRecipe:
        """What is trained with so many real images: ``min_passes`` is resolved into ``nimg``."""
        if self.min_passes is None:
            return self
        nimg = max(self.nimg, math.ceil(self.min_passes * num_real))
        return self.model_copy(update={"nimg": nimg, "min_passes": None})

    def longer(self, times: int) -> ClassifierRecipe:
        """The same training over so many times the images."""
        passes = None if self.min_passes is None else times * self.min_passes
        return self.model_copy(update={"nimg": times * self.nimg, "min_passes": passes})
