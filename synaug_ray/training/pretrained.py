"""timm's networks with weights from a file, for feature spaces and classifiers; incomplete weights are refused."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from synaug_ray.common.errors import DataProblem, UsageProblem, did_you_mean
from synaug_ray.common.text import one_line
from synaug_ray.config.weights import HUB, digest

FOREIGN = 0.1  # share of a file's tensors that the model may not use, such as masks and auxiliary heads


@dataclass(frozen=True)
class Network:
    """A network without its head, which maps normalised images [B, 3, *size] to features [B, num_features]."""

    net: Any  # an nn.Module with timm's methods
    size: tuple[int, int]  # height and width
    mean: tuple[float, ...]  # of pixels in [0, 1]
    std: tuple[float, ...]
    interpolation: str  # the mode's name in torch
    num_features: int


def open_network(
    at: str, model: str, weights: str, content: str, size: int | None, device: torch.device | str = "cpu"
) -> Network:
    """Load a network with all of its weights; on torch's meta device, without any.

    Args:
        at: the place in the grid and the recipe's name, for messages.
        model: its name in timm.
        weights: path of its safetensors file, or owner/name@commit on the hub, from where it is downloaded once.
        content: SHA-256 of that file; that name itself.
        size: of its input, in pixels per side; None means the model's own.

    Raises:
        UsageProblem: if timm has no such model.
        DataProblem: if the weights are missing or another model's, or the model does not support the image size.
    """
    import timm
    from timm.data import resolve_data_config

    names = timm.list_pretrained() if "." in model else timm.list_models()
    if model not in names:
        text = f"{at}: timm has no {model!r}{did_you_mean(model, names, '.')} timm.list_models() lists all models"
        raise UsageProblem(text, code="unknown-model")
    meta = torch.device(device).type == "meta" or torch.empty(0).is_meta
    if HUB.fullmatch(weights):
        weights = "" if meta else _downloaded(at, weights)
    elif not meta and content != _digest_once(weights):
        raise DataProblem(
            f"{at}: on {socket.gethostname()} {weights} is missing or has changed (content {content[:12]}); put it "
            "there, or where all nodes can read it",
            code="weights-changed",
        )
    try:
        try:
            net = _loaded(model, "" if meta else weights, size)
        except TypeError:  # convolutional networks accept any size, and have no such argument
            net = _loaded(model, "" if meta else weights, None)
        net = net.to(device).eval()
        wanted = resolve_data_config({}, model=net)
        height, width = (size, size) if size else tuple(wanted["input_size"][1:])
        with torch.inference_mode():
            out = net(torch.zeros(1, 3, height, width, device=None if meta else device))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # each network raises exceptions of its own
        said = one_line(error, 200)
        raise DataProblem(
            f"{at}: {weights} cannot be used as {model} ({said}); the weights must be its model.safetensors as "
            "published at huggingface.co/timm, and size must be one that it supports",
            code="weights-unusable",
        ) from None
    if out.ndim != 2:
        raise DataProblem(
            f"{at}: {model} returns features of shape {tuple(out.shape[1:])} per image instead of one vector; choose "
            "another model",
            code="weights-unusable",
        )
    mode = str(wanted["interpolation"])
    return Network(
        net,
        (int(height), int(width)),
        tuple(wanted["mean"]),
        tuple(wanted["std"]),
        mode if mode in ("bilinear", "bicubic") else "bicubic",  # timm's other modes exist only in Pillow
        int(out.shape[1]),
    )


def seen_images(model: str) -> str:
    """The images on which timm's weights of a model were trained, by the model's name; '' if that does not say."""
    import timm

    config = timm.get_pretrained_cfg(model)
    words = (config.tag or "").split("_") if config is not None else []
    return " and ".join(dict.fromkeys(DATA_SETS[word] for word in words if word in DATA_SETS))


DATA_SETS = {  # in timm's tags
    "in1k": "ImageNet",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "lvd142m": "LVD-142M",
    "lvd1689m": "LVD-1689M",
    "laion400m": "LAION-400M",
    "laion2b": "LAION-2B",
    "openai": "OpenAI's image-text pairs",
    "webli": "WebLI",
    "dfn2b": "DFN-2B",
    "datacompxl": "DataComp-XL",
}


def _downloaded(at: str, name: str) -> str:
    """The path of model.safetensors of owner/name@commit, in the hub's own cache."""
    from huggingface_hub import hf_hub_download

    repository, _, commit = name.partition("@")
    try:
        return hf_hub_download(repository, "model.safetensors", revision=commit)
    except (OSError, ValueError) as error:  # no connection, no such file, not allowed
        raise DataProblem(
            f"{at}: model.safetensors of {name} is not in this machine's cache and cannot be downloaded "
            f"({one_line(error, 200)}); download it elsewhere and give its path as `weights:`",
            code="weights-unreachable",
        ) from None


def _loaded(model: str, weights: str, size: int | None) -> nn.Module:
    import timm

    more: dict[str, Any] = {"num_classes": 0} | ({} if size is None else {"img_size": size})
    if not weights:
        return timm.create_model(model, pretrained=False, **more)
    from_file = {"file": weights, "hf_hub_id": None, "url": ""}
    try:
        net = timm.create_model(model, pretrained=True, pretrained_cfg_overlay=from_file, **more)
    except RuntimeError:  # shapes differ: the weights may be another model's, as the other tensors would show
        _check_names(timm.create_model(model, pretrained=False, **more), weights)
        raise
    _check_names(net, weights)
    return net


def _check_names(net: Any, weights: str) -> None:
    """Raise ValueError unless the file has all tensors of the network, and few others; timm only logs it."""
    with safe_open(weights, "pt") as file:
        have, need = set(file.keys()), net.state_dict().keys()
    absent = sorted(name for name in need - have if not name.endswith("num_batches_tracked"))
    if absent:
        raise ValueError(f"{len(absent)} of its weights are not in the file, such as {absent[0]}")
    heads = net.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    foreign = sorted(name for name in have - need if not name.startswith(tuple(f"{head}." for head in heads)))
    if len(foreign) > FOREIGN * len(have):  # a deeper network of the same kind has all of them, and more
        raise ValueError(f"{len(foreign)} tensors of the file are not among its weights, such as {foreign[0]}")


def _digest_once(path: str) -> str:
    """The file's SHA-256, computed once per process unless its size or modification time changes."""
    try:
        now = os.stat(path)
    except OSError:
        return ""
    return _digest(path, now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest(path: str, size: int, changed: int) -> str:
    return digest(path)
