"""Number formats of training and sampling."""

from __future__ import annotations

import torch

from synaug_ray.config.recipes import Precision


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """A context that runs matrix products and convolutions in ``precision``; their results may be in bf16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
