"""Finds the nearest images of a set for each image of another, by comparing low-resolution descriptors of all pairs.

Mirrored images need no second search: with each descriptor split into parts that are even and odd under a left-right
flip, the squared distance to the nearer of an image and its mirror image is |x|^2 + |y|^2 - 2 (e.e' + |o.o'|).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

WORK = 32  # pixels a side at most: larger images are compared at this size
AT_ONCE = 1 << 24  # values of larger images that are reduced at once: 64 MB
FLAT = 4.0  # standard deviation, in grey levels, under which a descriptor shrinks towards that of a flat image
ROWS, COLUMNS = 512, 8192  # pairs compared at once: two tiles of 16 MB
CANDIDATES = 4
BACKGROUND = (10, 13, 16, 19)  # ranks of neighbours that are too far to be copies, but still similar
# (shift x, shift y, scale): shifts by 6% of the width, a crop to 87%, and its inverse
SYMMETRIC = ((0.0, 0.0, 1.0), (0.12, 0.0, 1.0), (0.0, 0.12, 1.0), (0.0, 0.0, 0.87))
VIEWS = (*SYMMETRIC, (-0.12, 0.0, 1.0), (0.0, -0.12, 1.0), (0.0, 0.0, 1.15))


class Rows:
    """A selection of the images of a set, copied only on access."""

    def __init__(self, images: NDArray[np.uint8], kept: NDArray[np.int64]) -> None:
        self._images, self._kept = images, kept
        self.shape = (len(kept), *images.shape[1:])

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.uint8]:
        return self._images[self._kept[rows]]


Images = NDArray[np.uint8] | Rows  # uint8 [N, C, S, S]


@dataclass(frozen=True)
class Neighbours:
    """``candidates`` int64 [N, 4], nearest first; ``background`` int64 [N, 4]; and whether each is nearer mirrored."""

    candidates: Tensor
    candidates_mirrored: Tensor
    background: Tensor
    background_mirrored: Tensor


def at_work_size(images: Images) -> Tensor:
    """float32 [N, C, S, S], S at most ``WORK``; larger ones are read and reduced a few at a time, to save memory."""
    if not len(images) or images.shape[-1] <= WORK:
        return torch.from_numpy(np.ascontiguousarray(images[:])).float()
    few = max(1, AT_ONCE // math.prod(images.shape[1:]))
    parts = (torch.from_numpy(np.ascontiguousarray(images[at : at + few])) for at in range(0, len(images), few))
    return torch.cat([interpolate(part.float(), size=(WORK, WORK), mode="area") for part in parts])


def descriptors(images: Tensor) -> tuple[Tensor, Tensor]:
    """Even and odd parts of low-resolution images without their mean and contrast: float32 [N, D/2] each.

    Grey at 8x8 and two colour differences at 4x4: D is 64 or 96.
    """
    planes = [(images, 8)]
    if images.shape[1] == 3:
        red, green, blue = images.split(1, 1)
        planes = [(images.mean(1, keepdim=True), 8), ((red - green) / 2, 4), ((red + green) / 4 - blue / 2, 4)]
    even, odd = [], []
    for plane, size in planes:
        low = interpolate(plane, size=(size, size), mode="area")
        low = (low - low.mean((2, 3), keepdim=True)) * (8 / size)
        left, right = low[..., : size // 2], low.flip(3)[..., : size // 2]
        even.append((left + right).flatten(1) / 2**0.5)
        odd.append((left - right).flatten(1) / 2**0.5)
    e, o = torch.cat(even, 1), torch.cat(odd, 1)
    length = ((e * e).sum(1, keepdim=True) + (o * o).sum(1, keepdim=True) + 64 * FLAT**2).sqrt()
    return e / length, o / length


class Index:
    """A searchable index of a set of images: at most 96 floats per image."""

    def __init__(self, images: Images) -> None:
        parts = [descriptors(at_work_size(images[at : at + 4096])) for at in range(0, len(images), 4096)]
        even, self._odd = (torch.cat(part) for part in zip(*parts, strict=True))
        squares = (even * even).sum(1, keepdim=True) + (self._odd * self._odd).sum(1, keepdim=True)
        self._even = torch.cat(
            [even, squares], 1
        )  # [-2 e, 1] . [e', |y|^2]: one product gives this part of the distance

    def __len__(self) -> int:
        return len(self._odd)

    def search(
        self,
        images: Images,
        *,
        own: NDArray[np.int64] | None = None,
        barred: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
        tell: Callable[[float], None] = lambda share: None,
    ) -> Neighbours:
        """The neighbours of each image.

        Args:
            images: uint8 [N, C, H, W], of the size and channels of the index, which must have more than 20 images.
            own: int64 [N], the position of each image in the index, if a set is searched for its own images: an image
                is not its own neighbour, and half of the views are enough, since each pair is compared from both sides.
            barred: int64 [N] and int64 [len(self)]: pairs with equal numbers (of their classes) are ignored.
            tell: called with the share that is done.
        """
        found = []
        for at in range(0, len(images), ROWS):
            rows = slice(at, at + ROWS)
            bar = None if barred is None else (torch.from_numpy(barred[0][rows]), torch.from_numpy(barred[1]))
            mine = None if own is None else torch.from_numpy(own[rows])
            found.append(self._block(at_work_size(images[rows]), mine, bar))
            tell(min(at + ROWS, len(images)) / len(images))
        return Neighbours(*(torch.cat(part) for part in zip(*found, strict=True)))

    def _block(self, images: Tensor, own: Tensor | None, barred: tuple[Tensor, Tensor] | None) -> tuple[Tensor, ...]:
        far, place, mirrored = [], [], []
        background = images.new_zeros(0)
        for view in VIEWS if own is None else SYMMETRIC:
            even, odd = descriptors(images if view == VIEWS[0] else _viewed(images, *view))
            depth = BACKGROUND[-1] + 1 if view == VIEWS[0] else CANDIDATES
            distance, index = self._nearest(even, odd, depth, own, barred)
            flip = (odd[:, None] * self._odd[index]).sum(2) < 0
            if view == VIEWS[0]:
                background = index[:, list(BACKGROUND)], flip[:, list(BACKGROUND)]
            own_square = (even * even).sum(1, keepdim=True) + (odd * odd).sum(1, keepdim=True)
            far.append((distance + own_square)[:, :CANDIDATES])
            place.append(index[:, :CANDIDATES])
            mirrored.append(flip[:, :CANDIDATES])
        distances, order = torch.cat(far, 1).sort(1)
        index, flip = torch.cat(place, 1).gather(1, order), torch.cat(mirrored, 1).gather(1, order)
        again = (index[:, :, None] == index[:, None, :]).tril(-1).any(2)  # already found in a nearer view
        order = distances.masked_fill(again, torch.inf).topk(CANDIDATES, 1, largest=False).indices
        return index.gather(1, order), flip.gather(1, order), *background

    def _nearest(
        self, even: Tensor, odd: Tensor, depth: int, own: Tensor | None, barred: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Squared distances less the square of the query, and positions: [N, depth] each, nearest first."""
        query = torch.cat([-2 * even, torch.ones_like(even[:, :1])], 1)
        best, where = [], []
        for at in range(0, len(self), COLUMNS):
            columns = slice(at, at + COLUMNS)
            distance = query @ self._even[columns].T
            distance.sub_((odd @ self._odd[columns].T).abs_(), alpha=2)
            if own is not None:
                here = (own >= at) & (own < at + distance.shape[1])
                distance[here.nonzero()[:, 0], own[here] - at] = torch.inf
            if barred is not None:
                distance.masked_fill_(barred[0][:, None] == barred[1][None, columns], torch.inf)
            values, index = distance.topk(min(depth, distance.shape[1]), 1, largest=False)
            best.append(values)
            where.append(index + at)
        values, order = torch.cat(best, 1).topk(depth, 1, largest=False)
        return values, torch.cat(where, 1).gather(1, order)


def _viewed(images: Tensor, x: float, y: float, scale: float) -> Tensor:
    matrix = torch.tensor([[scale, 0.0, x], [0.0, scale, y]]).expand(len(images), 2, 3)
    return grid_sample(
        images, affine_grid(matrix, list(images.shape), align_corners=False), padding_mode="border", align_corners=False
    )
