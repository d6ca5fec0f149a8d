"""Pretrained: a diffusers pipeline as a generator, which is necessarily open-set.

Supports class-conditional pipelines (which take ``class_labels``) and text-to-image pipelines (which take ``prompt``).
Only safetensors are read, and no code from a pipeline is run.
"""

from __future__ import annotations

import inspect
import json
import socket
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.keys import derive_seed, folder_key
from synaug_ray.common.text import one_line
from synaug_ray.config.pretrained_recipe import PretrainedRecipe
from synaug_ray.config.prompts import sentences_of
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.config.weights import HUB, digest
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.samplers import image_streams, sample_in_batches
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState

LIBRARIES = ("diffusers", "transformers")  # libraries whose classes a pipeline's index may name


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
        return open_pipeline(self.pipeline, self.content)

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool at the pipeline's own size, then resize them to the Subset's.

        Image i depends on (pipeline, sampler, seed, i) alone if the pipeline draws all its noise from the given
        streams. Some pipelines do not pass them to a DDPM scheduler, so ``open_pipeline`` replaces that by DDIM.

        Raises:
            DataProblem: if the pipeline rejects the sampler's number of steps or the size.
        """
        pipeline = self._loaded.to(device)
        takes = inspect.signature(pipeline.__call__).parameters
        asked: dict[str, Any] = {"num_inference_steps": sampler.steps, "output_type": "np"}
        if "guidance_scale" in takes:
            asked["guidance_scale"] = sampler.guidance
        if self.size and {"height", "width"} <= takes.keys():
            asked |= {"height": self.size, "width": self.size}

        def make(rows: list[int], labels: Tensor) -> Tensor:
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

        return sample_in_batches(make, sampler, self.class_counts, index, self.shape, device)

    def files(self) -> dict[str, bytes]:
        """One JSON file with the pipeline's location, content key and conditions; never its weights."""
        extra = asdict(self) | {"family": "pretrained", "class_counts": self.class_counts.tolist()}
        return {"synaug.json": json.dumps(extra).encode()}


def from_files(files: dict[str, bytes]) -> PretrainedGenerator:
    """The inverse of ``PretrainedGenerator.files``."""
    extra = json.loads(files["synaug.json"])
    extra.pop("family")
    shape = extra["shape"]
    return PretrainedGenerator(
        **extra
        | {
            "conditions": tuple(tuple(c) if isinstance(c, list) else c for c in extra["conditions"]),
            "class_counts": np.array(extra["class_counts"], dtype=np.int64),
            "shape": (shape[0], shape[1], shape[2]),
        }
    )


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


def conditions(
    recipe: PretrainedRecipe, takes: Any, classes: tuple[str, ...]
) -> tuple[int | str | tuple[str, ...], ...]:
    """The pipeline's condition for each class: a label, a prompt, or several.

    Args:
        takes: names of the arguments of the pipeline's call.
    """
    for name, given in (("class_ids", recipe.class_ids), ("words", recipe.words)):
        if given and len(given) != len(classes):
            raise DataProblem(
                f"generator {recipe.name}: {len(given)} {name} for {len(classes)} classes; give one per "
                "class, in the order of the classes",
                code="pipeline-classes",
            )
    if recipe.prompts_content and "prompt" not in takes:
        raise DataProblem(
            f"generator {recipe.name}: {recipe.pipeline} takes no prompt, so the sentences of {recipe.prompts} are of "
            "no use; leave prompts out, or use a text-to-image pipeline",
            code="pipeline-classes",
        )
    if recipe.prompts_content:
        return _sentences(recipe, classes)
    if "class_labels" in takes:
        return recipe.class_ids or tuple(range(len(classes)))
    if "prompt" in takes:
        return tuple(
            recipe.prompt.replace("{label}", word)
            for word in recipe.words or [name.replace("_", " ") for name in classes]
        )
    raise DataProblem(
        f"generator {recipe.name}: {recipe.pipeline} takes neither class_labels nor a prompt, so it "
        "cannot be conditioned on a class; use a class-conditional or a text-to-image pipeline",
        code="pipeline-unconditional",
    )


