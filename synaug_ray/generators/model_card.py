"""The model card of a saved generator: what it was trained on (counts, never pixels) and its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.text_recipes import TextRecipe
from synaug_ray.data.images import ImageSet

USES = {
    "edm": "Loads with `DiffusionPipeline.from_pretrained(folder)`; give `class_labels=[...]` and "
    "`num_inference_steps=18`. The label after the last class means no class.",
    "ddpm": "Loads with `DiffusionPipeline.from_pretrained(folder)`; give `class_labels=[...]` and "
    "`num_inference_steps=50`. The label after the last class means no class.",
    "latent": "`DiffusionPipeline.from_pretrained(folder)` loads the pipeline of latents; give `class_labels=[...]`, "
    "`num_inference_steps=18` and `output_type='pt'`. `AutoencoderKL.from_pretrained(folder, subfolder='vae')` decodes "
    "its output. The label after the last class means no class.",
    "lora": "Loads with `DiffusionPipeline.from_pretrained(folder)`, the base and its changes in one; give "
    "`class_labels=[...]` and `num_inference_steps=18`. The label after the last class means no class. `adapter/` has "
    "the changes alone, in peft's format; the content of the base that they belong to is in `synaug.json`.",
    "gan": "Loads with `synaug_ray.generators.registry.from_files`; `generator.safetensors` contains the weights.",
    "vit-gan": "Loads with `synaug_ray.generators.registry.from_files`; `generator.safetensors` has the weights, and "
    "`discriminator.safetensors` those of the discriminator, which classifies real images too.",
    "pretrained": "A reference to a diffusers pipeline that was trained elsewhere; its own card says on what.",
}
ON_TEXT = (
    "A reference to a text-to-image pipeline that was trained elsewhere (`synaug.json` has its location and content), "
)
TEXT_USES = {
    "lora": ON_TEXT
    + "and low-rank changes of it: `pipeline.load_lora_weights(folder)` of diffusers adds them, or those "
    "of one class from its folder `class-3/`, where each has its own.",
    "inversion": ON_TEXT + "and a word for the style of the training images: `pipeline.load_textual_inversion(folder)` "
    "of diffusers adds it; the recipe below has the prompt.",
}
PER_CLASS = (
    "`DiffusionPipeline.from_pretrained(folder)` loads the base with these classes; `adapter/class-3/` has the changes "
    "for class 3 alone, in peft's format, and its images come from the base with these; the content of the base is in "
    "`synaug.json`."
)
CARD = """---
license: other
license_name: that-of-the-training-images
library_name: {library}
tags: [synthetic-data-augmentation, class-conditional, synaug_ray]
---
# {name}: a {family} generator of {size} x {size} pixel images, {classes} classes

{use}

## Training data
{seen}

## Intended use
To measure how much synthetic images help a classifier that is trained on the same few real ones, and to augment that
classifier's training. It does not represent the population from which the images were taken; do not use it to make
decisions about people.

## Memorisation
A generator that was trained on few images can reproduce them. Any of its images may be a near-copy of a training image,
so treat its images and these weights like the training images: if those must not be shared, neither must these. Before
you share a synthetic image, compare it with the nearest training image.

## Licence
The terms of the training images apply to everything derived from them; this file grants no rights.

## Recipe
```json
{recipe}
```
"""


def model_card(
    recipe: GeneratorRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    nimg: int,
    chosen: Mapping[str, Any] | None = None,
) -> str:
    """The model card as Markdown, with front matter for model hubs; a function of its arguments alone.

    Args:
        chosen: of low-rank changes, what chose by how much they are applied (``lora_scale.Chosen``).
    """
    counts = np.bincount(subset.labels, minlength=len(classes))
    held = "\n".join(f"| {k} | {_cell(c)} | {n:,} |" for k, (c, n) in enumerate(zip(classes, counts, strict=True)))
    only, before = " and nothing else", ""
    if isinstance(recipe, (LoraRecipe, TextRecipe)):
        only, before = "", f" It started from a generator of other images (content {recipe.base_content[:12]})."
    if chosen is not None:
        before += (
            f" {chosen['scale']:.0%} of its changes are applied, as {chosen['images']:,} of the images chose that a "
            "first training did not see."
        )
    if recipe.open_set:
        seen = "Of this data set, only its class names and counts; its own card describes its training data.\n"
    else:
        seen = (
            f"{len(subset):,} images{only}; {nimg:,} images seen in training, counting repeats "
            f"({nimg / max(len(subset), 1):,.0f} passes).{before}\n"
        )
    return CARD.format(
        library="synaug_ray" if recipe.family in ("gan", "vit-gan") else "diffusers",
        name=recipe.name,
        family=recipe.family,
        size=subset.images.shape[-1],
        classes=len(classes),
        use=_use(recipe),
        seen=f"{seen}\n| label | class | images |\n|---|---|---|\n{held}",
        recipe=json.dumps(recipe.model_dump(mode="json"), indent=2, sort_keys=True),
    )


def _use(recipe: GeneratorRecipe) -> str:
    if isinstance(recipe, TextRecipe):
        return TEXT_USES[recipe.family]
    return PER_CLASS if isinstance(recipe, LoraRecipe) and recipe.per_class else USES[recipe.family]


def _cell(name: str) -> str:
    """Escape a class name (it may be any folder's name), so that it stays plain text in one table cell."""
    return "".join(c if c.isalnum() or c in " -_.," else f"&#{ord(c)};" for c in name)
