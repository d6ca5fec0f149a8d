"""Checks of a grid that need only the grid: they are made before images are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from synaug_ray.common.errors import Message
from synaug_ray.common.text import some
from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.budget import Until
from synaug_ray.config.classifier_checks import classifier_problems
from synaug_ray.config.data_options import MAX_SIDE
from synaug_ray.config.factors import Factors
from synaug_ray.config.fewer_draws import fewer_draws_problems
from synaug_ray.config.generator_recipes import GeneratorRecipe, HybridRecipe
from synaug_ray.config.image_sides import SHAPES, halving, image_shape
from synaug_ray.config.joint import joint_arms
from synaug_ray.config.joint_checks import joint_problems
from synaug_ray.config.lora_recipe import LoraRecipe, unlike_base
from synaug_ray.config.no_real import no_real_problems
from synaug_ray.config.presets import sampler_of
from synaug_ray.config.pretrained_recipe import PretrainedRecipe, without_guide
from synaug_ray.config.protocols import JOINT, LOCAL, SHARED, SOFT, StagedProtocol, name_of, with_controls
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.config.replacement_checks import replacement_problems
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.weight_checks import weight_problems
from synaug_ray.config.yaml_source import Lines, Location

CONTROLS = "controls"
MAX_PLAN = 1_000_000  # cells, and shards: a larger plan takes minutes and gigabytes, and is a typing error
MAX_REPLICATES = 100_000  # of the bootstrap: intervals no longer change, and memory grows


def grid_problems(spec: GridSpec, lines: Lines) -> list[Message]:
    """The problems; empty if the grid can be planned."""
    found = _too_large(spec, lines) + _ambiguous(spec) + _nothing_synthetic(spec, lines)
    found += no_real_problems(spec, lines) + weight_problems(spec, lines)
    found += replacement_problems(spec, lines) + _until(spec, lines) + fewer_draws_problems(spec, lines)
    found += joint_problems(spec, lines)
    if spec.sampler.start != "subset":
        text = (
            f"start: {spec.sampler.start} would let every generator use real images that a cell does not have; leave "
            "it out, and give guide: {strength: S, of: held-out} to the generators that are to re-make these"
        )
        found.append(Message(text, lines.at(("sampler", "start")), "held-out-by-all", spec.sampler.start))
    shape = image_shape(spec)
    side = shape[1] if shape else None
    channels = shape[0] if shape and (spec.data.mode or spec.dataset in SHAPES) else None
    for at, factors in _products(spec):
        for place, generator in _makers(factors, at):
            said = halving(generator, side) if side else None
            if said:
                found.append(Message(said, lines.at(place), "image-size", f"{side} pixels"))
            if isinstance(generator, LoraRecipe) and side:
                wrong = unlike_base(generator, channels, side, None)
                found += [Message(t, lines.at((*place, field)), code) for field, code, t in wrong]
            if isinstance(generator, PretrainedRecipe) and sampler_of(generator, spec.sampler).strength < 1:
                where, said = (*place, *(("guide",) if generator.guide else ())), without_guide(generator)
                text = f"{generator.name}: {said}"
                found += [Message(text, lines.at(where), "pipeline-cannot-guide")] if said else []
            found += _of_sampler(generator, spec.sampler, lines, (*place, "sampler"))
        found += _untrainable(factors, lines.at((*at, "protocols")))
        for i, classifier in enumerate(factors.classifiers):
            place = lines.at((*at, "classifiers", i))
            found += [replace(message, place=place) for message in classifier_problems(classifier, side)]
    return list(dict.fromkeys(found))


def _makers(factors: Factors, at: Location) -> Iterator[tuple[Location, GeneratorRecipe]]:
    """The generators of a product with their locations; instead of a hybrid its parts."""
    for i, generator in enumerate(factors.generators):
        if not isinstance(generator, HybridRecipe):
            yield (*at, "generators", i), generator
        else:
            yield from (
                ((*at, "generators", i, "parts", j, "generator"), part.generator)
                for j, part in enumerate(generator.parts)
            )


def _of_sampler(generator: GeneratorRecipe, wanted: SamplerRecipe, lines: Lines, at: Location) -> list[Message]:
    """What is wrong with a generator's own sampling settings beside those that it has from the grid's sampler."""
    if getattr(generator, "sampler", None) is None:
        return []
    try:
        SamplerRecipe.model_validate(sampler_of(generator, wanted).model_dump())
    except ValidationError as error:
        return [Message(e["msg"], lines.at(at), str(e["type"])) for e in error.errors()]
    return []


def _until(spec: GridSpec, lines: Lines) -> list[Message]:
    if spec.budget is not None:
        return _not_measured(spec, lines)
    if spec.until == Until():
        return []
    text = (
        "until says what a run with a budget is to find out, and there is none; add budget: 2h (of one core or GPU), "
        "or leave until out"
    )
    return [Message(text, lines.at(("until",)), "without-budget", "until")]


def _not_measured(spec: GridSpec, lines: Lines) -> list[Message]:
    """Sizes that ``until`` asks about, and the grid has no synthetic images at."""
    sizes = sorted({n for factors in spec.products() for n in factors.num_real if n and factors.amounts(n)})
    return [
        Message(
            f"this grid has no synthetic images at {n:,} real ones, only at {some(sizes)}; ask about these, or add "
            f"{n:,} to its num_real",
            lines.at(("until", "num_real", i)),
            "not-measured",
            str(n),
        )
        for i, n in enumerate(spec.until.num_real)
        if n not in sizes
    ]


def _untrainable(factors: Factors, place: str) -> Iterator[Message]:
    """Classifiers that a protocol cannot train: heads that are fitted at once, and too short trainings."""
    for protocol in factors.protocols:
        name = name_of(protocol)
        if name not in ("pretrain", LOCAL, SOFT) and not isinstance(protocol, StagedProtocol):
            continue
        if heads := [c.name for c in factors.classifiers if c.frozen]:
            trains = {LOCAL: "looks at other images in each pass", SOFT: "trains on probabilities of classes"}.get(
                name, "trains in two parts"
            )
            text = (
                f"protocol {name} {trains}, and {', '.join(heads)} (tune: head) is fitted at once; leave "
                f"{name} out for it, in a block of its own"
            )
            yield Message(text, place, "protocol", name)
        short = [c for c in factors.classifiers if not c.frozen and c.nimg < 1.5 * c.batch]
        if short and isinstance(protocol, StagedProtocol):
            text = (
                f"protocol {name} has two stages of a batch at least, and {short[0].name} sees {short[0].nimg:,} "
                f"images in batches of {short[0].batch:,}; raise its nimg to {2 * short[0].batch:,} or more, or lower "
                "its batch"
            )
            yield Message(text, place, "too-short-for-stages", f"{short[0].nimg:,}")


def place_of_num_real(spec: GridSpec, lines: Lines, num_real: int) -> str:
    """The place of this number of real images in a grid, for messages."""
    blocks = ((("blocks", i), block.get("num_real", ())) for i, block in enumerate(spec.blocks))
    for at, sizes in (((), spec.num_real), *blocks):
        if num_real in sizes:
            return lines.at((*at, "num_real", list(sizes).index(num_real)))
    return f"{lines.file}: num_real"


def _products(spec: GridSpec) -> Iterator[tuple[Location, Factors]]:
    """Each product with its location; a block's without the networks that it inherits from the grid."""
    own, *blocks = spec.products()
    yield (), own
    for i, (block, factors) in enumerate(zip(spec.blocks, blocks, strict=True)):
        empty = {name: () for name in ("generators", "classifiers") if name not in block}
        yield ("blocks", i), factors.model_copy(update=empty)


