"""The declared question: a grid's YAML and its overrides, validated into a ``GridSpec``, all errors at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synaug_ray.errors import UsageProblem
from synaug_ray.grid_yaml import Lines, parse_overrides, parse_yaml
from synaug_ray.recipes import (
    CLASSIFIERS,
    GENERATORS,
    SAMPLERS,
    ClassifierRecipe,
    Count,
    EDMRecipe,
    GeneratorRecipe,
    NotNegative,
    Positive,
    ReferenceRecipe,
    SamplerRecipe,
)

Multiple = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
RealShare = Literal["proportional"] | Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
GridProtocol = Literal["mixed", "synthetic-only", "pretrain"]
FACTORS = (
    "num_real", "synthetic_multiples", "real_share", "generators", "classifiers", "protocols", "draws", "seeds",
)


class DataOptions(BaseModel):
    """How images are read and split; the test set is the source's own where it has one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Count | None = None  # pixels a side; None keeps the images' own
    mode: Literal["rgb", "gray"] | None = None
    split_seed: Annotated[int, Field(strict=True, ge=0)] = 0


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

    @model_validator(mode="after")
    def _distinct(self) -> Factors:
        for name in ("num_real", "synthetic_multiples", "protocols", "real_share"):
            values = getattr(self, name)
            repeated = sorted({str(v) for v in values if values.count(v) > 1})
            if repeated:
                raise ValueError(f"{name} repeats {', '.join(repeated)}; give each value once")
        for name in ("generators", "classifiers"):
            names = [recipe.name for recipe in getattr(self, name)]
            repeated = sorted({n for n in names if names.count(n) > 1})
            if repeated:
                raise ValueError(f"{name} has two named {', '.join(repeated)}; give each its own `name:`")
        return self


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
    sampler: SamplerRecipe = SAMPLERS["dpmpp-8"]
    stratify: Literal["natural", "balanced"] = "natural"
    delta: Positive = 1.0  # points: effects within +-delta count as none
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    replicates: Annotated[int, Field(strict=True, ge=0)] = 1_000  # of the bootstrap
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
    if problems or spec is None:
        raise UsageProblem(list(dict.fromkeys(problems)))
    return spec


def _presets(raw: dict[str, Any], lines: Lines, problems: list[str]) -> dict[str, Any]:
    """Names of presets, and mappings with ``preset:``, replaced by the recipes they stand for."""
    raw = dict(raw)
    for kind, presets in (("generators", GENERATORS), ("classifiers", CLASSIFIERS)):
        if isinstance(raw.get(kind), (str, dict)):
            raw[kind] = [raw[kind]]
        if isinstance(raw.get(kind), list):
            raw[kind] = [_preset(v, presets, (kind, i), lines, problems) for i, v in enumerate(raw[kind])]
    if "sampler" in raw:
        raw["sampler"] = _preset(raw["sampler"], SAMPLERS, ("sampler",), lines, problems)
    for name in ("num_real", "synthetic_multiples", "protocols", "real_share"):
        if name in raw and not isinstance(raw[name], (list, tuple)):
            raw[name] = [raw[name]]
    if isinstance(raw.get("blocks"), list):
        raw["blocks"] = [_presets(b, lines, problems) if isinstance(b, dict) else b for b in raw["blocks"]]
    return raw


def _preset(value: Any, presets: Any, where: tuple[str | int, ...], lines: Lines, problems: list[str]) -> Any:
    if isinstance(value, str):
        value = {"preset": value}
    if not isinstance(value, dict) or "preset" not in value:
        return value
    name = value["preset"]
    if name not in presets:
        problems.append(f"{lines.at(where)}: no preset {name!r}{did_you_mean(str(name), presets)}. "
                        f"Available: {', '.join(sorted(presets))}")
        name = next(iter(presets))
    base = presets[name].model_dump(mode="json")
    return base | {k: v for k, v in value.items() if k != "preset"}


def did_you_mean(word: str, known: Any) -> str:
    """`. Did you mean 'x'?` for a close match, else nothing."""
    close = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)
    return f". Did you mean {close[0]!r}?" if close else ""


def _sentences(error: ValidationError, prefix: tuple[str | int, ...], lines: Lines) -> list[str]:
    found = error.errors()
    # a tuple whose only value is wrong is also reported as too short: the first says it all
    inner = {e["loc"][:1] for e in found if e["type"] != "too_short"}
    return [_sentence(e, prefix, lines) for e in found if e["type"] != "too_short" or e["loc"][:1] not in inner]


def _sentence(error: Any, prefix: tuple[str | int, ...], lines: Lines) -> str:
    location = prefix + tuple(p for p in error["loc"] if p not in ("edm", "constrained-float")
                              and not str(p).startswith(("literal[", "function-")))
    at = lines.at(location)
    if error["type"] == "extra_forbidden":
        known = _known_keys(location)
        return (f"{at}: unknown key {str(location[-1])!r}{did_you_mean(str(location[-1]), known)}"
                + (f". Allowed: {', '.join(sorted(known))}" if known else ""))
    if error["type"] == "missing":
        return f"{at}: missing; every grid needs it"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(error.get("input"), (str, int, float, bool)) or error.get("input") is None:
        return f"{at}: {message}, got {error.get('input')!r}"
    return f"{at}: {message}"


def _known_keys(location: tuple[str | int, ...]) -> set[str]:
    names = [p for p in location[:-1] if isinstance(p, str)]
    models: dict[str, type[BaseModel]] = {
        "data": DataOptions, "sampler": SamplerRecipe, "classifiers": ClassifierRecipe, "blocks": Factors,
    }
    if not names:
        return set(GridSpec.model_fields)
    if "generators" in names:
        return set(ReferenceRecipe.model_fields if names[-1] in _REFERENCES else EDMRecipe.model_fields)
    model = models.get(names[0])
    return set(model.model_fields) if model else set()


_REFERENCES = ("real-holdout", "duplicate", "label-shuffle", "jitter")


def write_grid(spec: GridSpec) -> str:
    """The resolved grid as YAML text that loads to an equal ``GridSpec``."""
    return yaml.safe_dump(spec.resolved(), sort_keys=False, allow_unicode=True)
