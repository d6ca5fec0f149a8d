"""What a grid asks for that cannot work, as far as the grid alone shows it: all of it, before images are read."""

from __future__ import annotations

from collections.abc import Iterator

from synaug_ray.config.recipes import ClassifierRecipe, GeneratorRecipe
from synaug_ray.config.spec import Factors, GridSpec
from synaug_ray.config.yaml_source import Lines, Location

MAX_PLAN = 1_000_000  # cells, and shards: a plan of more takes minutes and gigabytes, and is a slip of the pen
MAX_SIDE = 4_096  # pixels: one colour image is 50 MB then
MAX_REPLICATES = 100_000  # of the bootstrap: intervals have long stopped changing, and memory grows with them
# (channels, pixels a side) of the built-in sets whose images all have the same
SHAPES = {
    "digits": (1, 8),
    "usps": (1, 16),
    "semeion": (1, 16),
    "mnist": (1, 28),
    "fashionmnist": (1, 28),
    "kmnist": (1, 28),
    "emnist-balanced": (1, 28),
    "cifar10": (3, 32),
    "cifar100": (3, 32),
    "svhn": (3, 32),
    "eurosat": (3, 64),
    "stl10": (3, 96),
    "pcam": (3, 96),
}


def grid_problems(spec: GridSpec, lines: Lines) -> list[str]:
    """One sentence a problem; empty where the grid can be planned."""
    found = _too_large(spec, lines) + _ambiguous(spec)
    shape = image_shape(spec)
    side = shape[1] if shape else None
    for at, factors in _products(spec):
        for i, generator in enumerate(factors.generators):
            said = halving(generator, side) if side else None
            if said:
                found.append(f"{lines.at((*at, 'generators', i))}: {said}")
        for i, classifier in enumerate(factors.classifiers):
            found += [f"{lines.at((*at, 'classifiers', i))}: {said}" for said in _classifier(classifier, side)]
    return found


def place_of_num_real(spec: GridSpec, lines: Lines, num_real: int) -> str:
    """Where a grid has this number of real images, as messages name places."""
    blocks = ((("blocks", i), block.get("num_real", ())) for i, block in enumerate(spec.blocks))
    for at, sizes in (((), spec.num_real), *blocks):
        if num_real in sizes:
            return lines.at((*at, "num_real", list(sizes).index(num_real)))
    return f"{lines.file}: num_real"


def image_shape(spec: GridSpec) -> tuple[int, int, int] | None:
    """(channels, height, width) that the networks will see; None where only the images can tell.

    Where only the channels are unknown they are taken for three.
    """
    channels, side = SHAPES.get(spec.dataset, (3, None))
    if spec.dataset.startswith("medmnist:"):
        _, at, given = spec.dataset.partition("@")
        side = int(given) if given.isdecimal() and len(given) < 5 else None if at else 28
    channels = {"gray": 1, "rgb": 3, None: channels}[spec.data.mode]
    side = spec.data.size or side
    return (channels, side, side) if side else None


def halving(recipe: GeneratorRecipe, side: int) -> str | None:
    """Why a network that halves its images, once for each further entry of its channels, cannot take this side."""
    divisor = 2 ** min(recipe.halvings, 64)
    if not side % divisor:
        return None
    return (
        f"{recipe.name} halves its images {recipe.halvings} times, and {side} pixels do not divide by {divisor}; "
        f"set data.size: {-(-side // divisor) * divisor}, or give it fewer channels"
    )


def _classifier(recipe: ClassifierRecipe, side: int | None) -> Iterator[str]:
    if recipe.family == "timm":
        yield from _timm_name(recipe)
    elif recipe.model:
        yield f"{recipe.name} is of family {recipe.family}, which has no model: {recipe.model!r}; set family: timm"
    if recipe.family == "cnn":
        if recipe.pack > 1:
            yield (
                f"{recipe.name} has batch normalisation, whose statistics cannot be kept apart in a pack; it needs "
                f"pack: 1, got {recipe.pack}"
            )
        least = 2 ** (len(recipe.widths) - 1)
        if side and side < least:
            yield (
                f"{recipe.name} halves its images {len(recipe.widths) - 1} times, and {side} pixels are too few; "
                f"set data.size: {least} or more, or give it fewer widths"
            )


