"""Checks of ``real_weight``: it is of mixtures, and a grid may have none."""

from __future__ import annotations

from synaug_ray.common.errors import Message
from synaug_ray.common.text import listed
from synaug_ray.config.factors import Factors
from synaug_ray.config.protocols import name_of
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.yaml_source import Lines, Location


def weight_problems(spec: GridSpec, lines: Lines) -> list[Message]:
    """Weights without a mixture: of the grid if no product has one, of a block that gives weights if it has none."""
    products = spec.products()
    given: list[tuple[Location, Factors, bool]] = [((), products[0], any(map(_mixes, products)))]
    for i, (block, factors) in enumerate(zip(spec.blocks, products[1:], strict=True)):
        if "real_weight" in block:
            given.append((("blocks", i), factors, _mixes(factors)))
    found = []
    for at, factors, mixes in given:
        weights = ", ".join(f"{weight:g}" for weight in factors.real_weight if weight != "share")
        if weights and not mixes:
            if "mixed" not in factors.protocols:
                text = (
                    f"{weights} would weigh the images of protocol mixed, and there is only "
                    f"{listed(map(name_of, factors.protocols))}; add mixed, or leave real_weight out"
                )
            else:
                text = (
                    f"{weights} would weigh real images beside synthetic ones, and there are none at num_real 0; add "
                    "other sizes, or leave real_weight out"
                )
            found.append(Message(text, lines.at((*at, "real_weight")), "protocol", weights))
    return found


def _mixes(factors: Factors) -> bool:
    return "mixed" in factors.protocols and any(factors.num_real)
