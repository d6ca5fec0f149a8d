"""What a pipeline is asked for to get images of each class: a number, a prompt, or several of these."""

from __future__ import annotations

import socket
from typing import Any

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import one_line
from synaug_ray.config.pretrained_recipe import PretrainedRecipe
from synaug_ray.config.prompts import sentences_of, unlike_classes
from synaug_ray.config.text_recipes import TextRecipe
from synaug_ray.config.weights import digest


def conditions(
    recipe: PretrainedRecipe | TextRecipe, takes: Any, classes: tuple[str, ...]
) -> tuple[int | str | tuple[str, ...], ...]:
    """The pipeline's condition for each class: a label, a prompt, or several.

    Args:
        takes: names of the arguments of the pipeline's call.
    """
    for field, text in unlike_classes(recipe, classes):
        if field != "prompts":  # which below are compared with their content first
            raise DataProblem(f"generator {text}", code="pipeline-classes")
    if recipe.prompts_content and "prompt" not in takes:
        raise DataProblem(
            f"generator {recipe.name}: {recipe.pipeline} takes no prompt, so the sentences of {recipe.prompts} are of "
            "no use; leave prompts out, or use a text-to-image pipeline",
            code="pipeline-classes",
        )
    if recipe.prompts_content:
        return _sentences(recipe, classes)
    if "class_labels" in takes:
        return recipe.class_ids or tuple(range(len(classes)))
    if "prompt" in takes:
        return tuple(
            recipe.prompt.replace("{label}", word)
            for word in recipe.words or [name.replace("_", " ") for name in classes]
        )
    raise DataProblem(
        f"generator {recipe.name}: {recipe.pipeline} takes neither class_labels nor a prompt, so it "
        "cannot be conditioned on a class; use a class-conditional or a text-to-image pipeline",
        code="pipeline-unconditional",
    )


def _sentences(recipe: PretrainedRecipe | TextRecipe, classes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    try:
        if digest(recipe.prompts) != recipe.prompts_content:
            raise DataProblem(
                f"generator {recipe.name}: on {socket.gethostname()} prompts {recipe.prompts} is missing or has "
                f"changed (content {recipe.prompts_content[:12]}); put it there, or where all nodes can read it",
                code="prompts-changed",
            )
        return sentences_of(recipe.prompts, classes)
    except ValueError as error:
        raise DataProblem(
            f"generator {recipe.name}: prompts {recipe.prompts}: {one_line(error, 500)}; give at least one sentence "
            "for each class, by its name",
            code="pipeline-classes",
        ) from None
