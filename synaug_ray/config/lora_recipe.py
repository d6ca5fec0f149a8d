"""The recipe of a generator that changes another, trained on other images, by low-rank matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from synaug_ray.config.every_problem import validated
from synaug_ray.config.given_base import Base, base_in, with_base
from synaug_ray.config.recipes import Count, Flag, Number, Positive, invalid
from synaug_ray.config.trained_recipes import EDMRecipe

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of the changes that may be applied, where images choose
JUDGED = 1 / 8  # images that each of them is judged by, counting repeats, for each image seen in one training
FORWARD = 1 / 3  # of the work of a step of training: its passes backwards take twice as much


class LoraRecipe(EDMRecipe):
    """LoRA (arXiv 2106.09685) of a class-conditional EDM generator, after DataDream (arXiv 2407.10910), without text.

    The network and its dropout are the base's: ``channels`` and the other fields of the network are filled in.
    """

    labels: ClassVar[frozenset[str]] = EDMRecipe.labels | {"base"}
    later: ClassVar[frozenset[str]] = EDMRecipe.later | {"per_class", "validation_share"}
    family: Literal["lora"] = "lora"  # type: ignore[assignment]
    base: Annotated[str, Field(min_length=1)]  # folder of the generator that was trained on other images
    base_content: str = ""  # of its files: computed if empty, else checked
    rank: Count = 16  # of the change of each matrix; no more than its rows and columns
    alpha: Positive = 32.0  # a change is scaled by alpha / rank
    adapts: Literal["all", "attention"] = "all"  # layers: convolutions and linear layers, or attention's alone
    per_class: Flag = False  # changes of their own for each class, each trained for nimg images of it
    # Of the Subset: images that a first training does not see, and which then choose by how much the changes of a
    # second one, of the whole Subset, are applied; 0: they are applied in full, and there is one training
    validation_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.0
    # the base's class that each class starts from; empty: each starts from a random embedding, as any training does
    class_ids: tuple[Annotated[int, Field(strict=True, ge=0)], ...] = ()
    nimg: Count = 6_400
    warmup_nimg: Count = 640
    ema_half_life: Positive = 640

    @property
    def continues(self) -> bool:
        return super().continues and not self.validation_share  # its first training would have to go on, too

    def length(self, num_real: int) -> int:
        """Of both trainings, where a first one chooses by how much the changes are applied; the second may be saved."""
        return super().length(num_real) * (2 if self.validation_share else 1)

    @property
    def judging(self) -> float:
        """The work of judging shares of the changes, beside that of both trainings."""
        return len(SCALES) * JUDGED * FORWARD / 2 if self.validation_share else 0.0

    def one_training(self, num_real: int) -> LoraRecipe:
        """The recipe of either training."""
        alone = self.model_copy(update={"validation_share": 0.0})
        return alone.model_copy(update={"nimg": alone.length(num_real), "max_passes": None})

    @property
    def of_base(self) -> Base | None:
        """What the base's folder says of it; None where it is not on this machine."""
        return base_in(Path(self.base))

    @model_validator(mode="wrap")
    @classmethod
    def _identified(cls, values: Any, handler: ModelWrapValidatorHandler[LoraRecipe]) -> LoraRecipe:
        """Validate with what the base says; all that is wrong with either is reported together."""
        named = isinstance(values, dict) and isinstance(values.get("base"), str) and values["base"]
        if not named or not isinstance(values.get("base_content", ""), str):
            return handler(values)
        values, wrong = with_base(values)
        return validated(cls.__name__, handler, values, wrong)

    @model_validator(mode="after")
    def _each_class_has_a_length(self) -> LoraRecipe:
        without_passes(self.name, self.per_class, self.max_passes)
        return self

    @model_validator(mode="after")
    def _classes_are_not_judged_apart(self) -> LoraRecipe:
        if self.per_class and self.validation_share:
            raise invalid(
                "validation-per-class",
                f"{self.name}: validation_share: {self.validation_share:g} chooses how much is applied of changes that "
                "all classes share, and per_class has changes of each class, whose few images cannot choose; remove "
                "one of the two",
            )
        return self

    @model_validator(mode="after")
    def _is_not_conditioned_anew(self) -> LoraRecipe:
        if self.augment:
            raise invalid(
                "augment-base",
                f"{self.name}: augment conditions a network on the transformations from its start, and the base was "
                f"not; remove augment: {self.augment:g}, or use flip",
            )
        return self


def without_passes(name: str, per_class: bool, max_passes: float | None) -> None:
    """Raise PydanticCustomError where changes for each class would be trained for so many passes over all."""
    if per_class and max_passes is not None:
        raise invalid(
            "passes-per-class",
            f"{name}: max_passes: {max_passes:g} counts passes over all classes, and per_class trains each by itself; "
            "give nimg, the images that each class's changes see, and leave max_passes out",
        )


def unlike_base(
    recipe: LoraRecipe, channels: int | None, side: int, num_classes: int | None
) -> list[tuple[str, str, str]]:
    """(field, code, text) of each way in which images do not fit the base; none where its folder is not here.

    Args:
        channels: of the images; None if they are not known yet.
        side: in pixels.
        num_classes: None if it is not known yet.
    """
    base = recipe.of_base
    if base is None:
        return []
    found = []
    theirs, high, wide = base.shape
    if (high, wide) != (side, side):
        text = f"the base of {recipe.name} makes images of {high} x {wide} pixels, and these have {side} x {side}"
        found.append(("base", "image-size", f"{text}; set data.size: {high}, or give a base of this size"))
    if channels is not None and theirs != channels:
        mode = "rgb" if theirs == 3 else "gray"
        text = f"the base of {recipe.name} makes images with {theirs} channels, and these have {channels}"
        found.append(("base", "image-channels", f"{text}; set data.mode: {mode}, or give a base of such images"))
    if num_classes is not None and recipe.class_ids and len(recipe.class_ids) != num_classes:
        text = f"{recipe.name}: {len(recipe.class_ids)} class_ids for {num_classes:,} classes; give one of the base's "
        text += "classes for each, in the order of the classes, or leave class_ids out"
        found.append(("class_ids", "base-classes", text))
    return found