def _sentences(recipe: PretrainedRecipe, classes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    try:
        if digest(recipe.prompts) != recipe.prompts_content:
            raise DataProblem(
                f"generator {recipe.name}: on {socket.gethostname()} prompts {recipe.prompts} is missing or has "
                f"changed (content {recipe.prompts_content[:12]}); put it there, or where all nodes can read it",
                code="prompts-changed",
            )
        return sentences_of(recipe.prompts, classes)
    except ValueError as error:
        raise DataProblem(
            f"generator {recipe.name}: prompts {recipe.prompts}: {one_line(error, 500)}; give at least one sentence "
            "for each class, by its name",
            code="pipeline-classes",
        ) from None


def open_pipeline(where: str, content: str) -> Any:
    """Load a diffusers pipeline, from safetensors only.

    Args:
        where: a folder, or owner/name@commit.
        content: the folder's content key; empty if it is not to be checked.

    Raises:
        DataProblem: if the folder is missing or has changed, refers to its own code, or has no safetensors.
    """
    from diffusers import DDIMScheduler, DDPMScheduler, DiffusionPipeline
    from diffusers.utils import is_accelerate_available
    from diffusers.utils.logging import disable_progress_bar

    disable_progress_bar()
    name, _, commit = where.partition("@")
    on_hub = HUB.fullmatch(where) is not None
    if not on_hub:
        _check_folder(Path(where), content)
    source = {"revision": commit} if on_hub else {"local_files_only": True}
    try:
        pipeline: Any = DiffusionPipeline.from_pretrained(
            name if on_hub else where,
            use_safetensors=True,
            trust_remote_code=False,
            low_cpu_mem_usage=is_accelerate_available(),
            **source,
        )
    except (OSError, ImportError, ValueError) as error:
        raise DataProblem(
            f"pipeline {where} cannot be read: {one_line(error, 500)}", code="pipeline-unreadable"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    scheduler = getattr(pipeline, "scheduler", None)
    if isinstance(scheduler, DDPMScheduler):
        pipeline.scheduler = DDIMScheduler.from_config(scheduler.config)
    return pipeline


def to_shape(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Crop images [B, C, H, W] in [0, 1] to a square, and convert size and colour mode to ``shape``; float32."""
    side = min(images.shape[2:])
    images = transforms.resize(
        transforms.center_crop(images.float(), [side, side]),
        list(shape[1:]),
        interpolation=transforms.InterpolationMode.BICUBIC,
        antialias=True,
    ).clamp(0, 1)
    if shape[0] == images.shape[1]:
        return images
    return transforms.rgb_to_grayscale(images) if shape[0] == 1 else images.expand(-1, shape[0], -1, -1)


def _check_folder(folder: Path, content: str) -> None:
    index = folder / "model_index.json"
    if not index.is_file():
        raise DataProblem(
            f"pipeline {folder} has no model_index.json on this machine; put the folder where all machines can read it",
            code="pipeline-missing",
        )
    if folder_key(folder) != content:
        raise DataProblem(
            f"pipeline {folder} has changed since the grid was read; restore its files, or run the grid "
            "without `content:`",
            code="pipeline-changed",
        )
    foreign = []
    for part, value in json.loads(index.read_text()).items():
        library = value[0] if isinstance(value, list) and value else None
        if part.startswith("_") or library is None:
            continue
        known = library in LIBRARIES or _of_diffusers(library)
        foreign += [] if known else [f"{part} from {library!r}"]
    if foreign:
        raise DataProblem(
            f"pipeline {folder} refers to its own code or other packages' ({', '.join(foreign)}); only "
            f"components of {' and '.join(LIBRARIES)} are loaded",
            code="pipeline-code",
        )


def _of_diffusers(library: str) -> bool:
    """Whether a library in an index is one of diffusers' own pipeline modules, which indices may refer to as well."""
    import diffusers

    return library.isidentifier() and (Path(diffusers.__file__).parent / "pipelines" / library).is_dir()
