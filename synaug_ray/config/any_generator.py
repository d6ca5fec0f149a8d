"""What the recipes of all generator families have."""

from __future__ import annotations

from typing import ClassVar

from synaug_ray.config.recipes import Name, Recipe


class AnyGenerator(Recipe):
    """Fields and properties of the recipes of all families."""

    samplers: ClassVar[tuple[str, ...]]  # families of samplers that work with it, the default first
    reference: ClassVar[bool] = False  # a control or baseline without training
    has_head: ClassVar[bool] = False  # whether its training makes a classifier too: protocol ``joint``
    open_set: ClassVar[bool] = False  # whether it was trained elsewhere, and sees nothing of a Subset
    name: Name

    @property
    def trained_name(self) -> str:
        """Its name without that of its sampler: one training may be sampled in several ways."""
        settings = getattr(self, "sampler", None)
        return self.name.removesuffix(f"-{settings.name}") if settings is not None and settings.name else self.name

    @property
    def continues(self) -> bool:
        """Whether it can be trained further than it was, as if it had never ended."""
        return False

    @property
    def any_length_key(self) -> str:
        """The same for recipes that differ in nothing but how long they train."""
        return self.key

    @property
    def seed_key(self) -> str:
        """Recipes with the same one start from the same weights, and see the same batches."""
        return self.any_length_key if self.continues else self.key

    @property
    def halvings(self) -> int:
        """How often it halves its images; their side must be a multiple of 2 to that power."""
        return 0

    @property
    def mirrors(self) -> bool:
        """Whether it sees its training images mirrored, so that a copy of one may be mirrored."""
        return False

    @property
    def held_out(self) -> bool:
        """Whether its images are real ones outside the Subset, or are made of these: a control, of no other use."""
        guide = getattr(self, "guide", None)
        return guide is not None and guide.of == "held-out"

    def most_images(self, num_train: int, num_real: int) -> int | None:
        """The largest possible pool; None if there is no limit."""
        return num_train - num_real if self.held_out else None

    def length(self, num_real: int) -> int:
        """Images seen in training on ``num_real`` images."""
        return 0
