"""Checks of ``local-replacement``: it needs synthetic images that are variations of single real ones."""

from __future__ import annotations

from collections.abc import Iterator

from synaug_ray.common.errors import Message
from synaug_ray.common.text import listed
from synaug_ray.config.factors import Factors
from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.config.presets import sampler_of
from synaug_ray.config.protocols import LOCAL
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.yaml_source import Lines

OF_ONE_IMAGE = ("duplicate", "jitter", "mixup", "augment")  # references that make each image from one of the Subset's


def replacement_problems(spec: GridSpec, lines: Lines) -> list[Message]:
    """What cannot be trained with ``local-replacement`` in each product that has it."""
    found = []
    for i, factors in enumerate(spec.products()):
        if LOCAL in factors.protocols and any(factors.num_real):
            inherits = i and "protocols" not in spec.blocks[i - 1]
            at = ("blocks", i - 1) if i else ()
            place = lines.at(at) if inherits else lines.at((*at, "protocols"))
            found += [Message(text, place, "protocol", LOCAL) for text in _of_product(factors, spec.sampler)]
    return list(dict.fromkeys(found))


def _of_product(factors: Factors, sampler: SamplerRecipe) -> Iterator[str]:
    new = [g.name for g in factors.generators if not _varies(g, sampler)]
    if new:
        yield (
            f"{LOCAL} replaces real images by variations of themselves, and images of {listed(new)} are not variations "
            "of one real image of the cell; allowed are generators with guide: {strength: S} (without trained_on) and "
            f"{listed(OF_ONE_IMAGE)}. Give {LOCAL} in a block of its own, with such generators"
        )
    filters = [f.name for f in factors.filters if f.family != "none"]
    if filters:
        yield (
            f"{LOCAL} uses all variations of a real image, and {listed(filters)} would leave some out; give {LOCAL} in "
            "a block of its own, with filters: [none]"
        )


def _varies(generator: GeneratorRecipe, sampler: SamplerRecipe) -> bool:
    if generator.held_out:
        return False
    if generator.family in OF_ONE_IMAGE:
        return True
    return sampler_of(generator, sampler).strength < 1 and generator.trained_on is None
