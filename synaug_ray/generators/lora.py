"""LoRA: a trained EDM generator of other images, changed by low-rank matrices that are trained on the Subset.

DataDream (arXiv 2407.10910) does so with a text-to-image model and few images a class. Here the base is a generator of
this package, without text: instead of prompts, the classes have embeddings of their own, which are trained too. The
rest of the base stays as it is.

Its data's scale (``sigma_data``) is the base's: the network was trained for inputs and outputs of this scale.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.text import one_line
from synaug_ray.config.given_base import CONFIG, WEIGHTS, base_in, content
from synaug_ray.config.lora_recipe import LoraRecipe, unlike_base
from synaug_ray.config.text_recipes import TextLoraRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import edm, text_lora
from synaug_ray.generators.diffusion import fit, initialise, to_task
from synaug_ray.generators.text_lora import TextLoraGenerator
from synaug_ray.training.checkpoint import tensors_to_bytes
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState
from synaug_ray.training.low_rank import add_low_rank, changes, merged

CLASSES = "class_embedding.weight"  # [K + 1, D]; the last row is the null class
ADAPTER = "adapter"  # folder of the changes alone
ATTENTION = ".attentions."  # in the names of the layers of attention


@dataclass(frozen=True)
class LoraGenerator(edm.EDMGenerator):
    """An EDM generator whose network is the base's with its changes, and these changes alone as files."""

    base_content: str
    adapter: dict[str, bytes]  # by name

    def files(self) -> dict[str, bytes]:
        """Files by relative path: a pipeline of diffusers with the changed network; in ``adapter/``, the changes."""
        files = super().files()
        extra = json.loads(files["synaug.json"]) | {"family": "lora", "base_content": self.base_content}
        files["synaug.json"] = json.dumps(extra).encode()
        return files | {f"{ADAPTER}/{name}": data for name, data in self.adapter.items()}


def from_files(files: dict[str, bytes]) -> LoraGenerator | TextLoraGenerator:
    """The inverse of ``LoraGenerator.files``, and of ``TextLoraGenerator.files``."""
    if json.loads(files["synaug.json"]).get("text"):
        return text_lora.from_files(files)
    plain, at = edm.from_files(files), f"{ADAPTER}/"
    adapter = {name.removeprefix(at): data for name, data in files.items() if name.startswith(at)}
    content = json.loads(files["synaug.json"])["base_content"]
    return LoraGenerator(plain.net, plain.class_counts, plain.sigma_data, plain.shape, content, adapter)


def train(
    recipe: LoraRecipe | TextLoraRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[LoraGenerator | TextLoraGenerator, int]:
    """Train changes of the base on ``subset`` alone; see ``base.Family.train``.

    Raises:
        DataProblem: if the base is missing, has changed, cannot be used, or makes other images.
    """
    if isinstance(recipe, TextLoraRecipe):
        return text_lora.train(recipe, subset, classes, seed, device, state, save, split)
    task = to_task(subset, len(classes), seed, device)
    plain, sigma_data = open_base(recipe, task.shape, len(classes))
    config = plain.config

    def make() -> UNet2DModel:
        if not recipe.class_ids:
            with torch.no_grad():
                plain.get_parameter(CLASSES)[:-1].normal_()  # in place of the base's null class
        within = ATTENTION if recipe.adapts == "attention" else ""
        add_low_rank(plain, [plain.get_parameter(CLASSES)], recipe.rank, recipe.alpha, within)
        return plain

    def step(net: UNet2DModel, nimg: int) -> Tensor:
        return edm.backward(net, recipe, task, sigma_data, nimg, split)

    net, nimg = fit(recipe, initialise(make, seed, device), step, len(subset), split, state, save)
    whole = UNet2DModel.from_config(config)
    assert isinstance(whole, UNet2DModel)
    whole.load_state_dict(merged(net))
    counts = np.bincount(subset.labels, minlength=len(classes))
    adapter = adapter_files(net, recipe)
    return LoraGenerator(whole, counts, sigma_data, task.shape, recipe.base_content, adapter), nimg


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


def adapter_files(net: UNet2DModel, recipe: LoraRecipe) -> dict[str, bytes]:
    """The changes of ``net`` in peft's format: W + alpha / r * B A, with A [r, in, ...] and B [out, r, ...]."""
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    for name, change in changes(net).items():
        weight: Any = net.get_submodule(name).weight
        rank = ranks[name] = len(change.down)
        tensors[f"base_model.model.{name}.lora_A.weight"] = change.down.view(rank, *weight.shape[1:])
        tensors[f"base_model.model.{name}.lora_B.weight"] = change.up.view(len(weight), rank, *[1] * (weight.ndim - 2))
    tensors[f"base_model.model.{CLASSES}"] = net.get_parameter(CLASSES)
    config = {
        "peft_type": "LORA",
        "r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(ranks),
        "rank_pattern": {name: rank for name, rank in sorted(ranks.items()) if rank != recipe.rank},
        "modules_to_save": [CLASSES.partition(".")[0]],
        "inference_mode": True,
    }
    return {
        "adapter_config.json": json.dumps(config, indent=1).encode(),
        # one note: several are written in any order, and the same training would not give the same bytes
        "adapter_model.safetensors": tensors_to_bytes(tensors, {"base_content": recipe.base_content}),
    }
