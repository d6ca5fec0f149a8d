"""What pydantic found wrong with a grid, in sentences: where, what, with the value, what is allowed."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from synaug_ray.data_options import DataOptions
from synaug_ray.errors import did_you_mean
from synaug_ray.grid_yaml import SHOWN, Lines, Location
from synaug_ray.recipes import GENERATORS, ClassifierRecipe, EDMRecipe, Optimiser, ReferenceRecipe, SamplerRecipe
from synaug_ray.spec import Factors, GridSpec

_REFERENCES = ("real-holdout", "duplicate", "label-shuffle", "jitter")


def sentences(error: ValidationError, prefix: Location, lines: Lines) -> list[str]:
    """One sentence for each place where something is wrong."""
    found = error.errors()
    # a tuple whose only value is wrong is also reported as too short: the first says it all
    found = [e for e in found if e["type"] != "too_short" or not any(
        len(o["loc"]) > len(e["loc"]) and o["loc"][:len(e["loc"])] == e["loc"] for o in found)]
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
        return f"unknown key {key!r}{did_you_mean(key, known, '.')} Allowed: {', '.join(sorted(known))}"
    if error["type"] == "missing":
        return "missing; every grid needs it" if len(error["loc"]) == 1 else "missing"
    if error["type"] == "union_tag_not_found":
        return f"needs `preset:` ({', '.join(sorted(GENERATORS))}) or `family:` and `name:`"
    if error["type"] == "union_tag_invalid":
        tag, known = str(error["ctx"]["tag"]), ("edm", *_REFERENCES)
        return f"no family {tag!r}{did_you_mean(tag, known, '.')} Allowed: {', '.join(known)}"
    messages = [e["msg"].removeprefix("Value error, ") for e in errors]
    said = " or ".join(dict.fromkeys(m[0].lower() + m[1:] for m in messages))
    value = error.get("input")
    if not isinstance(value, (str, int, float, bool)) and value is not None:
        return said
    expected = "".join(e["ctx"]["expected"] for e in errors if e["type"] == "literal_error")
    allowed = re.findall("'([^']*)'", expected)
    return f"{said}, got {_short(value)}{did_you_mean(str(value), allowed)}"


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def _known_keys(loc: Location, in_block: bool) -> set[str]:
    """The keys there are where an unknown one stands."""
    if len(loc) == 1:
        return set((Factors if in_block else GridSpec).model_fields)
    if loc[0] == "generators":
        return set((EDMRecipe if loc[2] == "edm" else ReferenceRecipe).model_fields) | {"preset"}
    if loc[0] == "classifiers":
        return set(Optimiser.model_fields) if len(loc) > 3 else set(ClassifierRecipe.model_fields) | {"preset"}
    return set(DataOptions.model_fields) if loc[0] == "data" else set(SamplerRecipe.model_fields) | {"preset"}
