"""The recipe of reference generators, which are not trained: controls and baselines."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.recipes import Flag, NotNegative, Number, Positive, invalid


class ReferenceRecipe(AnyGenerator):
    """A generator without training: a control, or a baseline that a trained generator has to beat.

    - ``real-holdout``: real images of the same draw outside the Subset (worth one each);
    - ``duplicate``: the Subset's own images again (worth nothing);
    - ``label-shuffle``: held-out real images under randomly permuted labels (must hurt), or a ``share`` of them under
      labels dealt anew;
    - ``jitter``: the Subset's images plus Gaussian noise (cheap, often as good);
    - ``mixup``: points between two images of one class of the Subset (SMOTE, arXiv 1106.1813; within a class
      also the labels of mixup, arXiv 1710.09412, are the class's own);
    - ``augment``: the Subset's images randomly flipped, rotated, scaled and shifted.

    ``of: held-out`` jitters or augments held-out images instead.
    """

    samplers: ClassVar[tuple[str, ...]] = ("replay",)
    reference: ClassVar[bool] = True
    trained_on: ClassVar[None] = None
    later: ClassVar[frozenset[str]] = frozenset({"alpha", "flip", "shift", "rotate", "scale", "of", "share"})
    family: Literal["real-holdout", "duplicate", "label-shuffle", "jitter", "mixup", "augment"]
    noise: NotNegative = 0.0  # jitter: standard deviation, as a share of the images' own
    alpha: Positive = 1.0  # mixup: the share of the first image ~ Beta(alpha, alpha)
    flip: Flag = False  # augment: horizontally, with probability 1/2
    shift: Annotated[Number, Field(ge=0, lt=1)] = 0.0  # augment: at most, as a share of the side, in each direction
    rotate: Annotated[Number, Field(ge=0, le=180)] = 0.0  # augment: at most, degrees in each direction
    scale: Annotated[Number, Field(ge=0, lt=1)] = 0.0  # augment: between 1 - scale and 1 + scale
    of: Literal["subset", "held-out"] = "subset"  # jitter, augment: which images
    share: Annotated[Number, Field(gt=0, le=1)] = 1.0  # label-shuffle: of the images, whose labels are wrong or by luck

    @property
    def mirrors(self) -> bool:
        return self.family == "augment" and self.flip

    @property
    def held_out(self) -> bool:
        return self.family in ("real-holdout", "label-shuffle") or self.of == "held-out"

    @model_validator(mode="after")
    def _has_another_side(self) -> ReferenceRecipe:
        if self.of == "held-out" and self.family not in ("jitter", "augment"):
            raise invalid(
                "not-of-held-out",
                f"{self.name}: of: held-out is for jitter and augment, got family {self.family}; leave it out, or use "
                "real-holdout for the held-out images themselves",
            )
        return self
