"""``sampler: {guidance: 2}`` of a generator: its own sampling settings, in place of those of the grid's sampler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from synaug_ray.config.recipes import MOST, NotNegative, Number, Positive, invalid

OF_NOISE_LEVELS = ("sigma_min", "sigma_max", "rho")  # only a sampler that chooses its noise levels has these


class Guide(BaseModel):
    """Each image starts from a real one of its class with noise: ``generators.guide``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strength: Annotated[Number, Field(ge=0, le=1)]  # ``SamplerRecipe.strength``
    of: Literal["subset", "held-out"] = "subset"  # ``SamplerRecipe.start``

    @model_validator(mode="after")
    def _leaves_something(self) -> Guide:
        if self.of == "held-out" and self.strength == 1:
            raise invalid(
                "out-of-range",
                "guide of held-out images at strength 1 would leave nothing of them; give a strength below 1, such as "
                "0.35",
            )
        return self


class Sampling(BaseModel):
    """Settings of a ``SamplerRecipe`` that a generator has of its own; None: as in the grid's sampler.

    They are no part of the generator's key: one training serves all settings, each of which gives a pool of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""  # in tables of costs; a label
    family: Literal["dpmpp-2m", "dpmpp-3m", "heun", "euler", "ddim", "ddpm", "pipeline"] | None = None
    steps: Annotated[int, Field(strict=True, ge=2, le=MOST)] | None = None
    guidance: NotNegative | None = None
    guidance_interval: tuple[NotNegative, Positive] | None = None
    sigma_min: Positive | None = None
    sigma_max: Positive | None = None
    rho: Positive | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """The fields of a ``SamplerRecipe`` that it sets."""
        given = {name: getattr(self, name) for name in SETTINGS if getattr(self, name) is not None}
        return given | ({"name": self.name} if self.name else {})


SETTINGS = tuple(name for name in Sampling.model_fields if name != "name")


def usable(settings: Sampling | None, families: Iterable[str], unused: Iterable[str]) -> Sampling | None:
    """The same settings, checked for a family of generators.

    Args:
        families: of samplers that work with it.
        unused: settings that these do not have.

    Raises:
        PydanticCustomError: if a setting does not apply to it.
    """
    families, unused = tuple(families), tuple(unused)
    if settings is None:
        return None
    if settings.family is not None and settings.family not in families:
        raise invalid(
            "not-a-choice",
            f"this generator cannot be sampled by {settings.family}; give family: {' or '.join(families)}, or none",
        )
    wrong = [name for name in unused if getattr(settings, name) is not None]
    if wrong:
        known = [name for name in SETTINGS if name not in unused]
        raise invalid(
            "unused-setting",
            f"{', '.join(wrong)} has no meaning for samplers of this generator ({', '.join(families)}); it takes "
            f"{', '.join(known)}",
        )
    return settings


def label_of(settings: Mapping[str, Any]) -> str:
    """Plain settings as part of a name: ``guidance-2``, ``heun-steps-4``; what is not a valid value is left out."""
    words = []
    for name in (*SETTINGS, "strength"):
        value, word = settings.get(name), name.replace("_", "-")
        if name == "family" and isinstance(value, str):
            words.append(value)
        elif name == "guidance_interval" and isinstance(value, list | tuple) and all(map(_number, value)):
            words.append("-".join(("interval", *(f"{v:g}" for v in value))))
        elif _number(value):
            words.append(f"{word}-{value:g}")
    return "-".join(words)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
