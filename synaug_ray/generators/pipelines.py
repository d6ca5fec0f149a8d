"""Pipelines of diffusers from folders or the Hub: from safetensors only, and without code of their own."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.keys import folder_key
from synaug_ray.common.text import one_line
from synaug_ray.config.weights import HUB

LIBRARIES = ("diffusers", "transformers")  # libraries whose classes a pipeline's index may name


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
    if find_spec("transformers"):
        from transformers.utils import logging as of_transformers

        of_transformers.disable_progress_bar()
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
