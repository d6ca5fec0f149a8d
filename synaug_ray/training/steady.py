"""Whether a training ended where it had come, or lost it: what a mean loss that rises again tells.

A learning rate that is a little too high goes well for hundreds of steps, until the loss doubles within some twenty and
never comes back. All numbers stay finite.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from synaug_ray.common.errors import Diverged

STRETCH = 2_048  # images over which losses are averaged: a mean of so many varies by some 3%
RISE = 1.25  # times its lowest value, at the end of a training that has diverged


class LossRecord(nn.Module):
    """Mean losses of stretches of a training, on its device; a module, so that checkpoints have it.

    Nothing waits for the device until ``check``.
    """

    total: Tensor
    last: Tensor
    least: Tensor

    def __init__(self, batch: int, device: torch.device) -> None:
        super().__init__()
        self.batch, self.batches = batch, math.ceil(STRETCH / batch)
        for name, value in (("total", 0.0), ("last", math.nan), ("least", math.inf)):
            self.register_buffer(name, torch.tensor(value, device=device))

    def add(self, loss: Tensor, nimg: int) -> None:
        """Record the loss of the batch after which ``nimg`` images have been seen."""
        self.total += loss.detach()
        if nimg // self.batch % self.batches == 0:
            self.last.copy_(self.total / self.batches)
            self.least.copy_(torch.fmin(self.least, self.last))  # of a number and nan, the number
            self.total.zero_()

    def forget(self) -> None:
        """Leave the present stretch out: the start of it is not known."""
        self.total.fill_(math.nan)

    def check(self, name: str) -> None:
        """Raise Diverged if the last whole stretch has a far higher loss than the best one had."""
        least, last = float(self.least), float(self.last)
        if last > RISE * least:
            raise Diverged(
                f"generator {name}: its training lost what it had learnt: the mean loss of "
                f"{self.batches * self.batch:,} images was {least:.3f} at its lowest and {last:.3f} at the end; lower "
                "the learning rate in its recipe"
            )
