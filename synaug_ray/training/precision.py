"""Number formats of training and sampling."""

from __future__ import annotations

import torch

from synaug_ray.config.recipes import Precision


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Matrix products and convolutions within it in ``precision``; what they yield may be bf16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
