"""LoRA of a text-to-image pipeline, for the whole Subset or for each of its classes (DataDream, arXiv 2407.10910).

The attention of the U-Net, and of the text encoder where asked for, has low-rank changes beside its matrices. They are
saved as diffusers saves such, so that ``load_lora_weights`` of the stock pipeline gives the same images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn
from torch.nn.functional import linear

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.config.text_recipes import TextLoraRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.diffusion import initialise
from synaug_ray.generators.guide import labels_of
from synaug_ray.generators.pretrained import PretrainedGenerator, from_pointer
from synaug_ray.generators.samplers import sample_by_class
from synaug_ray.generators.text_training import fit, lesson_of, pointer_of
from synaug_ray.training.checkpoint import tensors_to_bytes
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState

FILE = "pytorch_lora_weights.safetensors"  # diffusers' name for it
OF_UNET = ("to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "add_v_proj")
OF_TEXT = ("q_proj", "k_proj", "v_proj", "out_proj")


class Change(nn.Module):
    """What is added to the output of a linear layer: ``scale`` * up(down(x)), at first zero."""

    def __init__(self, layer: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        rank = min(rank, layer.in_features, layer.out_features)
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / rank)
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        return linear(linear(x, self.down), self.up) * self.scale


class Changes(nn.Module):
    """Of all layers that change, by their names in the pipeline: ``unet.`` or ``text_encoder.``, and the layer's."""

    def __init__(self, layers: Mapping[str, nn.Linear], rank: int, alpha: float) -> None:
        super().__init__()
        self.names = tuple(layers)
        self.each = nn.ModuleList(Change(layer, rank, alpha) for layer in layers.values())

    def tensors(self) -> dict[str, Tensor]:
        """In diffusers' format, with the scale in the second matrix: no version of it then needs to know the scale."""
        found: dict[str, Tensor] = {}
        for name, change in zip(self.names, self.each, strict=True):
            assert isinstance(change, Change)
            found |= {f"{name}.lora_A.weight": change.down, f"{name}.lora_B.weight": change.up * change.scale}
        return found


