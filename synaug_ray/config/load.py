"""Reads a grid's file and overrides, fills in presets and validates a ``GridSpec``, reporting all problems at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from synaug_ray.common.errors import Message, UsageProblem, did_you_mean
from synaug_ray.config.budgets import with_budgets
from synaug_ray.config.checks import grid_problems
from synaug_ray.config.data_options import FULL
from synaug_ray.config.factors import FACTORS, Factors
from synaug_ray.config.generator_recipes import GENERATOR_FAMILIES
from synaug_ray.config.hybrids import PARTS, with_parts
from synaug_ray.config.messages import in_brackets, messages
from synaug_ray.config.presets import CLASSIFIERS, FEATURES, FILTERS, GENERATORS, SAMPLERS
from synaug_ray.config.protocols import PROTOCOLS
from synaug_ray.config.recipes import Precision
from synaug_ray.config.samplers import with_samplers
from synaug_ray.config.spec import DEFAULT_SAMPLER, GridSpec
from synaug_ray.config.yaml_source import Lines, Location, parse_overrides, parse_yaml, short

PACKAGE = Path(__file__).parent.parent
SHIPPED = (PACKAGE / "_grids", PACKAGE.parent / "grids")


def find_grid(name: str) -> Path:
    """The path of ``./grids/NAME.yaml``, else of a shipped grid; a path that ends in .yaml is returned as it is.

    A name may have the folder that its grid is in before it: ``atlas/digits``.

    Raises:
        UsageProblem: if there is no such grid, listing those available.
    """
    given = Path(name)
    if "=" in name:
        raise UsageProblem(
            Message(
                f"expected the name of a grid, got {name!r}; give the grid first, then key=value", "", "no-grid", name
            )
        )
    if given.suffix in (".yaml", ".yml"):
        try:
            if stat.S_ISREG(os.stat(given).st_mode):
                return given
            why = " (it is not a file)"
        except OSError as error:
            why = f" ({error.strerror})" if isinstance(error, PermissionError) else ""
        raise UsageProblem(Message(f"no grid file {name}{why}", "", "no-such-grid", name))
    for folder in (Path("grids"), *SHIPPED):
        if name in _names(folder):
            return folder / f"{name}.yaml"
    if name and os.path.exists(given):
        kind = "folder" if os.path.isdir(given) else "npz" if given.suffix == ".npz" else ""
        where = f"; to use its images, write `dataset: {kind}:{name}` in a grid" if kind else ""
        raise UsageProblem(Message(f"{name} is not a grid (a .yaml file){where}", "", "not-a-grid", name))
    text = (
        f"no grid {short(name)}{did_you_mean(name, available(), '.')} Available: "
        f"{', '.join(available())}; or give a .yaml file"
    )
    raise UsageProblem(Message(text, "", "no-such-grid", short(name)))


def available() -> list[str]:
    """Names of the grids in ``./grids`` and of the shipped ones."""
    return sorted({name for folder in (Path("grids"), *SHIPPED) for name in _names(folder)})


def _names(folder: Path) -> set[str]:
    """Of the grids in a folder and in the folders in it."""
    found: set[Path] = set()
    with suppress(PermissionError):  # a working directory without read permission, such as another user's home
        found = {path for pattern in ("*.yaml", "*/*.yaml") for path in folder.glob(pattern) if path.is_file()}
    return {path.relative_to(folder).with_suffix("").as_posix() for path in found}


def load_grid(path: Path, overrides: list[str]) -> GridSpec:
    """Read, override and validate a grid: see ``placed_grid``."""
    return placed_grid(path, overrides, lambda dataset, where: [])[0]


def placed_grid(
    path: Path, overrides: list[str], unknown: Callable[[str, str], Sequence[Message]]
) -> tuple[GridSpec, Lines]:
    """Read, override and validate a grid; returns it with the lines of its values.

    Args:
        unknown: returns the problems with a data set's name, given the name and its place; only packages above this
            one know the data sets.

    Raises:
        UsageProblem: with every problem of the file and of the overrides.
    """
    raw, lines = parse_yaml(path)
    problems: list[Message] = [*parse_overrides(raw, overrides, lines)]
    if isinstance(raw.get("dataset"), str):
        problems += unknown(raw["dataset"], lines.at(("dataset",)))
    judge = raw["data"].get("judge") if isinstance(raw.get("data"), dict) else None
    if isinstance(judge, str) and judge not in ("", FULL):
        told = unknown(judge, lines.at(("data", "judge")))
        problems += [replace(message, text=f"{message.text}, or {FULL}") for message in told]
    test2 = raw["data"].get("test2") if isinstance(raw.get("data"), dict) else None
    if isinstance(test2, str) and test2:
        problems += unknown(test2, lines.at(("data", "test2")))
    return validate_grid(raw, lines, problems), lines


def validate_grid(raw: dict[str, Any], lines: Lines, problems: Sequence[Message] = ()) -> GridSpec:
    """Validate plain values; ``problems`` are those already found."""
    problems = list(problems)
    raw, spec = dict(raw), None
    try:
        raw = _in_precision(with_parts(_presets(raw, lines, problems), lines, problems), raw.get("precision"))
        spec = GridSpec.model_validate(raw)
    except ValidationError as error:
        problems += messages(error, (), lines)
    if spec is not None:
        for i, block in enumerate(spec.blocks):
            own = {name: getattr(spec, name) for name in FACTORS}
            try:
                Factors.model_validate(own | block)
            except ValidationError as error:
                problems += messages(error, ("blocks", i), lines)
    if spec is not None and not problems:
        problems = [*grid_problems(spec, lines)]
    if problems or spec is None:
        raise UsageProblem(list(dict.fromkeys(problems)))
    return spec


def _presets(raw: dict[str, Any], lines: Lines, problems: list[Message], at: Location = ()) -> dict[str, Any]:
    """Replace names of presets, and mappings with ``preset:``, by their recipes."""
    raw = dict(raw)
    for kind, presets in (
        ("generators", GENERATORS),
        ("classifiers", CLASSIFIERS),
        ("filters", FILTERS),
        ("quality_features", FEATURES),
    ):
        if isinstance(raw.get(kind), (str, dict)):
            raw[kind] = [raw[kind]]
        if isinstance(raw.get(kind), list):
            filled = [_preset(v, presets, (*at, kind, i), lines, problems) for i, v in enumerate(raw[kind])]
            raw[kind] = [v for v, given in zip(filled, raw[kind], strict=True) if v is not None or given is None]
    if isinstance(raw.get("generators"), list):
        raw["generators"] = _several(raw["generators"], (*at, "generators"), lines, problems)
    sampler = raw.get("sampler")
    if isinstance(sampler, dict) and not sampler.keys() & {"preset", "name"}:
        raw["sampler"] = {"preset": DEFAULT_SAMPLER} | sampler  # sampler.steps=4 changes the default sampler
    if "sampler" in raw:
        raw["sampler"] = _preset(raw["sampler"], SAMPLERS, (*at, "sampler"), lines, problems)
    for name in ("num_real", "synthetic_multiples", "num_synthetic", "protocols", "real_share", "real_weight"):
        if name in raw and not isinstance(raw[name], (list, tuple)):
            raw[name] = [raw[name]]
    raw |= _protocols(raw.get("protocols"), lines, problems, at)
    if "num_synthetic" in raw and not at:
        raw.setdefault("synthetic_multiples", [0])
    if isinstance(raw.get("blocks"), list):
        raw["blocks"] = [
            _presets(b, lines, problems, (*at, "blocks", i)) if isinstance(b, dict) else b
            for i, b in enumerate(raw["blocks"])
        ]
    return raw


def _several(generators: list[Any], at: Location, lines: Lines, problems: list[Message]) -> list[Any]:
    """Each generator once for each of its ``budgets`` and ``samplers``; ``lines`` then finds what one was made from."""
    made: list[Any] = []
    for i, recipe in enumerate(generators):
        where = (*at, i)
        if not isinstance(recipe, dict):
            several: list[tuple[Any, Location]] = [(recipe, where)]
        else:
            lengths = with_budgets(recipe, where, lines, problems)
            several = [way for one in lengths for way in with_samplers(one, where, lines, problems)]
        for one, of_sampler in several:
            lines.moved[(*at, len(made))] = where
            for name in ("sampler", "guide") if of_sampler[-2:-1] == ("samplers",) else ():
                lines.moved[(*at, len(made), name)] = of_sampler
            made.append(one)
    return made


def _protocols(given: Any, lines: Lines, problems: list[Message], at: Location) -> dict[str, Any]:
    """Mappings among protocols with ``preset:`` filled in; a name alone is one without options, or a preset's."""
    if not isinstance(given, (list, tuple)):
        return {}
    places = [(*at, "protocols", i) for i in range(len(given))]
    return {
        "protocols": [
            _preset(value, PROTOCOLS, where, lines, problems) if isinstance(value, dict) else value
            for value, where in zip(given, places, strict=True)
        ]
    }


