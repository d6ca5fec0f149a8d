"""A grid's YAML and its overrides, presets filled in, validated into a ``GridSpec``: all problems at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synaug_ray.errors import UsageProblem, did_you_mean
from synaug_ray.grid_errors import sentences
from synaug_ray.grid_yaml import Lines, Location, parse_overrides, parse_yaml
from synaug_ray.recipes import CLASSIFIERS, GENERATORS, SAMPLERS
from synaug_ray.spec import DEFAULT_SAMPLER, FACTORS, Factors, GridSpec

MAX_PLAN = 1_000_000  # cells, and shards: a plan of more takes minutes and gigabytes, and is a slip of the pen


def load_grid(path: Path, overrides: list[str]) -> GridSpec:
    """Read, override and validate a grid.

    Raises:
        UsageProblem: with every problem of the file and of the overrides, one line each.
    """
    raw, lines = parse_yaml(path)
    problems = parse_overrides(raw, overrides, lines)
    return validate_grid(raw, lines, problems)


def validate_grid(raw: dict[str, Any], lines: Lines, problems: list[str] | None = None) -> GridSpec:
    """Validate plain values; ``problems`` are those already found."""
    problems = list(problems or [])
    raw, spec = dict(raw), None
    try:
        raw = _presets(raw, lines, problems)
        spec = GridSpec.model_validate(raw)
    except ValidationError as error:
        problems += sentences(error, (), lines)
    if spec is not None:
        for i, block in enumerate(spec.blocks):
            own = {name: getattr(spec, name) for name in FACTORS}
            try:
                Factors.model_validate(own | block)
            except ValidationError as error:
                problems += sentences(error, ("blocks", i), lines)
    if spec is not None and not problems:
        problems = _too_large(spec, lines)
    if spec is not None and not problems:
        problems += _ambiguous(spec)
    if problems or spec is None:
        raise UsageProblem(list(dict.fromkeys(problems)))
    return spec


def _too_large(spec: GridSpec, lines: Lines) -> list[str]:
    """Counts, without making any, of what a plan would hold at most."""
    cells = shards = images = 0
    for f in spec.products():
        real_only = len(f.num_real) * len(f.classifiers) * f.draws * f.seeds
        mixtures = sum(len(f.real_share) if p == "mixed" else 1 for p in f.protocols)
        cells += real_only * (1 + len(f.generators) * len(f.synthetic_multiples) * mixtures)
        for n in f.num_real:
            most = round(n * max(f.synthetic_multiples))
            images += most * f.draws * len(f.generators)
            shards += -(-most // spec.sampler.shard_size) * f.draws * len(f.generators)
    problems = []
    if cells > MAX_PLAN:
        problems.append(f"{lines.file}: {cells:,} cells; a grid may have {MAX_PLAN:,}. Lower draws or seeds, or give "
                        "fewer values")
    if shards > MAX_PLAN:
        problems.append(f"{lines.file}: {images:,} synthetic images in {shards:,} shards; a grid may have {MAX_PLAN:,} "
                        "shards. Lower num_real or synthetic_multiples, or raise sampler.shard_size")
    return problems


def _ambiguous(spec: GridSpec) -> list[str]:
    """A name stands for one recipe in the whole grid, and a recipe has one name: tables go by names."""
    found = []
    for kind in ("generators", "classifiers"):
        names: dict[str, tuple[str, int]] = {}
        recipes: dict[tuple[str, int], str] = {}
        for recipe in (r for factors in spec.products() for r in getattr(factors, kind)):
            what = (recipe.key, getattr(recipe, "trained_on", None) or 0)
            if names.setdefault(recipe.name, what) != what:
                found.append(f"{kind}: {recipe.name!r} stands for two different recipes; give each its own `name:`")
            if recipes.setdefault(what, recipe.name) != recipe.name:
                found.append(f"{kind}: {recipes[what]!r} and {recipe.name!r} are the same recipe; keep one")
    return list(dict.fromkeys(found))


def _presets(raw: dict[str, Any], lines: Lines, problems: list[str], at: Location = ()) -> dict[str, Any]:
    """Names of presets, and mappings with ``preset:``, replaced by the recipes they stand for."""
    raw = dict(raw)
    for kind, presets in (("generators", GENERATORS), ("classifiers", CLASSIFIERS)):
        if isinstance(raw.get(kind), (str, dict)):
            raw[kind] = [raw[kind]]
        if isinstance(raw.get(kind), list):
            raw[kind] = [_preset(v, presets, (*at, kind, i), lines, problems) for i, v in enumerate(raw[kind])]
    sampler = raw.get("sampler")
    if isinstance(sampler, dict) and not sampler.keys() & {"preset", "name"}:
        raw["sampler"] = {"preset": DEFAULT_SAMPLER} | sampler  # sampler.steps=4 changes the one that would be used
    if "sampler" in raw:
        raw["sampler"] = _preset(raw["sampler"], SAMPLERS, (*at, "sampler"), lines, problems)
    for name in ("num_real", "synthetic_multiples", "protocols", "real_share"):
        if name in raw and not isinstance(raw[name], (list, tuple)):
            raw[name] = [raw[name]]
    if isinstance(raw.get("blocks"), list):
        raw["blocks"] = [_presets(b, lines, problems, (*at, "blocks", i)) if isinstance(b, dict) else b
                         for i, b in enumerate(raw["blocks"])]
    return raw


def _preset(value: Any, presets: Any, where: Location, lines: Lines, problems: list[str]) -> Any:
    if isinstance(value, str):
        value = {"preset": value}
    if not isinstance(value, dict) or "preset" not in value:
        return value
    name = value["preset"]
    if not isinstance(name, str) or name not in presets:
        problems.append(f"{lines.at(where)}: no preset {name!r}{did_you_mean(str(name), presets, '.')} "
                        f"Available: {', '.join(sorted(presets))}")
        name = next(iter(presets))
    base = presets[name].model_dump(mode="json")
    return base | {k: v for k, v in value.items() if k != "preset"}
