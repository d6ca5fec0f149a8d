"""The model card of a saved generator: what it was trained on (counts, never pixels) and its limits."""

from __future__ import annotations

import json

import numpy as np

from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.data.images import ImageSet

USES = {
    "edm": "Loads with `DiffusionPipeline.from_pretrained(folder)`; give `class_labels=[...]` and "
    "`num_inference_steps=18`. The label after the last class stands for no class.",
    "ddpm": "Loads with `DiffusionPipeline.from_pretrained(folder)`; give `class_labels=[...]` and "
    "`num_inference_steps=50`. The label after the last class stands for no class.",
    "latent": "`DiffusionPipeline.from_pretrained(folder)` loads the pipeline of latents; give `class_labels=[...]`, "
    "`num_inference_steps=18` and `output_type='pt'`. `AutoencoderKL.from_pretrained(folder, subfolder='vae')` decodes "
    "what it returns. The label after the last class stands for no class.",
    "gan": "Loads with `synaug_ray.generators.registry.from_files`; `generator.safetensors` holds the weights.",
    "pretrained": "A pointer to a pipeline of diffusers that was trained elsewhere: its own card says on what.",
}
CARD = """---
license: other
license_name: that-of-the-training-images
library_name: {library}
tags: [synthetic-data-augmentation, class-conditional, synaug_ray]
---
# {name}: a {family} generator of {size} x {size} pixel images, {classes} classes

{use}

## What it has seen
{seen}

## Intended use
To measure how much synthetic images help a classifier that is trained on the same few real ones, and to augment that
classifier's training. Not to stand for the population that the images came from, and not to judge a person.

## Memorisation
A generator of few images can repeat them. Each of its images may be a near-copy of a training image, so treat both the
images and these weights as you would the training images: where those may not be shared, neither may these. Look at the
nearest training image beside each synthetic one before you share any.

## Licence
The terms of the training images hold for what was made of them; this file grants nothing.

## Recipe
```json
{recipe}
```
"""


def model_card(recipe: GeneratorRecipe, subset: ImageSet, classes: tuple[str, ...], nimg: int) -> str:
    """Markdown with front matter for model hubs; deterministic."""
    counts = np.bincount(subset.labels, minlength=len(classes))
    held = "\n".join(f"| {k} | {_cell(c)} | {n:,} |" for k, (c, n) in enumerate(zip(classes, counts, strict=True)))
    if recipe.open_set:
        seen = "Nothing of this data set but its class names and counts; what else is for its own card to say.\n"
    else:
        seen = (
            f"{len(subset):,} images, {nimg:,} images in training counting repeats "
            f"({nimg / max(len(subset), 1):,.0f} passes), and nothing else.\n"
        )
    return CARD.format(
        library="synaug_ray" if recipe.family == "gan" else "diffusers",
        name=recipe.name,
        family=recipe.family,
        size=subset.images.shape[-1],
        classes=len(classes),
        use=USES[recipe.family],
        seen=f"{seen}\n| label | class | images |\n|---|---|---|\n{held}",
        recipe=json.dumps(recipe.model_dump(mode="json"), indent=2, sort_keys=True),
    )


def _cell(name: str) -> str:
    """Escape a class name, which is a folder's, so that it stays one table cell of plain text."""
    return "".join(c if c.isalnum() or c in " -_.," else f"&#{ord(c)};" for c in name)
