"""Checks of protocol ``joint``: it needs generators with a class head, trained on the real images of a cell."""

from __future__ import annotations

from collections.abc import Iterator

from synaug_ray.common.errors import Message
from synaug_ray.common.text import listed
from synaug_ray.config.factors import Factors
from synaug_ray.config.generator_recipes import ViTGANRecipe, singles
from synaug_ray.config.protocols import JOINT, name_of
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.yaml_source import Lines


def joint_problems(spec: GridSpec, lines: Lines) -> list[Message]:
    """What is wrong in each product that has it, and with heads alone, which are for no other protocol."""
    found = []
    for i, factors in enumerate(spec.products()):
        inherits = i and "protocols" not in spec.blocks[i - 1]
        at = ("blocks", i - 1) if i else ()
        place = lines.at(at) if inherits else lines.at((*at, "protocols"))
        if JOINT in factors.protocols:
            found += [Message(text, place, "protocol", JOINT) for text in _of_product(factors)]
        made = [one for g in factors.generators for one in singles(g)]
        alone = [g.name for g in made if isinstance(g, ViTGANRecipe) and not g.adversarial]
        others = [name for name in map(name_of, factors.protocols) if name != JOINT]
        if alone and others:
            text = (
                f"{listed(alone)} {'has' if len(alone) == 1 else 'have'} adversarial: false, so there are no synthetic "
                f"images for protocol {listed(others)}; only {JOINT}, which measures the head, is possible. Leave "
                f"adversarial out, or give protocols: [{JOINT}] in a block of its own"
            )
            found.append(Message(text, place, "no-synthetic-images", listed(alone)))
    return list(dict.fromkeys(found))


def _of_product(factors: Factors) -> Iterator[str]:
    headless = [g.name for g in factors.generators if not g.has_head]
    if headless:
        yield (
            f"{JOINT} measures the class head of a generator's discriminator, and {listed(headless)} "
            f"{'has' if len(headless) == 1 else 'have'} none; allowed are generators of family vit-gan. Give {JOINT} "
            "in a block of its own: blocks: [{protocols: [joint], generators: [vit-gan-tiny]}]"
        )
    larger = [g.name for g in factors.generators if g.has_head and g.trained_on]
    if larger:
        yield (
            f"{JOINT} compares heads trained on the num_real images of a cell, and {listed(larger)} "
            f"{'sees' if len(larger) == 1 else 'see'} others (trained_on); leave trained_on out for it, in a block of "
            "its own"
        )
    if not any(factors.num_real):
        yield f"{JOINT} trains on real images, and num_real is only 0; give other sizes, or leave {JOINT} out"
