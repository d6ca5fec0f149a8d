"""The recipe of a GAN of two vision transformers, whose discriminator is a classifier too."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from synaug_ray.config.recipes import Count, Flag, NotNegative, Number, Positive, invalid
from synaug_ray.config.trained_recipes import LENGTH, TrainedRecipe

ARM = frozenset({"selection", "threshold", "adversarial"})  # the fields that tell the arms of ``joint`` apart


class ViTGANRecipe(TrainedRecipe):
    """A conditional GAN whose discriminator has a class head, trained in the same stage (after arXiv 2212.09977).

    Only the abstract of that work was read: sizes, losses and rules are ours. The head learns from real images and from
    ``selected`` synthetic ones; the weights of its two losses are learnt (arXiv 1705.07115).
    """

    samplers: ClassVar[tuple[str, ...]] = ("latent",)
    has_head: ClassVar[bool] = True
    family: Literal["vit-gan"] = "vit-gan"
    patch: Count = 4  # pixels a side of a token
    width: Count = 48  # of a token, in both networks
    depth: Count = 3  # blocks, in both networks
    heads: Count = 4  # of attention
    latent: Count = 32  # dimensions of z
    nimg: Count = 64_000  # as the classifiers': the head is one
    batch: Count = 32
    ema_half_life: Positive = 1_600
    learning_rate: Positive = 1e-3  # of both networks
    augment: tuple[Literal["translate", "cutout", "brightness"], ...] = ("translate", "cutout")
    # Of half the squared slope at real images (arXiv 1801.04406); small, as StyleGAN2-ADA has it for small images
    r1_weight: NotNegative = 0.01
    # Synthetic images that the head learns from: those that it takes for their class with more than ``threshold``, and
    # that score above the lowest quarter of the batch's real ones; or all
    selection: Literal["confident", "none"] = "confident"
    threshold: Annotated[Number, Field(ge=0, lt=1)] = 0.5
    adversarial: Flag = True  # off: no generator, the head alone on real images. The control of protocol joint

    @property
    def joint_key(self) -> str:
        """The same for all arms of protocol ``joint`` that differ in their synthetic images alone."""
        return self._key(ARM)

    @property
    def seed_key(self) -> str:
        return self._key(ARM | LENGTH) if self.continues else self.joint_key

    @property
    def arm(self) -> str:
        """What the head learns from: real images ``alone``, or synthetic ones too, ``selected`` or ``unselected``."""
        if not self.adversarial:
            return "alone"
        return "selected" if self.selection == "confident" else "unselected"

    def controls(self) -> tuple[ViTGANRecipe, ...]:
        """The head alone, and with all synthetic images: what else is trained under protocol ``joint``."""
        plain = {"selection": "none", "threshold": type(self).model_fields["threshold"].default}
        return (
            self.model_copy(update=plain | {"name": f"{self.name}-alone", "adversarial": False}),
            self.model_copy(update=plain | {"name": f"{self.name}-unselected", "adversarial": True}),
        )

    @model_validator(mode="after")
    def _divides(self) -> ViTGANRecipe:
        if self.width % self.heads:
            raise invalid(
                "not-divisible",
                f"{self.name}: width {self.width} does not divide into heads: {self.heads}; give a multiple of it",
            )
        return self
