"""Networks trained elsewhere, in whose features pools are compared with real images; their weights are at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from synaug_ray.config.recipes import Count, Name, Recipe


class FeatureRecipe(Recipe):
    """One of timm's networks and its weights. What it is, and so its key, is their content, wherever the file lies."""

    labels: ClassVar[frozenset[str]] = Recipe.labels | {"weights"}
    name: Name
    model: Annotated[str, Field(min_length=1)]  # timm's name of it
    weights: str = ""  # path of its model.safetensors
    content: str = ""  # SHA-256 of that file: found when it is left out, else checked where the file is opened
    size: Count | None = None  # pixels a side that images are scaled to; None is the network's own

    @model_validator(mode="before")
    @classmethod
    def _identified(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not all(
            isinstance(values.get(name, default), str)
            for name, default in (("name", None), ("model", None), ("weights", ""), ("content", ""))
        ):
            return values  # which is told of each of them
        where, given = values.get("weights", ""), values.get("content", "")
        need = f"its weights are model.safetensors of huggingface.co/timm/{values.get('model')}; nothing is downloaded"
        if not where:
            raise ValueError(f"{values.get('name')} lacks `weights:`, a path; {need}")
        if given:
            return values  # named by its content, which is checked where it is opened
        try:
            file = Path(where).expanduser().absolute()  # workers run elsewhere; the hub's cache links to bare digests
            found = digest(str(file))
        except (OSError, RuntimeError, ValueError) as error:  # a name too long, no right to read it, a NUL
            raise ValueError(f"weights {where!r} cannot be read ({error}); {need}") from None
        if not found:
            raise ValueError(f"weights {where!r} is no file; {need}")
        if file.suffix != ".safetensors":
            raise ValueError(f"weights {where!r} is no .safetensors file, and pickles are not read; {need}")
        return values | {"weights": str(file), "content": found}


def weights_of(recipes: Iterable[FeatureRecipe]) -> dict[str, str]:
    """The SHA-256 that each file of weights has to have, by its path."""
    return {recipe.weights: recipe.content for recipe in recipes}


def digest(path: str) -> str:
    """SHA-256 of a file, empty where there is none."""
    if not Path(path).is_file():
        return ""
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