def _in_precision(raw: dict[str, Any], precision: Any, whole: bool = True) -> dict[str, Any]:
    """Set the precision of every recipe that has one to that of the grid, if given; ``whole``: a grid, not a block."""
    if precision not in get_args(Precision):
        return raw
    raw = dict(raw)
    for kind in ("generators", "classifiers"):
        if isinstance(raw.get(kind), list):
            raw[kind] = [
                _recipe_in(precision, kind, recipe) if isinstance(recipe, dict) else recipe for recipe in raw[kind]
            ]
    if whole:
        sampler = raw.get("sampler", SAMPLERS[DEFAULT_SAMPLER].model_dump(mode="json"))
        raw["sampler"] = sampler | {"precision": precision} if isinstance(sampler, dict) else sampler
    if isinstance(raw.get("blocks"), list):
        raw["blocks"] = [_in_precision(b, precision, False) if isinstance(b, dict) else b for b in raw["blocks"]]
    return raw


def _recipe_in(precision: Any, kind: str, recipe: dict[str, Any]) -> dict[str, Any]:
    if isinstance(recipe.get(PARTS), list):
        parts = [
            part | {"generator": _recipe_in(precision, kind, part["generator"])}
            if isinstance(part, dict) and isinstance(part.get("generator"), dict)
            else part
            for part in recipe[PARTS]
        ]
        return recipe | {PARTS: parts}
    return recipe | {"precision": precision} if _has_precision(kind, recipe) else recipe


