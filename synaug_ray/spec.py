"""The declared question: a grid's YAML and its overrides, validated into a ``GridSpec``, all errors at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from synaug_ray.errors import UsageProblem
from synaug_ray.grid_yaml import SHOWN, Lines, Location, parse_overrides, parse_yaml
from synaug_ray.recipes import (
    CLASSIFIERS,
    GENERATORS,
    MOST,
    SAMPLERS,
    ClassifierRecipe,
    Count,
    EDMRecipe,
    GeneratorRecipe,
    NotNegative,
    Number,
    Optimiser,
    Positive,
    ReferenceRecipe,
    SamplerRecipe,
)

MAX_PLAN = 1_000_000  # cells, and shards: a plan of more takes minutes and gigabytes, and is a slip of the pen
Multiple = Annotated[Number, Field(ge=0, le=1_000)]
RealShare = Literal["proportional"] | Annotated[Number, Field(gt=0, lt=1)]
GridProtocol = Literal["mixed", "synthetic-only", "pretrain"]
DEFAULT_SAMPLER = "dpmpp-8"
FACTORS = (
    "num_real", "synthetic_multiples", "real_share", "generators", "classifiers", "protocols", "draws", "seeds",
)


class DataOptions(BaseModel):
    """How images are read and split; the test set is the source's own where it has one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Count | None = None  # pixels a side; None keeps the images' own
    mode: Literal["rgb", "gray"] | None = None
    split_seed: Annotated[int, Field(strict=True, ge=0, lt=2**32 - 1)] = 0  # scikit-learn takes 32 bits


class Factors(BaseModel):
    """A full product of factors: every value of each with every value of the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_real: Annotated[tuple[Count, ...], Field(min_length=1)]
    synthetic_multiples: Annotated[tuple[Multiple, ...], Field(min_length=1)]
    generators: Annotated[tuple[GeneratorRecipe, ...], Field(min_length=1)]
    classifiers: Annotated[tuple[ClassifierRecipe, ...], Field(min_length=1)]
    protocols: Annotated[tuple[GridProtocol, ...], Field(min_length=1)] = ("mixed",)
    real_share: Annotated[tuple[RealShare, ...], Field(min_length=1)] = ("proportional",)
    draws: Count = 6  # independent subsets, each with its own generator: the unit of the intervals
    seeds: Count = 2  # classifier seeds per draw

    @field_validator("num_real", "synthetic_multiples", "protocols", "real_share")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        repeated = sorted({str(v) for v in values if values.count(v) > 1})
        if repeated:
            raise ValueError(f"repeats {', '.join(repeated)}; give each value once")
        return values

    @field_validator("generators", "classifiers")
    @classmethod
    def _named_apart(cls, recipes: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [recipe.name for recipe in recipes]
        repeated = sorted({n for n in names if names.count(n) > 1})
        if repeated:
            raise ValueError(f"has two named {', '.join(repeated)}; give each its own `name:`")
        return recipes


class CellSpec(NamedTuple):
    """One cell's factors; ``generator`` is None in real-only cells, which exist once."""

    num_real: int
    num_synthetic: int
    generator: EDMRecipe | ReferenceRecipe | None
    classifier: ClassifierRecipe
    protocol: str
    real_share: float | None
    draw: int
    seed: int


class GridSpec(Factors):
    """What ``grids/<name>.yaml`` declares. ``blocks`` are further products that override some factors."""

    dataset: Annotated[str, Field(min_length=1)]
    data: DataOptions = DataOptions()
    sampler: SamplerRecipe = SAMPLERS[DEFAULT_SAMPLER]
    stratify: Literal["natural", "balanced"] = "natural"
    delta: Positive = 1.0  # points: effects within +-delta count as none
    confidence: Annotated[Number, Field(gt=0.5, lt=1)] = 0.9
    replicates: Annotated[int, Field(strict=True, ge=0, le=MOST)] = 1_000  # of the bootstrap
    cost_real: NotNegative = 1.0  # of one labelled real image, in any currency
    blocks: tuple[dict[str, Any], ...] = ()

    def products(self) -> tuple[Factors, ...]:
        """The grid's own product and each block's."""
        own = {name: getattr(self, name) for name in FACTORS}
        return (Factors.model_validate(own),) + tuple(Factors.model_validate(own | b) for b in self.blocks)

    def cells(self) -> Iterator[CellSpec]:
        """Every cell of the union of the products; a cell in two products comes twice."""
        for factors in self.products():
            yield from _cells(factors)

    def resolved(self) -> dict[str, Any]:
        """Plain values that, written as YAML, are this grid again, every default spelled out."""
        return self.model_dump(mode="json")


def _cells(factors: Factors) -> Iterator[CellSpec]:
    for n, classifier, draw, seed in product(
        factors.num_real, factors.classifiers, range(factors.draws), range(factors.seeds)
    ):
        yield CellSpec(n, 0, None, classifier, "real-only", None, draw, seed)
        for generator, multiple, protocol in product(
            factors.generators, factors.synthetic_multiples, factors.protocols
        ):
            num_synthetic = round(n * multiple)
            if num_synthetic == 0:
                continue
            shares = factors.real_share if protocol == "mixed" else ("proportional",)
            for share in shares:
                real_share = None if share == "proportional" else float(share)
                yield CellSpec(n, num_synthetic, generator, classifier, protocol, real_share, draw, seed)


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
        problems += _sentences(error, (), lines)
    if spec is not None:
        for i, block in enumerate(spec.blocks):
            own = {name: getattr(spec, name) for name in FACTORS}
            try:
                Factors.model_validate(own | block)
            except ValidationError as error:
                problems += _sentences(error, ("blocks", i), lines)
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


def did_you_mean(word: str, known: Any, otherwise: str = "") -> str:
    """`. Did you mean 'x'?` for a close match, else nothing (or ``otherwise``)."""
    close = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)
    return f". Did you mean {close[0]!r}?" if close else otherwise


def _sentences(error: ValidationError, prefix: Location, lines: Lines) -> list[str]:
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


_REFERENCES = ("real-holdout", "duplicate", "label-shuffle", "jitter")


def cautions(spec: GridSpec) -> list[str]:
    """What this grid will not be able to say; no reason not to run it."""
    found = []
    sizes = len({n for factors in spec.products() for n in factors.num_real})
    if sizes < 4:
        found.append(f"{sizes} sizes of num_real do not make a scaling law that can be tested; give four or more")
    if spec.draws == 1:
        found.append("draws: 1 gives no interval and no verdict; give six or more")
    elif spec.draws < 5:
        found.append(f"draws: {spec.draws} gives wide intervals that rest on an assumption; six or more are better")
    return found


def write_grid(spec: GridSpec) -> str:
    """The resolved grid as YAML text that loads to an equal ``GridSpec``."""
    return yaml.safe_dump(spec.resolved(), sort_keys=False, allow_unicode=True)
