"""``samplers: [{guidance: 1}, {steps: 4}]``: one training of a generator sampled in several ways, each a generator.

``sampler:`` is one way alone. Both are replaced by what a recipe has: ``sampler`` (``Sampling``) and ``guide``.
"""

from __future__ import annotations

from typing import Any

from synaug_ray.common.errors import Message, did_you_mean
from synaug_ray.config.generator_recipes import GENERATOR_FAMILIES, kind_of, recipe_type
from synaug_ray.config.presets import SAMPLERS
from synaug_ray.config.sampling import SETTINGS, label_of
from synaug_ray.config.yaml_source import Lines, Location, short

ONE, SEVERAL = "sampler", "samplers"
EXAMPLE = "give a list such as [{guidance: 1}, {guidance: 2}, {steps: 4}]: each a way to sample one training"


def with_samplers(
    recipe: dict[str, Any], at: Location, lines: Lines, problems: list[Message]
) -> list[tuple[dict[str, Any], Location]]:
    """A generator's plain values once for each way of sampling it, each with the location of its ``sampler``.

    A way is named after its settings or its preset, ``edm-tiny-guidance-2``, or by its own ``name``; one without any
    setting is the recipe itself. Problems are added; what they keep from being read is left out.

    Args:
        recipe: with presets filled in.
        at: its location in the grid.
    """
    base = {name: value for name, value in recipe.items() if name != SEVERAL}
    if SEVERAL not in recipe:
        one = base.get(ONE)
        if one is None or not _takes(base):
            return [(base, (*at, ONE))]
        settings = _settings(one, (*at, ONE), lines, problems)
        return [(_applied(base, settings or {}), (*at, ONE))]
    said = _problem(recipe)
    if said is not None:
        problems.append(Message(said[0], lines.at((*at, SEVERAL)), "samplers", said[1]))
        return [(base, (*at, ONE))]
    found, names = [], set()
    for k, way in enumerate(recipe[SEVERAL]):
        where = (*at, SEVERAL, k)
        settings = _settings(way, where, lines, problems)
        if settings is None:
            continue
        given = settings.get("name", "")
        name = given if isinstance(given, str) else f"sampler-{k}"  # what is no text is reported where it stands
        if name in names:
            text = (
                f"{short(way)} is {name or 'the plain sampler'} again; give each way of sampling once, or a `name:` of "
                "its own to those whose settings round to the same"
            )
            problems.append(Message(text, lines.at(where), "samplers", short(way)))
            continue
        names.add(name)
        own = {} if not name or not isinstance(base.get("name"), str) else {"name": f"{base['name']}-{name}"}
        found.append((_applied(base, settings) | own, where))
    return found or [(base, (*at, ONE))]


def _takes(recipe: dict[str, Any]) -> bool:
    family = recipe_type(kind_of(recipe))
    return family is not None and ONE in family.model_fields


def _problem(recipe: dict[str, Any]) -> tuple[str, str] | None:
    """What is wrong with ``samplers`` of a recipe as a whole, and the value."""
    ways = recipe[SEVERAL]
    if str(recipe.get("family")) in GENERATOR_FAMILIES and not _takes(recipe):
        text = f"{recipe.get('name')} (family {recipe['family']}) can be sampled in one way only; remove samplers"
        return text, ""
    if recipe.get(ONE) is not None:
        return "gives sampler too; keep samplers, with that as one of them", short(recipe[ONE])
    if not isinstance(ways, list) or not ways:
        return f"{EXAMPLE}; got {short(ways)}", short(ways)
    return None


def _settings(way: Any, where: Location, lines: Lines, problems: list[Message]) -> dict[str, Any] | None:
    """The plain settings of one way, with its name where it has a setting; None if it cannot be read."""
    if isinstance(way, str):
        way = {"preset": way}
    if not isinstance(way, dict):
        text = f"a way of sampling is a mapping such as {{guidance: 2}}, or a preset of samplers; got {short(way)}"
        problems.append(Message(text, lines.at(where), "samplers", short(way)))
        return None
    settings, of_preset = {name: value for name, value in way.items() if name != "preset"}, {}
    if "preset" in way:
        preset = way["preset"]
        if not isinstance(preset, str) or preset not in SAMPLERS:
            text = (
                f"unknown preset {short(preset)}{did_you_mean(str(preset), SAMPLERS, '.')} Available: "
                f"{', '.join(sorted(SAMPLERS))}"
            )
            problems.append(Message(text, lines.at(where), "unknown-preset", short(preset)))
            return None
        of_preset = {name: getattr(SAMPLERS[preset], name) for name in SETTINGS}
    words = [str(way["preset"])] if of_preset else []
    words += [label] if (label := label_of(settings)) else []
    made = of_preset | settings
    if "name" not in made and words:
        made["name"] = "-".join(words)
    return made


def _applied(recipe: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The recipe with these settings; a ``strength`` is its ``guide``."""
    own = dict(settings)
    family = recipe_type(kind_of(recipe))
    if "strength" in own and family is not None and "guide" in family.model_fields:
        recipe = recipe | {"guide": {"strength": own.pop("strength")}}
    changed = any(own[name] is not None for name in own if name != "name" or not isinstance(own[name], str))
    return recipe | {ONE: own} if changed else {name: v for name, v in recipe.items() if name != ONE}
