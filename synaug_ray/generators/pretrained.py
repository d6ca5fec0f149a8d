"""Pretrained: a diffusers pipeline as a generator, which is necessarily open-set.

Supports class-conditional pipelines (which take ``class_labels``) and text-to-image pipelines (which take ``prompt``).
Only safetensors are read, and no code from a pipeline is run.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.pretrained_recipe import PretrainedRecipe, cannot_guide
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.conditions import conditions
from synaug_ray.generators.guide import labels_of, starts_of
from synaug_ray.generators.guided_pipeline import guided
from synaug_ray.generators.pipelines import open_pipeline, to_shape
from synaug_ray.generators.samplers import image_streams, sample_in_batches
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState


@dataclass(frozen=True)
class PretrainedGenerator:
    """A reference to a pipeline, with the conditions for each class and the shape of its images."""

    pipeline: str  # a folder, or owner/name@commit
    content: str  # the folder's content key
    # One per class: the pipeline's label, a prompt, or several of which each image takes one
    conditions: tuple[int | str | tuple[str, ...], ...]
    class_counts: NDArray[np.int64]  # of the Subset, [K]
    shape: tuple[int, int, int]
    size: int | None = None

    @cached_property
    def _loaded(self) -> Any:
        return self.opened()

    def opened(self) -> Any:
        """The pipeline, as it is asked for images."""
        return open_pipeline(self.pipeline, self.content)

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool at the pipeline's own size, then resize them to the Subset's.

        Image i depends on (pipeline, sampler, seed, i) alone if the pipeline draws all its noise from the given
        streams. Some pipelines do not pass them to a DDPM scheduler, so ``open_pipeline`` replaces that by DDIM.

        Raises:
            DataProblem: if the pipeline rejects the sampler's number of steps or the size, or cannot start from images.
        """
        made, labels = self.maker(sampler, index, seed, device, real), labels_of(sampler, real, index)
        return sample_in_batches(made, sampler, self.class_counts, index, self.shape, device, labels)

    def maker(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None
    ) -> Callable[[list[int], Tensor], Tensor]:
        """What makes images of these numbers and labels; see ``sample``."""
        pipeline = self._loaded.to(device)
        starts = starts_of(sampler, real, self.class_counts, index, device)
        if starts is not None:
            _check_guide(pipeline, self.pipeline)
        takes = inspect.signature(pipeline.__call__).parameters
        asked: dict[str, Any] = {"num_inference_steps": sampler.steps, "output_type": "np"}
        if "guidance_scale" in takes:
            asked["guidance_scale"] = sampler.guidance
        if self.size and {"height", "width"} <= takes.keys():
            asked |= {"height": self.size, "width": self.size}

        def make(rows: list[int], labels: Tensor) -> Tensor:
            if starts is None:
                return call(rows, labels)
            if not sampler.steps_taken:
                return starts(rows)
            with guided(pipeline, sampler.steps_taken, starts(rows)):
                return call(rows, labels)

        def call(rows: list[int], labels: Tensor) -> Tensor:
            wanted = [
                said if isinstance(said, (int, str)) else said[derive_seed("prompt", seed, row) % len(said)]
                for said, row in zip((self.conditions[int(label)] for label in labels), rows, strict=True)
            ]
            given = asked | {"generator": image_streams(seed, rows)}
            given |= {"prompt": wanted} if isinstance(wanted[0], str) else {"class_labels": wanted}
            if "batch_size" in takes:
                given["batch_size"] = len(rows)
            with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
                torch.manual_seed(derive_seed("pipeline", seed, rows[0]))  # for draws that do not use the streams
                try:
                    images = np.asarray(pipeline(**given).images)
                except ValueError as error:
                    raise DataProblem(
                        f"pipeline {self.pipeline} rejects its arguments ({sampler.steps} steps): {error}",
                        code="pipeline-arguments",
                    ) from error
            return to_shape(torch.from_numpy(images).permute(0, 3, 1, 2), self.shape) * 2 - 1

        return make

    def pointer(self) -> dict[str, Any]:
        """The pipeline's location, content key and conditions as plain values."""
        values = {field.name: getattr(self, field.name) for field in fields(PretrainedGenerator)}
        return values | {"class_counts": self.class_counts.tolist()}

    def files(self) -> dict[str, bytes]:
        """One JSON file with the pipeline's location, content key and conditions; never its weights."""
        return {"synaug.json": json.dumps(self.pointer() | {"family": "pretrained"}).encode()}


def from_files(files: dict[str, bytes]) -> PretrainedGenerator:
    """The inverse of ``PretrainedGenerator.files``."""
    return PretrainedGenerator(**from_pointer(json.loads(files["synaug.json"])))


def from_pointer(plain: dict[str, Any]) -> dict[str, Any]:
    """The fields of a ``PretrainedGenerator``, of its ``pointer`` and more."""
    shape = plain["shape"]
    return {field.name: plain[field.name] for field in fields(PretrainedGenerator)} | {
        "conditions": tuple(tuple(c) if isinstance(c, list) else c for c in plain["conditions"]),
        "class_counts": np.array(plain["class_counts"], dtype=np.int64),
        "shape": (shape[0], shape[1], shape[2]),
    }


def train(
    recipe: PretrainedRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[PretrainedGenerator, int]:
    """Open the pipeline and determine its condition for each class; nothing is trained, and no image is seen.

    Raises:
        DataProblem: if the pipeline has changed, cannot be conditioned on classes, or does not fit them.
    """
    pipeline = open_pipeline(recipe.pipeline, recipe.content)
    takes = inspect.signature(pipeline.__call__).parameters
    c, h, w = subset.images.shape[1:]
    # without real images, nothing is known of how frequent classes are: as many of each
    counts = np.bincount(subset.labels, minlength=len(classes)) if len(subset) else np.ones(len(classes), np.int64)
    return PretrainedGenerator(
        recipe.pipeline,
        recipe.content,
        conditions(recipe, takes, classes),
        counts,
        (int(c), int(h), int(w)),
        recipe.size,
    ), 0


def _check_guide(pipeline: Any, where: str) -> None:
    said = cannot_guide(type(pipeline).__name__, type(pipeline.scheduler).__name__)
    if said:
        raise DataProblem(f"pipeline {where}: {said}", code="pipeline-cannot-guide")
