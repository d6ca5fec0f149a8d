"""Checks of a classifier's recipe: fields that do not go together, and networks that the images are too small for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from synaug_ray.common.errors import Message
from synaug_ray.common.text import times
from synaug_ray.config.data_options import MAX_SIDE
from synaug_ray.config.recipes import ClassifierRecipe

TUNING = ("layer_decay", "decay_to", "lora_rank", "lora_alpha")  # fields of networks with weights that are trained


def classifier_problems(recipe: ClassifierRecipe, side: int | None) -> Iterator[Message]:
    """The problems of a classifier that sees images of ``side`` pixels; None if that is not known yet."""
    yield from _weights(recipe)
    if recipe.family == "timm":
        yield from _timm_name(recipe)
    elif recipe.model:
        text = f"{recipe.name}: family {recipe.family} takes no model, got {recipe.model!r}; set family: timm"
        yield Message(text, code="model-without-timm", value=repr(recipe.model))
    if recipe.family == "cnn":
        if recipe.pack > 1:
            yield Message(
                f"{recipe.name} has batch normalisation, whose statistics cannot be kept apart in a pack; it needs "
                f"pack: 1, got {recipe.pack}",
                code="pack",
                value=str(recipe.pack),
            )
        least = 2 ** (len(recipe.widths) - 1)
        if side and side < least:
            yield Message(
                f"{recipe.name} halves its images {times(len(recipe.widths) - 1)} and needs {least} pixels a side, got "
                f"{side}; set data.size: {least} or more, or use fewer widths",
                code="image-size",
                value=f"{side} pixels",
            )


def _timm_name(recipe: ClassifierRecipe) -> Iterator[Message]:
    """Problems that the name itself shows; only timm knows whether it has the model."""
    if not recipe.model:
        text = f"{recipe.name}: family timm needs `model:`, the name of a timm model such as resnet18"
        yield Message(text, code="model-missing")
    elif ":" in recipe.model or "/" in recipe.model:
        yield Message(
            f"{recipe.name}: model {recipe.model!r} names weights from elsewhere, and nothing is downloaded; give the "
            "name of an architecture of timm, such as resnet18, and `weights:`, a file, if it shall not start from "
            "random ones",
            code="pretrained-weights",
            value=repr(recipe.model),
        )
    elif "." in recipe.model and not recipe.pretrained:
        architecture = recipe.model.partition(".")[0]
        yield Message(
            f"{recipe.name}: model {recipe.model!r} names pretrained weights, which would bring in outside images; "
            f"write {architecture!r} to start from random weights, or give the file of these as `weights:`",
            code="pretrained-weights",
            value=repr(recipe.model),
        )


def _weights(recipe: ClassifierRecipe) -> Iterator[Message]:
    """Problems of pretrained weights and of the fields that only networks with weights have."""
    if not recipe.pretrained:
        for name in ("tune", "size", "head_learning_rate", "batch_norm", "head", *TUNING):
            value, default = getattr(recipe, name), ClassifierRecipe.model_fields[name].default
            if value != default:
                text = (
                    f"{recipe.name}: {name} is of networks that were trained before, got {value} without `weights:`; "
                    "give the model's safetensors file, or leave it out"
                )
                yield Message(text, code="needs-weights", value=str(value))
        return
    if recipe.family != "timm":
        text = (
            f"{recipe.name}: family {recipe.family} takes no weights, got {recipe.weights!r}; set family: timm and "
            "`model:`, the architecture that they are of"
        )
        yield Message(text, code="weights-without-timm", value=repr(recipe.weights))
    if recipe.size and recipe.size > MAX_SIDE:
        text = f"{recipe.name}: size {recipe.size:,} pixels a side; {MAX_SIDE:,} at most, and the model's own is enough"
        yield Message(text, code="image-size", value=f"{recipe.size:,}")
    if recipe.tune == "head":
        yield from _head(recipe)
    unused = () if recipe.tune == "lora" else ("lora_rank", "lora_alpha")
    yield from _useless(recipe, unused, "of tune: lora", f"tune is {recipe.tune}")
    yield from _useless(recipe, () if recipe.tune == "head" else ("head",), "of tune: head", f"tune is {recipe.tune}")
    if recipe.tune != "head" and recipe.pack > 1:
        text = (
            f"{recipe.name} trains a network with weights, which is done one by one; it needs pack: 1, got "
            f"{recipe.pack}"
        )
        yield Message(text, code="pack", value=str(recipe.pack))


def _head(recipe: ClassifierRecipe) -> Iterator[Message]:
    """Fields of trainings, which a head that is fitted exactly does not have."""
    fields = (
        "nimg",
        "min_passes",
        "label_smoothing",
        "shift",
        "head_learning_rate",
        "batch_norm",
        "optimiser",
        *TUNING[:2],
    )
    for name in fields:
        value, default = getattr(recipe, name), ClassifierRecipe.model_fields[name].default
        if value != default:
            text = (
                f"{recipe.name}: tune: head fits a head to features of the network as it is, in no steps, and takes no "
                f"{name}; leave it out, or set tune: all"
            )
            yield Message(text, code="no-such-field", value=name)


def _useless(recipe: ClassifierRecipe, names: Iterable[str], of: str, but: str) -> Iterator[Message]:
    """Fields that only another kind of tuning has."""
    for name in names:
        value = getattr(recipe, name)
        if value != ClassifierRecipe.model_fields[name].default:
            text = f"{recipe.name}: {name} is {of}, and {but}; leave {name} out, or change tune"
            yield Message(text, code="no-such-field", value=name)
