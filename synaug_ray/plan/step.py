"""What all steps have: frozen units of work, each with a content key over everything that affects its result.

``version`` is raised by hand when a code change alters results; everything made with the old
version then counts as missing. A parent enters a key by its own key. Devices, worker counts and
storage are arguments of ``execute`` and never fields: they must not affect a result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

from synaug_ray.common.keys import content_key

Stage = Literal["generator", "shard", "features", "quality", "trial"]
STAGES: tuple[Stage, ...] = ("generator", "shard", "features", "quality", "trial")


class Step(ABC):
    """A unit of work: its stage, its fields, its key, its parents, and what it costs."""

    stage: ClassVar[Stage]
    version: ClassVar[int]
    splits: ClassVar[bool] = True  # whether its batches can be split, to fit into memory

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """Everything that affects the result, in JSON's types; parents by their keys."""

    def parents(self) -> tuple[Step, ...]:
        """The steps that must be done before this one can run."""
        return ()

    @property
    @abstractmethod
    def images_seen(self) -> float:
        """Images that it trains on, samples or checks; its cost is proportional to them."""

    @property
    @abstractmethod
    def cost_key(self) -> str:
        """Steps with the same one cost the same per image: as a rule the key of the recipe."""

    @property
    @abstractmethod
    def cost_name(self) -> str:
        """``cost_key`` in words."""

    @abstractmethod
    def describe(self, names: Mapping[str, str]) -> str:
        """The step in words.

        Args:
            names: of generators in the grid, by key.
        """

    @cached_property
    def key(self) -> str:
        return content_key({"stage": self.stage, "version": self.version, **self.fields()})
