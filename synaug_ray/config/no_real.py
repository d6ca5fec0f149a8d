"""Checks of cells without any real image (``num_real: 0``): classifiers trained on synthetic images alone."""

from __future__ import annotations

from collections.abc import Iterator

from synaug_ray.common.errors import Message
from synaug_ray.common.text import listed
from synaug_ray.config.factors import Factors
from synaug_ray.config.generator_recipes import GeneratorRecipe, OneRecipe, singles
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.yaml_source import Lines


def no_real_problems(spec: GridSpec, lines: Lines) -> list[Message]:
    """What keeps a grid's cells at 0 real images from being made, or from being compared with anything."""
    products = spec.products()
    found = []
    if not any(n for factors in products for n in factors.num_real):
        text = (
            "no real images are measured, so that there is nothing to compare synthetic ones with; give other sizes "
            "beside 0"
        )
        found.append(Message(text, lines.at(("num_real",)), "no-real-images", "0"))
    for i, factors in enumerate(products):
        if 0 not in factors.num_real:
            continue
        at = ("blocks", i - 1) if i else ()
        if i == 0 or "num_real" in spec.blocks[i - 1]:
            place = lines.at((*at, "num_real", factors.num_real.index(0)))
        else:
            place = lines.at(at)
        found += [Message(text, place, code, "0") for code, text in _of_product(factors)]
    return list(dict.fromkeys(found))


def _of_product(factors: Factors) -> Iterator[tuple[str, str]]:
    """Code and text of each problem of a product with 0 real images."""
    closed = [g.name for g in factors.generators if not needs_no_subset(g)]
    if closed:
        yield (
            "needs-real-images",
            f"{listed(closed)} {'is' if len(closed) == 1 else 'are'} made from the real images of a cell, and at 0 "
            "there are none; allowed are generators with trained_on: N, pretrained ones without guide, real-holdout "
            "and label-shuffle. Give 0 in a block of its own: blocks: [{num_real: [0], generators: [...]}]",
        )
    filters = [f.name for f in factors.filters if f.needs_subset]
    if filters:
        yield (
            "needs-real-images",
            f"{listed(filters)} {'compares' if len(filters) == 1 else 'compare'} synthetic images with the real ones "
            "of a cell, and at 0 there are none; give 0 in a block of its own, with filters: [none]",
        )
    if not factors.num_synthetic:
        yield (
            "no-synthetic-images",
            "any multiple of 0 real images is none, so that there is nothing to train on; give num_synthetic, such as "
            "num_synthetic: [2000], or leave 0 out",
        )


def needs_no_subset(recipe: GeneratorRecipe) -> bool:
    """Whether a generator exists at 0 real images: its images come from others than the cell's."""
    return all(_needs_no_subset(one) for one in singles(recipe))


def _needs_no_subset(recipe: OneRecipe) -> bool:
    guide = getattr(recipe, "guide", None)
    guided = guide is not None and guide.strength < 1 and not recipe.held_out
    return (recipe.open_set and not guided) or bool(recipe.trained_on) or (recipe.reference and recipe.held_out)
