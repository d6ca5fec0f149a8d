"""Split a batch among processes, and into micro-batches within each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from synaug_ray.common.errors import PeerLost
from synaug_ray.common.text import one_line
from synaug_ray.training.batching import parts_of


@dataclass(frozen=True)
class Split:
    """One process's share of a batch. However a batch is split, gradients sum to the whole batch's, up to rounding.

    Each process draws the random numbers of the whole batch and uses its own part; what a network itself draws
    (dropout, a GAN's latents) is drawn separately for each part.
    """

    parts: int = 1  # micro-batches in each process; more than one if its share does not fit into memory
    rank: int = 0
    world: int = 1  # number of processes in torch.distributed's default group, all training the same network

    def slices(self, batch: int, most: int | None = None) -> list[slice]:
        """This process's share of a batch as ``parts`` slices, or more, so that each has at most ``most`` images."""
        start, stop = batch * self.rank // self.world, batch * (self.rank + 1) // self.world
        if start == stop:
            return []
        size = -(-min(most or batch, stop - start) // self.parts)
        return [slice(start + part.start, start + part.stop) for part in parts_of(stop - start, size)]

    def all_reduce(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Sum the gradients over all processes, in place; returns the sum of their shares of the loss.

        Raises:
            PeerLost: if another process is lost.
        """
        if self.world == 1:
            return loss
        trained = [p for p in parameters if p.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        grads = [p.grad for p in trained if p.grad is not None]
        flat = torch.cat([*(grad.flatten() for grad in grads), loss.detach().float().view(1)])
        with self._peer_errors():
            distributed.all_reduce(flat)
        for grad, added in zip(grads, flat[:-1].split([g.numel() for g in grads]), strict=True):
            grad.copy_(added.view_as(grad))  # rather than replaced: a gradient keeps its memory layout
        return flat[-1]

    def broadcast(self, value: bytes | None) -> bytes | None:
        """Rank 0's value, in all processes; raises as ``all_reduce``."""
        if self.world == 1:
            return value
        values = [value if self.rank == 0 else None]
        with self._peer_errors():
            distributed.broadcast_object_list(values, src=0)
        return values[0]

    @contextmanager
    def _peer_errors(self) -> Iterator[None]:
        """Turn the errors of a lost connection into PeerLost."""
        try:
            yield
        except (torch.OutOfMemoryError, torch.AcceleratorError):
            raise  # this process's own error
        except RuntimeError as error:  # the connection was closed or timed out
            said = one_line(error, 300)
            raise PeerLost(f"{self.world} processes train together, and one is lost or unreachable ({said})") from error


WHOLE = Split()
