"""Sentences for text-to-image generators: a JSON file with many for each class.

Language enhancement (arXiv 2210.07574) makes them. They are written before, by a language model or by hand: none runs
inside a grid.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from synaug_ray.common.text import some
from synaug_ray.config.recipes import invalid
from synaug_ray.config.weights import digest

PROMPT = "a photo of a {label}"  # without sentences
FORM = '{"cat": ["a cat on a sofa", "a black cat at night"], "dog": [...]}, with sentences for each class by its name'


def identified_prompts(values: dict[str, Any], default: str = PROMPT) -> dict[str, Any]:
    """A recipe's values with ``prompts`` as an absolute path and its SHA-256 as ``prompts_content``.

    Where ``prompts_content`` is given and there is no file here, nothing is read: whoever uses it must have it.

    Args:
        default: the prompt of a recipe that names none.

    Raises:
        PydanticCustomError: if there is no such file, it has other sentences, or not the right form.
    """
    where, given = values.get("prompts"), values.get("prompts_content") or ""
    if not isinstance(where, str) or not where:
        return values
    if values.get("words") or values.get("prompt", default) != default:
        raise invalid("prompts-and-words", "prompts are whole sentences; leave prompt and words out")
    try:
        file = Path(where).expanduser().absolute()
        found = digest(str(file))
    except (OSError, RuntimeError, ValueError) as error:
        raise invalid("not-a-path", f"prompts {where!r} cannot be read ({error})") from None
    if not found:
        if given:
            return values
        raise invalid("no-such-prompts", f"prompts {where!r} is not a file; give a JSON file such as {FORM}")
    if given and given != found:
        raise invalid(
            "other-content",
            f"prompts {file} has other sentences (content {found[:12]}) than the grid names (content {given[:12]}); "
            "remove `prompts_content:` to use the file as it is",
        )
    read_prompts(str(file))
    return values | {"prompts": str(file), "prompts_content": found}


def read_prompts(path: str) -> dict[str, tuple[str, ...]]:
    """The sentences of each class, by its name.

    Raises:
        PydanticCustomError: if the file does not have the right form.
        OSError: if it cannot be read.
    """
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise invalid("prompts-form", f"prompts {path} is not JSON ({error}); it has to be {FORM}") from None
    if not isinstance(told, dict) or not told:
        raise invalid("prompts-form", f"prompts {path} holds no classes; it has to be {FORM}")
    wrong = [name for name, sentences in told.items() if not _sentences(sentences)]
    if wrong:
        raise invalid("prompts-form", f"prompts {path}: {some(wrong)} has no list of sentences; it has to be {FORM}")
    return {name: tuple(sentences) for name, sentences in told.items()}


def _sentences(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(s, str) and s.strip() for s in value)


def sentences_of(path: str, classes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The sentences of each of ``classes``, in their order; a class may be written with blanks for underscores.

    Raises:
        ValueError: if some class has none; says which.
    """
    told = read_prompts(path)
    found = [told.get(name) or told.get(name.replace("_", " ")) for name in classes]
    missing = [name for name, sentences in zip(classes, found, strict=True) if not sentences]
    if missing:
        raise ValueError(f"no sentences for {some(missing)}; it has some for {some(told)}")
    return tuple(s for s in found if s)


class Asked(Protocol):
    """What of a recipe says how its pipeline is asked for each class."""

    @property
    def name(self) -> str: ...
    @property
    def class_ids(self) -> tuple[int, ...]: ...
    @property
    def words(self) -> tuple[str, ...]: ...
    @property
    def prompts(self) -> str: ...


def unlike_classes(recipe: Asked, classes: tuple[str, ...]) -> list[tuple[str, str]]:
    """(field, text) of each way in which what a recipe says of its classes does not fit ``classes``."""
    found = [
        (field, f"{recipe.name}: {len(given)} {field} for {len(classes)} classes; give one per class, in their order")
        for field, given in (("class_ids", recipe.class_ids), ("words", recipe.words))
        if given and len(given) != len(classes)
    ]
    if recipe.prompts and Path(recipe.prompts).is_file():
        try:
            sentences_of(recipe.prompts, classes)
        except ValueError as error:
            text = f"{recipe.name}: {recipe.prompts}: {error}; give at least one sentence for each class, by its name"
            found.append(("prompts", text))
    return found
