"""How a batch goes through a network: shared out among processes, and in each of them part after part."""

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
    """One process's view of it. However it is split, gradients add up to the whole batch's, up to rounding.

    Every process draws what the whole batch needs, and takes its own part of it; what a network itself draws
    (dropout, a GAN's latents) is drawn anew for each part.
    """

    parts: int = 1  # in each process, where a batch does not fit whole
    rank: int = 0
    world: int = 1  # processes of the default process group of torch.distributed, all of which train the same network

    def slices(self, batch: int, most: int | None = None) -> list[slice]:
        """This process's part of a batch, in so many parts, and at most ``most`` images at once."""
        start, stop = batch * self.rank // self.world, batch * (self.rank + 1) // self.world
        if start == stop:
            return []
        size = -(-min(most or batch, stop - start) // self.parts)
        return [slice(start + part.start, start + part.stop) for part in parts_of(stop - start, size)]

    def summed(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Add up gradients over the processes, in place, and their shares of the loss, which is returned.

        Raises:
            PeerLost: where another process is gone.
        """
        if self.world == 1:
            return loss
        learnt = [p for p in parameters if p.requires_grad]
        for parameter in learnt:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        grads = [p.grad for p in learnt if p.grad is not None]
        flat = torch.cat([*(grad.flatten() for grad in grads), loss.detach().float().view(1)])
        with self._company():
            distributed.all_reduce(flat)
        for grad, added in zip(grads, flat[:-1].split([g.numel() for g in grads]), strict=True):
            grad.copy_(added.view_as(grad))  # which keeps its layout in memory
        return flat[-1]

    def of_the_first(self, value: bytes | None) -> bytes | None:
        """What the first process holds, in all of them; raises as ``summed``."""
        if self.world == 1:
            return value
        held = [value if self.rank == 0 else None]
        with self._company():
            distributed.broadcast_object_list(held, src=0)
        return held[0]

    @contextmanager
    def _company(self) -> Iterator[None]:
        try:
            yield
        except (torch.OutOfMemoryError, torch.AcceleratorError):
            raise  # this process's own
        except RuntimeError as error:  # the connection is closed, or was silent for too long
            said = one_line(error, 300)
            raise PeerLost(
                f"{self.world} processes train together, and one is gone or cannot be reached ({said})"
            ) from error


WHOLE = Split()
