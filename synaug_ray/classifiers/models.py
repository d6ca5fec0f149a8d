"""Classifier networks: a small MLP that trains fast in packs, a small CNN, and timm's models."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from synaug_ray.common.errors import Message, UsageProblem, did_you_mean
from synaug_ray.common.text import one_line
from synaug_ray.config.recipes import ClassifierRecipe

SMALL = 64  # pixels per side up to which a stem with stride 4 discards too much detail


def build(recipe: ClassifierRecipe, shape: tuple[int, int, int], num_classes: int, seed: int) -> nn.Module:
    """A network that maps images [B, *shape] in [-1, 1] to logits [B, num_classes]; ``seed`` determines its weights.

    Args:
        shape: (channels, height, width).

    Raises:
        UsageProblem: if timm has no such model.
        DataProblem: if its weights are missing or another model's.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if recipe.family == "mlp":
            return _mlp(recipe, shape, num_classes)
        if recipe.family == "cnn":
            return _cnn(recipe, shape, num_classes)
        if recipe.pretrained:
            from synaug_ray.classifiers.pretrained import PretrainedClassifier

            return PretrainedClassifier(recipe, num_classes, seed)
        _known(recipe)
        import timm  # takes 1.6 s, and an MLP does not need it

        net = timm.create_model(recipe.model, pretrained=False, num_classes=num_classes, in_chans=shape[0])
        if recipe.small_stem and shape[1] <= SMALL:
            _shrink_stem(net, shape[0])
        return net


def check(recipe: ClassifierRecipe, shape: tuple[int, int, int] | None) -> None:
    """Reject models that timm does not have, weights that do not fit, and networks unsuitable for images [C, H, W].

    Args:
        shape: None unless the grid alone determines it.

    Raises:
        UsageProblem: with the closest model's name, or why the network is unsuitable.
        DataProblem: if its weights cannot be used.
    """
    if recipe.pretrained:
        from synaug_ray.classifiers.pretrained import opened

        opened(recipe)
        return  # images of every shape are scaled to its own size
    _known(recipe)
    if shape and (problem := incompatibility(recipe, shape, 2)):  # whether it fits does not depend on the classes
        raise UsageProblem(problem)


def _known(recipe: ClassifierRecipe) -> None:
    if recipe.family != "timm":
        return
    import timm

    if not timm.is_model(recipe.model):
        text = (
            f"{recipe.name}: timm has no {recipe.model!r}{did_you_mean(recipe.model, timm.list_models(), '.')} "
            "timm.list_models() lists all models"
        )
        raise UsageProblem(Message(text, "classifiers", "unknown-model", repr(recipe.model)))


def incompatibility(recipe: ClassifierRecipe, shape: tuple[int, int, int], num_classes: int) -> Message | None:
    """Why a network cannot be trained on images [C, H, W], or None; tried on torch's meta device, without any data."""
    if recipe.family == "mlp" or recipe.pretrained:
        return None
    name = recipe.name + (f" ({recipe.model})" if recipe.model else "")
    size = f"{shape[1]} x {shape[2]} pixels"
    try:
        with torch.device("meta"):
            net = build(recipe, shape, num_classes, 0)
    except Exception as error:  # each network raises exceptions of its own
        text = f"{name} cannot be built for images of {size} ({one_line(error, 200)}); choose another model"
        return Message(text, "classifiers", "image-size", size)
    own = getattr(net, "default_cfg", None) or {}
    fixed = own["input_size"][1] if own.get("fixed_input_size") else None
    try:
        out = net.train()(torch.empty(min(recipe.batch, 2), *shape, device="meta"))
    except Exception as error:
        wanted = (
            f"needs {fixed} x {fixed} pixels, and the images have {size}"
            if fixed
            else (f"cannot be trained on images of {size} in batches of {recipe.batch} ({one_line(error, 200)})")
        )
        text = f"{name} {wanted}; set data.size{f': {fixed}' if fixed else ''}, or choose another model"
        return Message(text, "classifiers", "image-size", size)
    if not isinstance(out, torch.Tensor) or out.shape[1:] != (num_classes,):
        text = f"{name} does not output one number per class; choose a classification model"
        return Message(text, "classifiers", "not-a-classifier", recipe.model)
    if recipe.pack > 1 and any(True for _ in net.buffers()):
        text = (
            f"{name} has batch normalisation or other buffers, which a pack cannot keep separate; it needs pack: 1, "
            f"got {recipe.pack}"
        )
        return Message(text, "classifiers", "pack", str(recipe.pack))
    return None


def _mlp(recipe: ClassifierRecipe, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    sizes = [shape[0] * shape[1] * shape[2], *recipe.widths]
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))


def _cnn(recipe: ClassifierRecipe, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Two 3x3 convolutions per stage, each with batch normalisation; max-pooling halves the size between stages."""
    layers: list[nn.Module] = []
    before = shape[0]
    for stage, width in enumerate(recipe.widths):
        if stage:
            layers.append(nn.MaxPool2d(2))
        for _ in range(2):
            layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, num_classes))


def _shrink_stem(net: nn.Module, channels: int) -> None:
    """Give a ResNet a 3x3 convolution of stride 1 and no max-pool, as for CIFAR (arXiv 1512.03385, section 4.2)."""
    stem, pool = getattr(net, "conv1", None), getattr(net, "maxpool", None)
    if isinstance(stem, nn.Conv2d) and pool is not None:
        net.conv1 = nn.Conv2d(channels, stem.out_channels, 3, 1, 1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        net.maxpool = nn.Identity()
