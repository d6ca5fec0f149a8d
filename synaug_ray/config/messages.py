"""What pydantic found wrong with a grid, in sentences: where, what, with the value, what is allowed."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from synaug_ray.common.errors import did_you_mean
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.presets import GENERATORS
from synaug_ray.config.recipes import GENERATOR_FAMILIES, ClassifierRecipe, FilterRecipe, Optimiser, SamplerRecipe
from synaug_ray.config.spec import Factors, GridSpec
from synaug_ray.config.yaml_source import SHOWN, Lines, Location, short

SAID = 400  # characters of what a recipe says of itself, which may repeat a value of any length
_LISTED = re.compile(r"[\w.+-]+( *, *[\w.+-]+)+")  # a list without its brackets


def sentences(error: ValidationError, prefix: Location, lines: Lines) -> list[str]:
    """One sentence for each place where something is wrong."""
    found = error.errors()
    # a tuple whose only value is wrong is also reported as too short: the first says it all
    found = [
        e
        for e in found
        if e["type"] != "too_short"
        or not any(len(o["loc"]) > len(e["loc"]) and o["loc"][: len(e["loc"])] == e["loc"] for o in found)
    ]
    grouped: dict[Location, list[Any]] = {}  # the branches of a union are alternatives at one place
    for e in found:
        grouped.setdefault(_location(e["loc"]), []).append(e)
    return [f"{lines.at(prefix + at)}: {_sentence(errors, bool(prefix))}" for at, errors in grouped.items()]


def _location(loc: Location) -> Location:
    """Without what pydantic adds: the branch of a union."""
    if loc[0] == "generators":
        return loc[:2] + loc[3:]
    return loc[:2] if loc[0] == "real_share" else loc


def _sentence(errors: list[Any], in_block: bool) -> str:
    error = errors[0]
    if error["type"] == "extra_forbidden":
        known, key = _known_keys(error["loc"], in_block), str(error["loc"][-1])
        return f"unknown key {short(key)}{did_you_mean(key, known, '.')} Allowed: {', '.join(sorted(known))}"
    if error["type"] == "missing":
        return "missing; every grid needs it" if len(error["loc"]) == 1 else "missing"
    if error["type"] == "union_tag_not_found":
        return f"needs `preset:` ({', '.join(sorted(GENERATORS))}) or `family:` and `name:`"
    if error["type"] == "union_tag_invalid":
        tag, known = str(error["ctx"]["tag"]), tuple(GENERATOR_FAMILIES)
        return f"no family {short(tag)}{did_you_mean(tag, known, '.')} Allowed: {', '.join(known)}"
    messages = [e["msg"].removeprefix("Value error, ") for e in errors]
    said = " or ".join(dict.fromkeys(m[0].lower() + m[1:] for m in messages)).replace("tuple", "list")
    said = said if len(said) <= SAID else f"{said[:SAID]}..."
    value = error.get("input")
    if not isinstance(value, (str, int, float, bool)) and value is not None:
        return said
    expected = "".join(e["ctx"]["expected"] for e in errors if e["type"] == "literal_error")
    allowed = re.findall("'([^']*)'", expected)
    at = _location(error["loc"])
    is_list = error["type"] == "tuple_type" or isinstance(at[-1], int)
    return f"{said}, got {short(value)}{did_you_mean(str(value), allowed)}{in_brackets(value, at) if is_list else ''}"


def in_brackets(value: object, at: Location) -> str:
    """How a list is written, for a text at ``at`` that looks like one."""
    if not isinstance(value, str) or len(value) > SHOWN or not _LISTED.fullmatch(value):
        return ""
    key = ".".join(str(part) for part in (at[:-1] if isinstance(at[-1], int) else at))
    return f". A list stands in brackets, and in quotes on the command line: '{key}=[{value}]'"


def _known_keys(loc: Location, in_block: bool) -> set[str]:
    """The keys there are where an unknown one stands."""
    if len(loc) == 1:
        return set((Factors if in_block else GridSpec).model_fields)
    if loc[0] == "generators":
        return set(GENERATOR_FAMILIES[str(loc[2])].model_fields) | {"preset"}
    if loc[0] in ("filters", "quality_features"):
        return set((FilterRecipe if loc[0] == "filters" else FeatureRecipe).model_fields) | {"preset"}
    if loc[0] == "classifiers":
        return set(Optimiser.model_fields) if len(loc) > 3 else set(ClassifierRecipe.model_fields) | {"preset"}
    return set(DataOptions.model_fields) if loc[0] == "data" else set(SamplerRecipe.model_fields) | {"preset"}
