"""A generator's files: diffusers' own folder format and safetensors, as bytes by relative path."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from diffusers import UNet2DModel
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor


def pipeline_files(net: UNet2DModel, sigma_data: float) -> dict[str, bytes]:
    """``DiffusionPipeline.from_pretrained`` of these files generates with ``class_labels=[...]``.

    The pipeline class is the one in diffusers that takes class labels with any scheduler; it has no
    guidance, and draws the null class too when it is given no labels.
    """
    from diffusers import ConsistencyModelPipeline, EDMEulerScheduler  # 1 s, and only who saves needs them

    scheduler: Any = EDMEulerScheduler(sigma_data=sigma_data)  # the pipeline works with any, its type names one
    pipeline = ConsistencyModelPipeline(unet=net, scheduler=scheduler)
    with tempfile.TemporaryDirectory() as folder:
        pipeline.save_pretrained(folder, safe_serialization=True)
        root = Path(folder)
        return {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}


def unet_from_files(files: dict[str, bytes]) -> UNet2DModel:
    """The U-Net of ``pipeline_files``."""
    net = UNet2DModel.from_config(json.loads(files["unet/config.json"]))
    assert isinstance(net, UNet2DModel)
    net.load_state_dict(load_safetensors(files["unet/diffusion_pytorch_model.safetensors"]))
    return net


def tensors_to_bytes(tensors: dict[str, Tensor], notes: dict[str, str]) -> bytes:
    """safetensors with string notes."""
    return save_safetensors({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, notes)


def tensors_from_bytes(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What ``tensors_to_bytes`` wrote."""
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    return load_safetensors(data), header.get("__metadata__", {})