class Adapter:
    """What a pipeline's layers add to their outputs now: nothing, or what ``add`` gives by the layer's name."""

    def __init__(self, layers: Mapping[str, nn.Linear]) -> None:
        self.now: dict[str, Any] = {}
        self.names = frozenset(layers)
        for name, layer in layers.items():
            layer.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
            change = self.now.get(name)
            return out if change is None else out + change(args[0])

        return hook

    def use(self, changes: nn.Module) -> None:
        """Let it be ``changes``."""
        assert isinstance(changes, Changes)
        self.now = dict(zip(changes.names, changes.each, strict=True))

    def use_tensors(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """Let it be the changes of a file, by diffusers' names.

        Raises:
            DataProblem: if they are of layers that the pipeline does not have.
        """
        at = {name: tensor.to(device) for name, tensor in tensors.items()}
        self.now = {}
        unknown = [name for name in at if name.rpartition(".lora_")[0] not in self.names]
        if unknown:
            raise DataProblem(
                f"{len(unknown)} low-rank changes belong to layers that the pipeline does not have here "
                f"({unknown[0]}): other versions of transformers name them otherwise; sample with the version that "
                "trained them, or train again",
                code="adapter-unknown-layers",
            )
        for name in (n.removesuffix(".lora_A.weight") for n in at if n.endswith(".lora_A.weight")):
            down, up = at[f"{name}.lora_A.weight"], at[f"{name}.lora_B.weight"]
            self.now[name] = lambda x, down=down, up=up: linear(linear(x, down), up)


def layers_of(pipeline: Any, text_encoder: bool) -> dict[str, nn.Linear]:
    """The linear layers of attention, by their names in the pipeline."""
    parts = {"unet": OF_UNET} | ({"text_encoder": OF_TEXT} if text_encoder else {})
    return {
        f"{part}.{name}": module
        for part, ends in parts.items()
        for name, module in getattr(pipeline, part).named_modules()
        if isinstance(module, nn.Linear) and name.endswith(tuple(f".{end}" for end in ends)) and "attn" in name
    }


@dataclass(frozen=True)
class TextLoraGenerator(PretrainedGenerator):
    """A reference to a pipeline, and its changes: for all classes, or for each (none for one without images)."""

    adapters: tuple[bytes, ...] = ()  # safetensors

    def opened(self) -> Any:
        pipeline = super().opened()
        pipeline.adapter = Adapter(layers_of(pipeline, text_encoder=True))
        if len(self.adapters) == 1:
            self._use(pipeline, 0, torch.device("cpu"))
        return pipeline

    def _use(self, pipeline: Any, number: int, device: torch.device) -> None:
        data = self.adapters[number]
        pipeline.adapter.use_tensors(load_safetensors(data) if data else {}, device)

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool; see ``PretrainedGenerator.sample``."""
        if len(self.adapters) == 1:
            self._use(self._loaded, 0, device)
            return super().sample(sampler, index, seed, device, real)
        made = self.maker(sampler, index, seed, device, real)

        def of_class(label: int) -> Any:
            self._use(self._loaded, label, device)
            return made

        labels = labels_of(sampler, real, index)
        return sample_by_class(of_class, sampler, self.class_counts, index, self.shape, device, labels)

    def files(self) -> dict[str, bytes]:
        """A pointer to the base, and the changes as ``load_lora_weights`` reads them; in ``class-3/`` those of one."""
        plain = self.pointer() | {"family": "lora", "text": True, "adapters": [bool(a) for a in self.adapters]}
        names = [FILE] if len(self.adapters) == 1 else [f"class-{k}/{FILE}" for k in range(len(self.adapters))]
        saved = {name: data for name, data in zip(names, self.adapters, strict=True) if data}
        return {"synaug.json": json.dumps(plain).encode()} | saved


def from_files(files: dict[str, bytes]) -> TextLoraGenerator:
    """The inverse of ``TextLoraGenerator.files``."""
    plain = json.loads(files["synaug.json"])
    held = plain["adapters"]
    names = [FILE] if len(held) == 1 else [f"class-{k}/{FILE}" for k in range(len(held))]
    adapters = tuple(files[name] if has else b"" for name, has in zip(names, held, strict=True))
    return TextLoraGenerator(**from_pointer(plain), adapters=adapters)


def train(
    recipe: TextLoraRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[TextLoraGenerator, int]:
    """Train changes of the base on ``subset`` alone; see ``base.Family.train``.

    With ``per_class``, a step is a batch of each class, and ``nimg`` counts the images of one.

    Raises:
        DataProblem: if the base is missing, has changed, cannot be used, or if its prompts do not fit the classes.
    """
    lesson = lesson_of(recipe, subset, classes, seed, device)
    layers = layers_of(lesson.pipeline, recipe.text_encoder)
    counts = np.bincount(subset.labels, minlength=len(classes))
    present = [int(label) for label in np.flatnonzero(counts)] if recipe.per_class else [-1]

    def make() -> nn.ModuleList:
        return nn.ModuleList(Changes(layers, recipe.rank, recipe.alpha) for _ in present)

    learnt = initialise(make, seed, device)
    lessons = [lesson.of_class(label) for label in present] if recipe.per_class else [lesson]
    adapter = Adapter(layers)
    each = list(zip(lessons, learnt, strict=True))
    mean, nimg = fit(recipe, each, learnt, adapter.use, split, state, save, len(subset))
    assert isinstance(mean, nn.ModuleList)
    found: dict[int, bytes] = {}
    for label, changes in zip(present, mean, strict=True):
        assert isinstance(changes, Changes)
        found[label] = tensors_to_bytes(changes.tensors(), {"format": "pt"})
    adapters = tuple(found.get(k, b"") for k in range(len(classes))) if recipe.per_class else (found[-1],)
    return TextLoraGenerator(**pointer_of(recipe, lesson, subset, counts), adapters=adapters), nimg
