"""Pretrained networks in whose feature spaces pools are compared with real images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from synaug_ray.common.keys import file_digest
from synaug_ray.config.recipes import Count, Name, Recipe, invalid


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
        where, given = values.get("weights", ""), values.get("content", "")
        need = f"give model.safetensors of huggingface.co/timm/{values.get('model')}; nothing is downloaded"
        if not where:
            raise invalid("no-weights", f"{values.get('name')} needs `weights:`, a path; {need}")
        if given:
            return values  # identified by its content, which is checked when it is opened
        try:
            file = (
                Path(where).expanduser().absolute()
            )  # absolute: workers run elsewhere; unresolved: the hub's cache links to names without a suffix
            found = digest(str(file))
        except (OSError, RuntimeError, ValueError) as error:  # name too long, permission denied, NUL character
            raise invalid("unreadable-weights", f"weights {where!r} cannot be read ({error}); {need}") from None
        if not found:
            raise invalid("no-such-weights", f"weights {where!r} is not a file; {need}")
        if file.suffix != ".safetensors":
            raise invalid(
                "weights-format", f"weights {where!r} is not a .safetensors file, and pickles are not read; {need}"
            )
        return values | {"weights": str(file), "content": found}


def weights_of(recipes: Iterable[FeatureRecipe]) -> dict[str, str]:
    """The SHA-256 that each file of weights must have, by its path."""
    return {recipe.weights: recipe.content for recipe in recipes}


def digest(path: str) -> str:
    """SHA-256 of a file; empty if there is no file."""
    if not Path(path).is_file():
        return ""
    return file_digest(Path(path))
