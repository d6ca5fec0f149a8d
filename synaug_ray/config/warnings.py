"""Warnings about a valid grid: what it will not be able to show, or will do slowly."""

from __future__ import annotations

from collections.abc import Sequence

from synaug_ray.common.hardware import BF16, cpu_flags
from synaug_ray.common.text import listed, some
from synaug_ray.config.budgets import trained_apart
from synaug_ray.config.factors import Factors
from synaug_ray.config.generator_recipes import LENGTH, GeneratorRecipe, LatentRecipe, singles
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.presets import GENERATORS
from synaug_ray.config.sampling import Guide, Sampling
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.text_recipes import TextRecipe
from synaug_ray.config.unanswerable import unanswerable
from synaug_ray.config.weights import HUB

SHORT = 0.25  # of a preset's images seen, from which a shorter training is told
FAR = 0.1  # share by which rounding to whole images may change a multiple without a note


def grid_warnings(spec: GridSpec) -> list[str]:
    """What the grid will not be able to show."""
    products = spec.products()
    generators = [one for factors in products for g in factors.generators for one in singles(g)]
    classifiers = [c for factors in products for c in factors.classifiers]
    found = unanswerable(spec)
    found += list(dict.fromkeys(said for factors in products for said in _rounded(factors)))
    found += [
        f"generators: {name} was trained on images outside this data set: verdicts call it open-set"
        for name in dict.fromkeys(g.name for g in generators if g.family == "pretrained")
    ]
    found += [
        f"generators: the autoencoder of {name} was trained on other images: verdicts say so"
        for name in dict.fromkeys(g.name for g in generators if isinstance(g, LatentRecipe) and g.given)
    ]
    found += [
        f"generators: the base of {name} was trained on other images: verdicts call it open-set by its base"
        for name in dict.fromkeys(g.name for g in generators if isinstance(g, (LoraRecipe, TextRecipe)))
    ]
    filters = [f for factors in products for f in factors.filters if f.family == "clip"]
    found += [
        f"filters: {name} chooses by a model that was trained on other images and texts: verdicts say so"
        for name in dict.fromkeys(f.name for f in filters)
    ]
    found += [
        f"classifiers: {name} starts from weights that were trained on other images: verdicts say so"
        for name in dict.fromkeys(c.name for c in classifiers if c.pretrained)
    ]
    found += [
        f"{name} is downloaded from huggingface.co where it is first needed, on each node"
        for name in dict.fromkeys(
            n.weights for n in (*spec.quality_features, *classifiers, *filters) if HUB.fullmatch(n.weights)
        )
    ]
    uneven = {c.name: c.pack for c in classifiers if c.pack > 1 and c.pack % 4}
    found += [
        f"classifiers: {name} trains in packs of {pack}: a trial's result then depends on its place in the pack, by "
        "rounding; with pack: 1 or a multiple of 4 it has the same bits in any"
        for name, pack in uneven.items()
    ]
    found += _gap(products)
    found += _cut_short(generators, max(spec.num_real))
    found += _budgets(generators, max(spec.num_real))
    if spec.draws == 1:
        found.append("draws: 1 gives no interval and no verdict; give six or more")
    elif spec.draws < 5:
        found.append(f"draws: {spec.draws} gives wide intervals that depend on an assumption; six or more are better")
    return found


def _gap(products: Sequence[Factors]) -> list[str]:
    """What keeps the arms that take the gap apart from being compared with held-out images."""
    used = [g for factors in products for g in factors.generators]
    others = ("real-holdout", "label-shuffle", "hybrid")
    arms = [f"generator {g.name}" for g in used if g.held_out and g.family not in others]
    arms += [f"filter {f.name}" for factors in products for f in factors.filters if f.relabels]
    if not arms or any(g.family == "real-holdout" for g in used):
        return []
    return [
        f"{listed(dict.fromkeys(arms))}: a control that takes the gap between real and synthetic images apart, which "
        "needs held-out images to compare with; add generator real-holdout"
    ]


