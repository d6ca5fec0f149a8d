"""LoRA: a trained EDM generator of other images, changed by low-rank matrices that are trained on the Subset.

DataDream (arXiv 2407.10910) does so with a text-to-image model and few images a class. Here the base is a generator of
this package, without text: instead of prompts, the classes have embeddings of their own, which are trained too. The
rest of the base stays as it is.

Its data's scale (``sigma_data``) is the base's: the network was trained for inputs and outputs of this scale.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.text_recipes import TextLoraRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import edm, lora_per_class, lora_scale, text_lora
from synaug_ray.generators.diffusion import Task, fit, initialise, to_task
from synaug_ray.generators.lora_files import ADAPTER, ATTENTION, CLASSES, adapter_files, open_base
from synaug_ray.generators.lora_per_class import ClassLoraGenerator
from synaug_ray.generators.lora_scale import Chosen
from synaug_ray.generators.text_lora import TextLoraGenerator
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState
from synaug_ray.training.low_rank import add_low_rank, changes, merged


@dataclass(frozen=True)
class LoraGenerator(edm.EDMGenerator):
    """An EDM generator whose network is the base's with its changes, and these changes alone as files."""

    base_content: str
    adapter: dict[str, bytes]  # by name
    chosen: Chosen | None = None  # by how much the changes are applied, where images chose that

    def files(self) -> dict[str, bytes]:
        """Files by relative path: a pipeline of diffusers with the changed network; in ``adapter/``, the changes."""
        files = super().files()
        extra = json.loads(files["synaug.json"]) | {"family": "lora", "base_content": self.base_content}
        extra |= {} if self.chosen is None else {"chosen": asdict(self.chosen)}
        files["synaug.json"] = json.dumps(extra).encode()
        return files | {f"{ADAPTER}/{name}": data for name, data in self.adapter.items()}


def from_files(files: dict[str, bytes]) -> LoraGenerator | ClassLoraGenerator | TextLoraGenerator:
    """The inverse of ``files`` of each of these."""
    about = json.loads(files["synaug.json"])
    if about.get("text"):
        return text_lora.from_files(files)
    if about.get("per_class"):
        return lora_per_class.from_files(files)
    plain, at = edm.from_files(files), f"{ADAPTER}/"
    adapter = {name.removeprefix(at): data for name, data in files.items() if name.startswith(at)}
    chosen = Chosen.of(about["chosen"]) if "chosen" in about else None
    return LoraGenerator(
        plain.net, plain.class_counts, plain.sigma_data, plain.shape, about["base_content"], adapter, chosen
    )


def train(
    recipe: LoraRecipe | TextLoraRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[LoraGenerator | ClassLoraGenerator | TextLoraGenerator, int]:
    """Train changes of the base on ``subset`` alone; see ``base.Family.train``.

    Raises:
        DataProblem: if the base is missing, has changed, cannot be used, or makes other images; or if a class has too
            few images to choose by (``lora_scale``).
    """
    if isinstance(recipe, TextLoraRecipe):
        return text_lora.train(recipe, subset, classes, seed, device, state, save, split)
    if recipe.per_class:
        return lora_per_class.train(recipe, subset, classes, seed, device, state, save, split)
    task = to_task(subset, len(classes), seed, device)
    whole, sigma_data = open_base(recipe, task.shape, len(classes))

    def fitted(
        recipe: LoraRecipe, task: Task, state: bytes | None, save: SaveState | None, beside: Mapping[str, nn.Module]
    ) -> tuple[UNet2DModel, int]:
        def make() -> UNet2DModel:
            plain = copy.deepcopy(whole)
            if not recipe.class_ids:
                with torch.no_grad():
                    plain.get_parameter(CLASSES)[:-1].normal_()  # in place of the base's null class
            within = ATTENTION if recipe.adapts == "attention" else ""
            add_low_rank(plain, [plain.get_parameter(CLASSES)], recipe.rank, recipe.alpha, within)
            return plain

        def step(net: UNet2DModel, nimg: int) -> Tensor:
            return edm.backward(net, recipe, task, sigma_data, nimg, split)

        net = initialise(make, seed, device)
        return fit(recipe, net, step, len(task.images), split, state, save, beside)

    chosen = None
    if recipe.validation_share:
        base = whole.get_parameter(CLASSES).detach().clone(), sigma_data
        net, nimg, chosen = lora_scale.trained(recipe, task, classes, fitted, base, split, state, save)
    else:
        net, nimg = fitted(recipe, task, state, save, {})
    adapter = adapter_files(net, recipe, changes(net))
    whole.load_state_dict(merged(net))
    counts = np.bincount(subset.labels, minlength=len(classes))
    return LoraGenerator(whole, counts, sigma_data, task.shape, recipe.base_content, adapter, chosen), nimg