def _timm_name(recipe: ClassifierRecipe) -> Iterator[str]:
    """What a name shows by itself; whether timm has it only timm can tell."""
    if not recipe.model:
        yield f"{recipe.name} is of family timm and needs `model:`, a name timm has, such as resnet18"
    elif ":" in recipe.model or "/" in recipe.model:
        yield (
            f"{recipe.name}: model {recipe.model!r} names weights from elsewhere; classifiers start from random "
            "weights here, so give the name of an architecture that timm has, such as resnet18"
        )
    elif "." in recipe.model:
        architecture = recipe.model.partition(".")[0]
        yield (
            f"{recipe.name}: model {recipe.model!r} names pretrained weights, which would bring in outside images; "
            f"classifiers start from random weights here, so write {architecture!r}"
        )


def _products(spec: GridSpec) -> Iterator[tuple[Location, Factors]]:
    """Each product with the place it is written at; a block's without what it has from the grid."""
    own, *blocks = spec.products()
    yield (), own
    for i, (block, factors) in enumerate(zip(spec.blocks, blocks, strict=True)):
        empty = {name: () for name in ("generators", "classifiers") if name not in block}
        yield ("blocks", i), factors.model_copy(update=empty)


def most(spec: GridSpec) -> tuple[int, int, int]:
    """Cells, synthetic images and shards that a plan would hold at most, counted without making any."""
    cells = images = shards = 0
    for f in spec.products():
        real_only = len(f.num_real) * len(f.classifiers) * f.draws * f.seeds
        mixtures = sum(len(f.real_share) if p == "mixed" else 1 for p in f.protocols)
        cells += real_only * (1 + len(f.generators) * len(f.filters) * len(f.synthetic_multiples) * mixtures)
        for n in f.num_real:
            pool = max(kept.num_raw(round(n * max(f.synthetic_multiples))) for kept in f.filters)
            images += pool * f.draws * len(f.generators)
            shards += -(-pool // spec.sampler.shard_size) * f.draws * len(f.generators)
    return cells, images, shards


def _too_large(spec: GridSpec, lines: Lines) -> list[str]:
    cells, images, shards = most(spec)
    problems = []
    if cells > MAX_PLAN:
        problems.append(
            f"{lines.file}: {cells:,} cells; a grid may have {MAX_PLAN:,}. Lower draws or seeds, or give fewer values"
        )
    if shards > MAX_PLAN:
        problems.append(
            f"{lines.file}: {images:,} synthetic images in {shards:,} shards; a grid may have {MAX_PLAN:,} "
            "shards. Lower num_real or synthetic_multiples, or raise sampler.shard_size"
        )
    if spec.data.size and spec.data.size > MAX_SIDE:
        problems.append(f"{lines.at(('data', 'size'))}: {spec.data.size:,} pixels a side; {MAX_SIDE:,} at most")
    if spec.replicates > MAX_REPLICATES:
        problems.append(
            f"{lines.at(('replicates',))}: {spec.replicates:,} replicates; {MAX_REPLICATES:,} at most, and 1,000 do"
        )
    return problems


def _ambiguous(spec: GridSpec) -> list[str]:
    """A name stands for one recipe in the whole grid, and a recipe has one name: tables go by names."""
    found = []
    for kind in ("generators", "classifiers", "filters"):
        names: dict[str, tuple[str, int]] = {}
        recipes: dict[tuple[str, int], str] = {}
        for recipe in (r for factors in spec.products() for r in getattr(factors, kind)):
            what = (recipe.key, getattr(recipe, "trained_on", None) or 0)
            if names.setdefault(recipe.name, what) != what:
                found.append(f"{kind}: {recipe.name!r} stands for two different recipes; give each its own `name:`")
            if recipes.setdefault(what, recipe.name) != recipe.name:
                found.append(f"{kind}: {recipes[what]!r} and {recipe.name!r} are the same recipe; keep one")
    return list(dict.fromkeys(found))