def _cut_short(generators: Sequence[GeneratorRecipe], num_real: int) -> list[str]:
    """Generators that are a preset but for a training on ``num_real`` images much shorter than its own."""
    found: dict[str, str] = {}
    presets = [p for p in GENERATORS.values() if LENGTH <= set(type(p).model_fields)]
    for generator in generators:
        for preset in presets if LENGTH <= set(type(generator).model_fields) else ():
            sees, own = (g.length(num_real) for g in (generator, preset))
            if generator.any_length_key == preset.any_length_key and sees < SHORT * own:
                found[generator.name] = (
                    f"generators: {generator.name} sees {sees:,} images in training, {preset.name} {own:,}: its images "
                    "may show neither their class nor anything, and what they are worth says little of the preset's"
                )
    return list(found.values())


def _budgets(generators: Sequence[GeneratorRecipe], num_real: int) -> list[str]:
    """What generators of ``num_real`` images cost that are trained at several lengths, each from the start."""
    lengths: dict[tuple[str, int | None, Guide | None, Sampling | None], dict[str, float]] = {}
    for generator in generators:
        if LENGTH <= set(type(generator).model_fields) and not generator.continues:
            of = (
                generator.any_length_key,
                getattr(generator, "trained_on", None),
                getattr(generator, "guide", None),
                getattr(generator, "sampler", None),
            )
            lengths.setdefault(of, {})[generator.name] = generator.length(num_real)
    return [
        f"generators: {listed(names)} are one recipe at several lengths, each trained from its start, "
        f"{trained_apart(names.values()):.0%} more than the longest alone: its learning rate falls to 0 at the end of "
        "each. With schedule: constant (other images, of other generators) one training gives all of them"
        for names in lengths.values()
        if len(names) > 1
    ]


def _rounded(factors: Factors) -> list[str]:
    """What becomes of multiples that are no whole numbers of images: no cell, the same cell, another multiple."""
    none, same, far = [], [], []
    for n in filter(None, factors.num_real):
        by_count: dict[int, list[float]] = {}
        for multiple in (m for m in factors.synthetic_multiples if m):
            by_count.setdefault(round(n * multiple), []).append(multiple)
        for count, multiples in by_count.items():
            times = " and ".join(f"{m:g} x {n:,}" for m in multiples)
            if not count:
                none += [f"{m:g} x {n:,} = 0 images" for m in multiples]
            elif len(multiples) > 1:
                same.append(f"{times} = {count:,} images")
            elif abs(count / n / multiples[0] - 1) > FAR:
                far.append(f"{times} = {count:,} images")
    found = []
    if none:
        found.append(
            f"synthetic_multiples: {some(none)}, to the nearest whole one: nothing synthetic is measured there; give "
            "larger multiples, or a larger num_real"
        )
    if same:
        found.append(f"synthetic_multiples: {some(same)}, to the nearest whole one: the same cells, measured once")
    if far:
        found.append(f"synthetic_multiples: {some(far)}, to the nearest whole one: other multiples than are asked for")
    return found


def precision_warnings(spec: GridSpec) -> list[str]:
    """What a grid's precisions mean on this machine's CPU; a cluster's CPUs may differ, and GPUs support bf16.

    Emulated bf16 made a step of the EDM networks at 16 and 28 pixels 8 to 14 times slower than fp32, and one of the
    small CNN 10 times (AMD EPYC with AVX2, one thread, torch 2.14); with AMX, convolutions ran about 4 times faster.
    """
    flags, formats = cpu_flags(), spec.precisions()
    if flags is None:
        return []
    if formats["bf16"] and not flags & BF16:
        return [
            f"{', '.join(formats['bf16'])}: this machine's CPU emulates bf16, about ten times slower "
            "than fp32. Without a GPU, use precision=fp32"
        ]
    if formats["fp32"] and "amx_bf16" in flags:
        return [
            "this machine's CPU supports bf16 in hardware: precision=bf16 may make large convolutions up to four times "
            "faster and small ones hardly or not, which a dry run shows; it is a different experiment, with steps of "
            "its own"
        ]
    return []
