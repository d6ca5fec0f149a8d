"""The files of LoRA on a trained EDM generator: those of its base, and the changes in peft's format."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import UNet2DModel
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import one_line
from synaug_ray.config.given_base import CONFIG, WEIGHTS, base_in, content
from synaug_ray.config.lora_recipe import LoraRecipe, unlike_base
from synaug_ray.training.checkpoint import tensors_to_bytes
from synaug_ray.training.low_rank import LowRank

CLASSES = "class_embedding.weight"  # [K + 1, D]; the last row is the null class
ADAPTER = "adapter"  # folder of the changes alone
ADAPTER_CONFIG, ADAPTER_TENSORS = "adapter_config.json", "adapter_model.safetensors"  # peft's names
ATTENTION = ".attentions."  # in the names of the layers of attention


def open_base(recipe: LoraRecipe, shape: tuple[int, int, int], num_classes: int) -> tuple[UNet2DModel, float]:
    """The base's network with an embedding for each of ``num_classes`` and for none, and its ``sigma_data``.

    The embeddings are those of ``recipe.class_ids``; without these, all are that of the base's null class.

    Raises:
        DataProblem: if it is missing, has changed, cannot be used, or makes other images than of ``shape``.
    """
    folder, name = Path(recipe.base), f"generators: {recipe.name}"
    if content(folder) != recipe.base_content:
        raise DataProblem(
            f"{name}: on {socket.gethostname()} the base {folder} is missing or has changed (content "
            f"{recipe.base_content[:12]}); put it there, or where all nodes can read it",
            code="weights-changed",
        )
    for _, code, text in unlike_base(recipe, shape[0], shape[1], num_classes):
        raise DataProblem(f"generators: {text}", code=code)
    about = base_in(folder)
    assert about is not None
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8")) | {"num_class_embeds": num_classes + 1}
    try:
        weights = load_safetensors((folder / WEIGHTS).read_bytes())
        theirs = weights[CLASSES]
        null = len(theirs) - 1
        if null != about.num_classes:
            raise ValueError(f"{CLASSES} has {len(theirs)} rows for {about.num_classes} classes and none")
        weights[CLASSES] = theirs[[*(recipe.class_ids or [null] * num_classes), null]]
        net = UNet2DModel.from_config(config)
        assert isinstance(net, UNet2DModel)
        net.load_state_dict(weights)
    except (RuntimeError, SafetensorError, KeyError, ValueError) as error:  # missing or unexpected, or of other shapes
        raise DataProblem(
            f"{name}: {folder / WEIGHTS} cannot be used ({one_line(error, 200)}); it must have been saved together "
            f"with its {CONFIG}",
            code="weights-unusable",
        ) from None
    return net, about.sigma_data


def adapter_files(net: UNet2DModel, recipe: LoraRecipe, changed: Mapping[str, LowRank]) -> dict[str, bytes]:
    """Changes of ``net`` in peft's format: W + alpha / r * B A, with A [r, in, ...] and B [out, r, ...].

    Where a share of them is applied, it is in ``alpha``.

    Args:
        changed: by the names of their layers.
    """
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    alpha = recipe.alpha
    for name, change in changed.items():
        alpha = recipe.alpha * change.applied  # the same of all
        weight: Any = net.get_submodule(name).weight
        rank = ranks[name] = len(change.down)
        tensors[f"base_model.model.{name}.lora_A.weight"] = change.down.view(rank, *weight.shape[1:])
        tensors[f"base_model.model.{name}.lora_B.weight"] = change.up.view(len(weight), rank, *[1] * (weight.ndim - 2))
    classes: Any = net.get_submodule(CLASSES.partition(".")[0])
    tensors[f"base_model.model.{CLASSES}"] = classes.weight
    config = {
        "peft_type": "LORA",
        "r": recipe.rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(ranks),
        "rank_pattern": {name: rank for name, rank in sorted(ranks.items()) if rank != recipe.rank},
        "modules_to_save": [CLASSES.partition(".")[0]],
        "inference_mode": True,
    }
    return {
        ADAPTER_CONFIG: json.dumps(config, indent=1).encode(),
        # one note: several are written in any order, and the same training would not give the same bytes
        ADAPTER_TENSORS: tensors_to_bytes(tensors, {"base_content": recipe.base_content}),
    }
