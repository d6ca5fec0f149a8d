"""Turns pydantic's errors about a grid into messages: where, what is wrong, the value, what is allowed."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from synaug_ray.common.errors import Message, did_you_mean
from synaug_ray.config.budgets import BUDGETS
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.factors import Factors
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.generator_recipes import GENERATOR_FAMILIES, LENGTH, Part, recipe_type
from synaug_ray.config.hybrids import PARTS
from synaug_ray.config.presets import GENERATORS
from synaug_ray.config.protocols import StagedProtocol
from synaug_ray.config.recipes import ClassifierRecipe, Optimiser, SamplerRecipe
from synaug_ray.config.sampling import Guide, Sampling
from synaug_ray.config.spec import GridSpec, TrainingCheck
from synaug_ray.config.yaml_source import SHOWN, Lines, Location, short

MOST = 400  # characters of a recipe's own message, which may quote a value of any length
CODES = {  # of pydantic's types; any other is written with hyphens
    "dict_type": "not-a-mapping",
    "finite_number": "not-finite",
    "literal_error": "not-a-choice",
    "model_attributes_type": "not-a-mapping",
    "model_type": "not-a-mapping",
    "string_pattern_mismatch": "not-a-name",
    "string_too_short": "too-short",
    "string_type": "not-text",
    "tuple_type": "not-a-list",
    **dict.fromkeys(("greater_than", "greater_than_equal", "less_than", "less_than_equal"), "out-of-range"),
}
_LISTED = re.compile(r"[\w.+-]+( *, *[\w.+-]+)+")  # a list without its brackets


def messages(error: ValidationError, prefix: Location, lines: Lines) -> list[Message]:
    """One message for each place with an error."""
    found = error.errors()
    # a tuple whose only value is wrong is also reported as too short, which adds nothing
    found = [
        e
        for e in found
        if e["type"] != "too_short"
        or not any(len(o["loc"]) > len(e["loc"]) and o["loc"][: len(e["loc"])] == e["loc"] for o in found)
    ]
    grouped: dict[Location, list[Any]] = {}  # the branches of a union are alternatives at one place
    for e in found:
        grouped.setdefault(_location(e["loc"]), []).append(e)
    return [_message(errors, lines.at(prefix + at), bool(prefix)) for at, errors in grouped.items()]


def _location(loc: Location) -> Location:
    """Without the branch of a union, which pydantic adds."""
    if loc[0] in ("generators", "protocols"):
        loc = loc[:2] + loc[3:]
        return loc[:5] + loc[6:] if loc[2:3] == (PARTS,) and loc[4:5] == ("generator",) else loc
    return loc[:2] if loc[0] in ("real_share", "real_weight") else loc


def _message(errors: list[Any], place: str, in_block: bool) -> Message:
    error = errors[0]
    kind = str(error["type"])
    if kind == "extra_forbidden":
        known, key = _known_keys(error["loc"], in_block), str(error["loc"][-1])
        text = f"unknown key {short(key)}{did_you_mean(key, known, '.')} Allowed: {', '.join(sorted(known))}"
        return Message(text, place, "unknown-key", short(key))
    if kind == "missing":
        text = "missing; every grid needs it" if len(error["loc"]) == 1 else "missing"
        return Message(text, place, "missing-key", str(error["loc"][-1]))
    if kind == "union_tag_not_found":
        text = f"needs `preset:` ({', '.join(sorted(GENERATORS))}) or `family:` and `name:`"
        return Message(text, place, "no-preset-or-family")
    if kind == "union_tag_invalid":
        tag, known = str(error["ctx"]["tag"]), tuple(GENERATOR_FAMILIES)
        text = f"unknown family {short(tag)}{did_you_mean(tag, known, '.')} Allowed: {', '.join(known)}"
        return Message(text, place, "unknown-family", short(tag))
    code = CODES.get(kind, kind.replace("_", "-"))
    messages = [e["msg"].removeprefix("Value error, ") for e in errors]
    said = " or ".join(dict.fromkeys(m[0].lower() + m[1:] for m in messages)).replace("tuple", "list")
    said = re.sub(r" or instance of \w+$", "", said)
    said = said if len(said) <= MOST else f"{said[:MOST]}..."
    said = "input should be true or false" if kind == "bool_type" else said
    value = error.get("input")
    if isinstance(value, (list, tuple, dict)) and kind.endswith("_type"):
        return Message(f"{said}, got {short(value)}", place, code)
    if not isinstance(value, (str, int, float, bool)) and value is not None:
        return Message(said, place, code)
    expected = "".join(e["ctx"]["expected"] for e in errors if e["type"] == "literal_error")
    allowed = re.findall("'([^']*)'", expected)
    at = _location(error["loc"])
    hint = in_brackets(value, at) if kind == "tuple_type" or isinstance(at[-1], int) else ""
    return Message(f"{said}, got {short(value)}{did_you_mean(str(value), allowed)}{hint}", place, code, short(value))


def in_brackets(value: object, at: Location) -> str:
    """How to write a list, if the text at ``at`` resembles one."""
    if not isinstance(value, str) or len(value) > SHOWN or not _LISTED.fullmatch(value):
        return ""
    key = ".".join(str(part) for part in (at[:-1] if isinstance(at[-1], int) else at))
    return f". Write a list in brackets, and in quotes on the command line: '{key}=[{value}]'"


def _known_keys(loc: Location, in_block: bool) -> set[str]:
    """The keys allowed in the place of an unknown one."""
    if len(loc) == 1:
        return set((Factors if in_block else GridSpec).model_fields)
    if loc[0] == "generators":
        if loc[3:4] == (PARTS,) and loc[4:]:  # of a part of a hybrid, whose recipe begins as one of a grid
            return _known_keys(("generators", 0, *loc[6:]), in_block) if loc[7:] else set(Part.model_fields)
        if loc[4:]:  # of a field that is a mapping
            return set(Guide.model_fields) if loc[3] == "guide" else {*Sampling.model_fields, "preset", "strength"}
        kind = recipe_type(str(loc[2]))
        fields = set(kind.model_fields if kind else ()) | {"preset"}
        fields |= {"samplers"} if "sampler" in fields else set()
        return fields | {BUDGETS} if LENGTH <= fields else fields
    if loc[0] in ("filters", "quality_features"):
        return set((FilterRecipe if loc[0] == "filters" else FeatureRecipe).model_fields) | {"preset"}
    if loc[0] == "classifiers":
        return set(Optimiser.model_fields) if len(loc) > 3 else set(ClassifierRecipe.model_fields) | {"preset"}
    if loc[0] == "protocols":
        return set(StagedProtocol.model_fields) | {"preset"}
    if loc[0] == "training_check":
        return set(TrainingCheck.model_fields)
    return set(DataOptions.model_fields) if loc[0] == "data" else set(SamplerRecipe.model_fields) | {"preset"}
