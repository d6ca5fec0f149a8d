"""``parts: {edm-tiny: 0.5, open: 0.5}`` of a hybrid: names of other generators and shares, as recipes and shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.common.errors import Message, did_you_mean
from synaug_ray.config.presets import GENERATORS
from synaug_ray.config.yaml_source import Lines, Location, short

FAMILY, PARTS = "hybrid", "parts"
EXAMPLE = "give generators with their shares, such as parts: {edm-tiny: 0.5, jitter: 0.5}"
Named = Mapping[str, tuple[Location, dict[str, Any]]]  # generators by name: where they are given, and their values


def with_parts(raw: dict[str, Any], lines: Lines, problems: list[Message]) -> dict[str, Any]:
    """A grid's plain values with the parts of each hybrid filled in, in its own product and in its blocks.

    A part is a generator of the same list, else of the grid's, else a preset. Problems are added, and what has any is
    replaced by a valid recipe.

    Args:
        raw: with presets filled in, and a generator for each of its ``budgets`` and ``samplers``.
    """
    own = _named(raw.get("generators"), ("generators",), lines)
    raw = raw | _filled(raw, (), own, lines, problems)
    if isinstance(raw.get("blocks"), list):
        raw["blocks"] = [
            b | _filled(b, ("blocks", i), {**own, **_named(b.get("generators"), _at(i), lines)}, lines, problems)
            if isinstance(b, dict)
            else b
            for i, b in enumerate(raw["blocks"])
        ]
    return raw


def _at(block: int) -> Location:
    return ("blocks", block, "generators")


def _named(generators: Any, at: Location, lines: Lines) -> dict[str, tuple[Location, dict[str, Any]]]:
    found = {}
    for i, recipe in enumerate(generators if isinstance(generators, list) else ()):
        if isinstance(recipe, dict) and isinstance(recipe.get("name"), str):
            found.setdefault(recipe["name"], (lines.moved.get((*at, i), (*at, i)), recipe))
    return found


def _filled(
    raw: dict[str, Any], at: Location, known: Named, lines: Lines, problems: list[Message]
) -> dict[str, list[Any]]:
    generators = raw.get("generators")
    if not isinstance(generators, list):
        return {}
    made = []
    for i, recipe in enumerate(generators):
        if isinstance(recipe, dict) and recipe.get("family") == FAMILY and not _resolved(recipe.get(PARTS)):
            recipe = _hybrid(recipe, (*at, "generators", i), known, lines, problems)
        made.append(recipe)
    return {"generators": made}


def _resolved(parts: Any) -> bool:
    """Whether parts are as a resolved grid writes them: recipes and shares."""
    return isinstance(parts, list) and all(isinstance(part, dict) for part in parts)


def _hybrid(
    recipe: dict[str, Any], at: Location, known: Named, lines: Lines, problems: list[Message]
) -> dict[str, Any]:
    given = recipe.get(PARTS)
    where, found = (lines.moved.get(at, at)), []
    if not isinstance(given, dict) or len(given) < 2:
        text = f"a hybrid has two parts or more: {EXAMPLE}; got {short(given)}"
        found.append(Message(text, lines.at((*at, PARTS)), "parts", short(given)))
    parts = []
    for name, share in given.items() if isinstance(given, dict) else ():
        place = lines.at((*at, PARTS, str(name)))
        whole = isinstance(share, int | float) and not isinstance(share, bool)
        if not whole or not 0 <= share <= 1:
            text = f"the share of {short(name)} is a number from 0 to 1, got {short(share)}; {EXAMPLE}"
            found.append(Message(text, place, "shares", short(share)))
        source = known.get(str(name))
        if source is None and str(name) in GENERATORS:
            source = (*where, PARTS, str(name)), GENERATORS[str(name)].model_dump(mode="json")
        if source is None:
            names = sorted({*(n for n, (_, r) in known.items() if r.get("family") != FAMILY), *GENERATORS})
            text = (
                f"no generator {short(name)} to be a part of a hybrid{did_you_mean(str(name), names, '.')} Allowed: "
                f"{', '.join(names)}. Add it to generators, or name one of these"
            )
            found.append(Message(text, place, "unknown-part", short(name)))
        elif source[1].get("family") == FAMILY:
            text = f"{short(name)} is a hybrid itself; a part is a generator of its own: name those that it is made of"
            found.append(Message(text, place, "part-is-hybrid", short(name)))
        else:
            here = (*at, PARTS, len(parts))
            lines.moved[(*here, "share")] = (*where, PARTS, str(name))
            lines.moved[(*here, "generator")] = source[0]
            parts.append({"generator": source[1], "share": share})
    if not found:
        return recipe | {PARTS: parts}
    problems += found
    name = "-".join(("no-parts", *(str(part) for part in at)))
    return GENERATORS["duplicate"].model_dump(mode="json") | {"name": name}
