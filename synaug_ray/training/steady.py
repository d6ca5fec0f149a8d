"""Whether a training kept what it had reached: what a mean loss that rises again tells.

A learning rate that is a little too high goes well for hundreds of steps, until the loss doubles within some twenty and
never comes back. All numbers stay finite. Means of many images are compared, and few of them: single images' losses
differ widely, the more so where images are memorised, and the lowest of many means is low by chance. So a training of
less than two stretches is not judged, and neither is what comes after the last whole one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from synaug_ray.common.errors import Diverged

STRETCH = 2_048  # images over which losses are averaged, at the least
STRETCHES = 16  # of a longer training
RISE = 1.5  # times its lowest value, at the end of a training that has diverged


class LossRecord(nn.Module):
    """Mean losses of stretches of a training, on its device; a module, so that checkpoints have it.

    Nothing waits for the device until ``check``.
    """

    total: Tensor
    last: Tensor
    least: Tensor
    count: Tensor

    def __init__(self, batch: int, length: int, device: torch.device) -> None:
        super().__init__()
        self.batches = math.ceil(max(STRETCH, length / STRETCHES) / batch)
        for name, value in (("total", 0.0), ("last", math.nan), ("least", math.inf)):
            self.register_buffer(name, torch.tensor(value, device=device))
        self.register_buffer("count", torch.tensor(0))  # ``seen`` as it is in a checkpoint, on the CPU
        self.seen = 0  # batches of ``total``

    def add(self, loss: Tensor) -> None:
        """Record the loss of a batch."""
        self.total += loss.detach()
        self.seen += 1
        if self.seen >= self.batches:
            self.last.copy_(self.total / self.seen)
            self.least.copy_(torch.fmin(self.least, self.last))  # of a number and nan, the number
            self.total.zero_()
            self.seen = 0
        self.count.fill_(self.seen)

    def resume(self, known: bool) -> None:
        """Go on after a checkpoint; one of an older version has no record, and its present stretch is left out."""
        if known:
            self.seen = int(self.count)
        else:
            self.total.fill_(math.nan)

    def check(self, name: str, remedy: str) -> None:
        """Raise Diverged if the last whole stretch has a far higher loss than the best one had."""
        least, last = float(self.least), float(self.last)
        if last > RISE * least:
            raise Diverged(
                f"generator {name}: its training lost what it had learnt: its mean loss was {least:.3f} at the lowest, "
                f"and {last:.3f} at the end; {remedy}"
            )
