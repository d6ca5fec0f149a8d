"""LoRA of a trained EDM generator for each class: changes of its own, trained on its images alone (DataDream)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn
from torch.nn.utils import parametrize

from synaug_ray.common.keys import derive_seed
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import edm
from synaug_ray.generators.diffusion import Task, fit, initialise, to_task
from synaug_ray.generators.guide import labels_of, starts_of
from synaug_ray.generators.lora_files import (
    ADAPTER,
    ADAPTER_CONFIG,
    ADAPTER_TENSORS,
    ATTENTION,
    CLASSES,
    adapter_files,
    open_base,
)
from synaug_ray.generators.samplers import sample_by_class
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState
from synaug_ray.training.low_rank import LowRank


class OfClasses(nn.Module):
    """What changes a weight for each of several classes; the one that ``choose`` has chosen does."""

    def __init__(self, each: Sequence[nn.Module]) -> None:
        super().__init__()
        self.each, self.now = nn.ModuleList(each), 0

    def forward(self, weight: Tensor) -> Tensor:
        return self.each[self.now](weight)


class OwnRows(nn.Module):
    """Rows of an embedding for one class and for none, in place of those that all share."""

    def __init__(self, weight: Tensor, label: int) -> None:
        super().__init__()
        self.label, self.rows = label, nn.Parameter(weight[[label, -1]].detach().clone())

    def forward(self, weight: Tensor) -> Tensor:
        found = weight.clone()
        found[self.label], found[-1] = self.rows[0], self.rows[1]
        return found


@dataclass(frozen=True)
class ClassLoraGenerator:
    """An EDM generator, and the changes of it for each class, as files by name; none for a class without images."""

    base: edm.EDMGenerator
    base_content: str
    adapters: tuple[dict[str, bytes], ...]

    def of_class(self, label: int) -> edm.EDMGenerator:
        """The generator of one class's images."""
        files = self.adapters[label]
        if not files:
            return self.base
        config, tensors = json.loads(files[ADAPTER_CONFIG]), load_safetensors(files[ADAPTER_TENSORS])
        weights = dict(self.base.net.state_dict())
        for name in config["target_modules"]:
            down, up = (tensors[f"base_model.model.{name}.lora_{x}.weight"].flatten(1) for x in "AB")
            weight, scale = (
                weights[f"{name}.weight"],
                config["lora_alpha"] / config["rank_pattern"].get(name, config["r"]),
            )
            weights[f"{name}.weight"] = weight + (scale * (up @ down)).view_as(weight).to(weight)
        weights[CLASSES] = tensors[f"base_model.model.{CLASSES}"]
        net: Any = UNet2DModel.from_config(self.base.net.config)
        net.load_state_dict(weights)
        return replace(self.base, net=net)

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool, each by the generator of its class; see ``base.Generator.sample``."""
        counts, shape = self.base.class_counts, self.base.shape
        starts = starts_of(sampler, real, counts, index, device)

        def made(label: int) -> Any:
            return self.of_class(label).maker(sampler, seed, device, starts)

        return sample_by_class(made, sampler, counts, index, shape, device, labels_of(sampler, real, index))

    def files(self) -> dict[str, bytes]:
        """The base as a pipeline of diffusers, with these classes; in ``adapter/class-3/`` the changes for one."""
        files = self.base.files()
        extra = {"family": "lora", "base_content": self.base_content, "per_class": [bool(a) for a in self.adapters]}
        files["synaug.json"] = json.dumps(json.loads(files["synaug.json"]) | extra).encode()
        return files | {
            f"{ADAPTER}/class-{k}/{name}": data for k, a in enumerate(self.adapters) for name, data in a.items()
        }


def from_files(files: dict[str, bytes]) -> ClassLoraGenerator:
    """The inverse of ``ClassLoraGenerator.files``."""
    about = json.loads(files["synaug.json"])
    adapters = tuple(
        {name: files[f"{ADAPTER}/class-{k}/{name}"] for name in (ADAPTER_CONFIG, ADAPTER_TENSORS)} if has else {}
        for k, has in enumerate(about["per_class"])
    )
    return ClassLoraGenerator(edm.from_files(files), about["base_content"], adapters)


def train(
    recipe: LoraRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[ClassLoraGenerator, int]:
    """Train changes of the base for each class; see ``base.Family.train``. A step is a batch of each class.

    Raises:
        DataProblem: if the base is missing, has changed, cannot be used, or makes other images.
    """
    task = to_task(subset, len(classes), seed, device)
    plain, sigma_data = open_base(recipe, task.shape, len(classes))
    counts = np.bincount(subset.labels, minlength=len(classes))
    present = [int(label) for label in np.flatnonzero(counts)]

    def make() -> UNet2DModel:
        if not recipe.class_ids:
            with torch.no_grad():
                plain.get_parameter(CLASSES)[:-1].normal_()  # in place of the base's null class
        add(plain, present, recipe)
        return plain

    net = initialise(make, seed, device)
    tasks = [_of_class(task, label) for label in present]

    def step(net: UNet2DModel, nimg: int) -> Tensor:
        losses = []
        for number, of_class in enumerate(tasks):
            choose(net, number)
            losses.append(edm.backward(net, recipe, of_class, sigma_data, nimg, split))
        return torch.stack(losses).mean()

    net, nimg = fit(recipe, net, step, len(subset), split, state, save, clipped=trained(net, len(present)))
    adapters: list[dict[str, bytes]] = [{} for _ in classes]
    for number, label in enumerate(present):
        choose(net, number)
        found = {name: change for name, m in changed(net).items() if isinstance(change := m.each[number], LowRank)}
        adapters[label] = adapter_files(net, recipe, found)
    base, _ = open_base(recipe, task.shape, len(classes))
    embedding: Any = net.get_submodule(CLASSES.partition(".")[0])
    with torch.no_grad():
        base.get_parameter(CLASSES).copy_(embedding.parametrizations.weight.original)
    return ClassLoraGenerator(
        edm.EDMGenerator(base, counts, sigma_data, task.shape), recipe.base_content, tuple(adapters)
    ), nimg


def add(net: UNet2DModel, labels: Sequence[int], recipe: LoraRecipe) -> None:
    """Train a change of low rank of each layer, and rows of the embeddings, for each of ``labels``; nothing else."""
    net.requires_grad_(False)
    within = ATTENTION if recipe.adapts == "attention" else ""
    for name, module in list(net.named_modules()):
        if f"{name}.weight" == CLASSES:
            each: list[nn.Module] = [OwnRows(module.weight, label) for label in labels]  # type: ignore[arg-type]
        elif within in name and isinstance(module, (nn.Linear, nn.Conv2d)):
            each = [LowRank(module.weight, recipe.rank, recipe.alpha) for _ in labels]
        else:
            continue
        parametrize.register_parametrization(module, "weight", OfClasses(each), unsafe=True)


def choose(net: nn.Module, number: int) -> None:
    """Let the changes be those of the class of this number."""
    for module in net.modules():
        if isinstance(module, OfClasses):
            module.now = number


def changed(net: nn.Module) -> dict[str, OfClasses]:
    """The changes, by the names of their layers."""
    return {
        name: module.parametrizations.weight[0]  # type: ignore[union-attr, index, misc]
        for name, module in net.named_modules()
        if parametrize.is_parametrized(module, "weight")
    }


def trained(net: nn.Module, count: int) -> list[list[nn.Parameter]]:
    """What is trained for each class."""
    return [[p for m in changed(net).values() for p in m.each[number].parameters()] for number in range(count)]


def _of_class(task: Task, label: int) -> Task:
    own = task.labels == label
    seed = derive_seed("class", task.seed, label)
    return replace(task, images=task.images[own], labels=task.labels[own], seed=seed)