def most(spec: GridSpec) -> tuple[int, int, int]:
    """Upper bounds on the cells, synthetic images and shards of a plan, counted without making any."""
    cells = images = shards = 0
    for f in spec.products():
        real_only = len(f.num_real) * len(f.classifiers) * f.draws * f.seeds
        mixtures = sum(
            (len(f.real_share) if p in SHARED else 1) * (len(f.real_weight) if p == "mixed" else 1)
            for p in f.protocols
            if p != JOINT
        )
        cells += real_only * (
            1
            + len(with_controls(f.protocols))
            + len(f.generators) * len(f.filters) * (len(f.synthetic_multiples) + len(f.num_synthetic)) * mixtures
        )
        cells += len(joint_arms(f.generators)) * len(f.num_real) * f.draws if JOINT in f.protocols else 0
        for n in f.num_real if mixtures else ():
            pool = max(kept.num_raw(max(f.amounts(n), default=0)) for kept in f.filters)
            images += pool * f.draws * len(f.generators)
            shards += -(-pool // spec.sampler.shard_size) * f.draws * len(f.generators)
    return cells, images, shards


def _too_large(spec: GridSpec, lines: Lines) -> list[Message]:
    cells, images, shards = most(spec)
    problems = []
    if cells > MAX_PLAN:
        text = f"{cells:,} cells; a grid may have {MAX_PLAN:,}. Lower draws or seeds, or give fewer values"
        problems.append(Message(text, lines.file, "too-many-cells", f"{cells:,}"))
    if shards > MAX_PLAN:
        text = (
            f"{images:,} synthetic images in {shards:,} shards; a grid may have {MAX_PLAN:,} "
            "shards. Lower num_real or synthetic_multiples, or raise sampler.shard_size"
        )
        problems.append(Message(text, lines.file, "too-many-shards", f"{shards:,}"))
    if spec.data.size and spec.data.size > MAX_SIDE:
        text = f"{spec.data.size:,} pixels a side; {MAX_SIDE:,} at most"
        problems.append(Message(text, lines.at(("data", "size")), "image-size", f"{spec.data.size:,}"))
    if spec.replicates > MAX_REPLICATES:
        text = f"{spec.replicates:,} replicates; {MAX_REPLICATES:,} at most, and 1,000 are enough"
        problems.append(Message(text, lines.at(("replicates",)), "too-many-replicates", f"{spec.replicates:,}"))
    return problems


def _nothing_synthetic(spec: GridSpec, lines: Lines) -> list[Message]:
    """Messages about products whose synthetic images all round to none."""
    found = []
    for at, factors in _products(spec):
        largest, most_real = max(factors.synthetic_multiples), max(factors.num_real)
        if largest and most_real and not round(largest * most_real) and not factors.num_synthetic:
            text = (
                f"{largest:g} x {most_real:,} = 0 images, to the nearest whole one: nothing synthetic would be measured"
                f"; give {1 / most_real:.2g} or more, or 0 alone to measure real images only"
            )
            found.append(Message(text, lines.at((*at, "synthetic_multiples")), "no-synthetic-images", f"{largest:g}"))
    return found


def _ambiguous(spec: GridSpec) -> list[Message]:
    """Names of several recipes, and recipes of several names, in the whole grid: tables identify recipes by name."""
    found = []
    for kind in ("generators", "classifiers", "filters", "protocols", CONTROLS):
        if kind == CONTROLS and any(message.place == "protocols" for message in found):
            continue  # those of protocols with the same names
        names: dict[str, tuple[Any, ...]] = {}
        recipes: dict[tuple[Any, ...], str] = {}
        place = "protocols" if kind == CONTROLS else kind
        for recipe in (r for factors in spec.products() for r in _named(factors, kind)):
            what = (recipe.key, getattr(recipe, "trained_on", None) or 0, *_sampled(recipe, spec))
            if names.setdefault(recipe.name, what) != what:
                text = f"{recipe.name!r} names two different recipes; give each its own `name:`"
                found.append(Message(text, place, "ambiguous-name", repr(recipe.name)))
            if recipes.setdefault(what, recipe.name) != recipe.name:
                text = f"{recipes[what]!r} and {recipe.name!r} are the same recipe; keep one"
                found.append(Message(text, place, "duplicate-recipe", repr(recipe.name)))
    return list(dict.fromkeys(found))


def _sampled(recipe: Any, spec: GridSpec) -> tuple[Any, ...]:
    """What tells the images of a generator from others of the same training; nothing of other recipes."""
    if not isinstance(recipe, AnyGenerator):
        return ()
    guide = getattr(recipe, "guide", None)
    plain = recipe if guide is None else recipe.model_copy(update={"guide": None})
    return guide, sampler_of(plain, spec.sampler).key  # type: ignore[arg-type]


def _named(factors: Factors, kind: str) -> Iterable[Any]:
    """The recipes of one kind; controls are those that are run with protocols, whether the grid names them or not."""
    if kind == CONTROLS:
        return with_controls(factors.protocols)
    return (recipe for recipe in getattr(factors, kind) if not isinstance(recipe, str))