def _has_precision(kind: str, recipe: dict[str, Any]) -> bool:
    family = recipe.get("family")
    return kind == "classifiers" or (
        isinstance(family, str)
        and family in GENERATOR_FAMILIES
        and "precision" in GENERATOR_FAMILIES[family].model_fields
    )


def _preset(value: Any, presets: Any, where: Location, lines: Lines, problems: list[Message]) -> Any:
    if isinstance(value, str):
        value = {"preset": value}
    if not isinstance(value, dict) or "preset" not in value:
        return value
    preset, changes = value["preset"], {k: v for k, v in value.items() if k != "preset"}
    if isinstance(preset, str) and preset in presets:
        return presets[preset].model_dump(mode="json") | changes
    text = (
        f"unknown preset {short(preset)}{did_you_mean(str(preset), presets, '.')} "
        f"Available: {', '.join(sorted(presets))}"
        f"{in_brackets(preset, where) if isinstance(where[-1], int) else ''}"
    )
    problems.append(Message(text, lines.at(where), "unknown-preset", short(preset)))
    if presets is FEATURES:  # no preset is valid without weights
        return None
    # a valid recipe in its place, under a name of its own, so that other problems can be found
    name = "no-preset-" + "-".join(str(part) for part in where)
    return next(iter(presets.values())).model_dump(mode="json") | {"name": name}
