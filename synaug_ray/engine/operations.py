"""Counts the operations and memory of work on networks on torch's meta device: without weights or pixels.

Floating-point operations are counted by torch; memory is the largest number of bytes in live tensors.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from synaug_ray.plan.footprint import Count

# ratio of the measured peak of a process to the counted memory: convolutions' workspaces, the allocator's reserve
MARGIN = 1.25
FEW, MORE = 2, 4  # sizes of the counted batches: work and memory are linear in them


class _Alive(TorchDispatchMode):
    """Follows the bytes in live tensors, and their peak."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._born(tensor.untyped_storage())
        return out

    def _born(self, storage: torch.UntypedStorage) -> None:
        at, size = storage._cdata, storage.nbytes()
        if at in self._known:
            return
        self._known.add(at)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._died, at, size)

    def _died(self, at: int, size: int) -> None:
        self._known.discard(at)
        self.now -= size


def counted(nets: list[nn.Module], work: Callable[[int], Any], copies: int) -> Count:
    """Counts of ``work(batch)``, in which ``copies`` of the weights are kept besides weights and gradients."""
    weights = [tensor for net in nets for tensor in (*net.parameters(), *net.buffers())]
    size = sum(t.numel() * t.element_size() for t in weights)
    peaks = []
    counter = FlopCounterMode(display=False)
    for batch, also in ((FEW, counter), (MORE, nullcontext())):
        for weight in weights:
            weight.grad = None
        with also, _Alive(weights) as alive:
            work(batch)
        peaks.append(alive.peak)
    flops = counter.get_total_flops() / FEW
    each = max(0.0, (peaks[1] - peaks[0]) / (MORE - FEW))
    fixed = max(0.0, peaks[0] - FEW * each) + (1 + copies) * size
    return Count(flops, fixed * MARGIN, each * MARGIN)
