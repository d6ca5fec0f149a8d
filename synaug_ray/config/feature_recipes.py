"""Pretrained networks in whose feature spaces pools are compared with real images."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from synaug_ray.config.recipes import Count, Name, Recipe, invalid
from synaug_ray.config.weights import identified


class FeatureRecipe(Recipe):
    """A timm network and its weights. Its key depends on the weights' content, not on the file's path."""

    labels: ClassVar[frozenset[str]] = Recipe.labels | {"weights"}
    name: Name
    model: Annotated[str, Field(min_length=1)]  # its name in timm
    weights: str = ""  # path of its model.safetensors
    content: str = ""  # SHA-256 of that file: computed if empty, else checked when the file is opened
    size: Count | None = None  # pixels a side that images are scaled to; None is the network's default

    @model_validator(mode="before")
    @classmethod
    def _identified(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not all(
            isinstance(values.get(name, default), str)
            for name, default in (("name", None), ("model", None), ("weights", ""), ("content", ""))
        ):
            return values  # reported field by field
        where = values.get("weights", "")
        need = f"give model.safetensors of huggingface.co/timm/{values.get('model')}, or owner/name@commit there"
        if not where:
            raise invalid("no-weights", f"{values.get('name')} needs `weights:`, a path; {need}")
        return identified(values, need)
