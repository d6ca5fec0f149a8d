"""Weights of a tiny network of timm, drawn at random, since nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file

TINY = "test_efficientnet"  # 360,000 weights, with batch normalisation


def weights_file(folder: Path, model: str = TINY) -> str:
    """A model.safetensors as the hub has them: timm's names, head included."""
    file = folder / f"{model}.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model(model, pretrained=False).state_dict(), file)
    return str(file)


def frozen(weights: str, **more: Any) -> dict[str, Any]:
    """A recipe of a head on its features, as a grid has it."""
    return {"name": "tiny", "family": "timm", "model": TINY, "weights": weights, "tune": "head", "size": 32} | more
