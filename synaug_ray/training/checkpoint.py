"""Generators' files (diffusers' folder format, safetensors) and training checkpoints, as bytes."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn
from torch.optim import Optimizer

from synaug_ray.common.errors import DamagedState
from synaug_ray.common.text import one_line

if TYPE_CHECKING:
    from diffusers import SchedulerMixin, UNet2DModel


def pipeline_files(net: UNet2DModel, scheduler: SchedulerMixin) -> dict[str, bytes]:
    """Files that ``DiffusionPipeline.from_pretrained`` loads, by relative path.

    Call the pipeline with ``class_labels=[...]``: without labels it also samples the null class. It is the only
    pipeline in diffusers that takes class labels with any scheduler; it has no guidance.
    """
    from diffusers import ConsistencyModelPipeline  # takes 1 s, and only saving needs it

    any_scheduler: Any = scheduler  # the pipeline accepts any, although its annotation names one
    pipeline = ConsistencyModelPipeline(unet=net, scheduler=any_scheduler)
    with tempfile.TemporaryDirectory() as folder:
        pipeline.save_pretrained(folder, safe_serialization=True)
        root = Path(folder)
        return {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}


def unet_from_files(files: dict[str, bytes]) -> UNet2DModel:
    """Load the U-Net from the files of ``pipeline_files``, on the CPU."""
    from diffusers import UNet2DModel

    net = UNet2DModel.from_config(json.loads(files["unet/config.json"]))
    assert isinstance(net, UNet2DModel)
    net.load_state_dict(load_safetensors(files["unet/diffusion_pytorch_model.safetensors"]))
    return net


def tensors_to_bytes(tensors: dict[str, Tensor], notes: dict[str, str]) -> bytes:
    """Serialise tensors as safetensors, with ``notes`` as metadata."""
    return save_safetensors({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, notes)


def tensors_from_bytes(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The inverse of ``tensors_to_bytes``: tensors on the CPU, and the notes."""
    return load_safetensors(data), _header(data).get("__metadata__", {})


def _header(data: bytes) -> dict[str, Any]:
    """Of safetensors: what it says of each tensor by name, and the notes."""
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def snapshot(modules: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer], nimg: int) -> bytes:
    """The state of a training run after ``nimg`` images, for ``restore``."""
    tensors = {f"{name}.{k}": v for name, module in modules.items() for k, v in module.state_dict().items()}
    for name, optimiser in optimisers.items():
        for i, entry in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{i}.{k}": v for k, v in entry.items()}
    return tensors_to_bytes(tensors, {"nimg": str(nimg), "sha256": _digest(tensors, nimg)})


def restore(state: bytes, modules: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]) -> int:
    """Load a ``snapshot`` into the same modules and optimisers; returns the images seen so far.

    Raises:
        DamagedState: if it is not an intact snapshot of the same modules; nothing is loaded in that case.
    """
    try:
        tensors, notes = tensors_from_bytes(state)
        nimg = int(notes["nimg"])
        whole = notes["sha256"] == _digest(tensors, nimg)
    except Exception as error:  # safetensors, JSON and missing keys each raise exceptions of their own
        raise DamagedState(f"it cannot be read ({one_line(error, 100)})") from None
    if not whole:
        raise DamagedState("it differs from its checksum")
    for name, module in modules.items():
        module.load_state_dict({k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")})
    for name, optimiser in optimisers.items():
        learnt = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        kept: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            if key.startswith(f"{name}."):
                _, i, field = key.split(".")
                kept.setdefault(int(i), {})[field] = _in_layout_of(learnt[int(i)], tensor)
        optimiser.load_state_dict({"state": kept, "param_groups": optimiser.state_dict()["param_groups"]})
    return nimg


def module_names(state: bytes) -> set[str]:
    """Names of the modules and optimisers in a ``snapshot``; none if it cannot be read, which ``restore`` reports."""
    try:
        return {name.partition(".")[0] for name in _header(state) if name != "__metadata__"}
    except ValueError:
        return set()


def _in_layout_of(parameter: Tensor, tensor: Tensor) -> Tensor:
    """An optimiser's moment in its parameter's memory layout, which fused optimisers need and files do not keep."""
    if tensor.shape != parameter.shape:
        return tensor  # a count of steps
    return torch.empty_like(parameter, dtype=tensor.dtype, device=tensor.device).copy_(tensor)


def _digest(tensors: Mapping[str, Tensor], nimg: int) -> str:
    """A checksum of names, dtypes, shapes and values: safetensors itself only checks lengths."""
    digest = hashlib.sha256(str(nimg).encode())
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
