"""Non-leaking augmentation: training conditions the network on each image's transformation, sampling on none.

Karras et al., arXiv 2206.00364, section 5 and appendix F.2 (after arXiv 2006.06676). Flip, scale, rotation and shift
are each applied at random and independently; their parameters form the label, with zeros for those not applied.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

LABEL = 6  # flip, log2 scale, cos - 1 and sin of the rotation, shift right and down
SCALE_STD = 0.2  # of log2(scale), as in the paper
SHIFT_STD = 0.125  # in image sides, as in the paper
MAX_ROTATION = math.radians(30)  # the paper's full circle would change the class of many small images


def augment(x: Tensor, probability: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Transform images at random; returns the images [B, C, S, S] and their augmentation labels [B, LABEL], float32.

    Args:
        x: images [B, C, S, S], float32; padded by reflection.
        probability: of each transformation.
        rng: on the device of ``x``.
    """
    count, at = len(x), x.device
    done = (torch.rand(count, 4, generator=rng, device=at) < probability).float()
    flip = done[:, 0] * (torch.rand(count, generator=rng, device=at) < 0.5)
    scale = done[:, 1] * torch.randn(count, generator=rng, device=at) * SCALE_STD
    turn = done[:, 2] * (torch.rand(count, generator=rng, device=at) * 2 - 1) * MAX_ROTATION
    shift = done[:, 3:] * torch.randn(count, 2, generator=rng, device=at) * SHIFT_STD
    label = torch.stack([flip, scale, turn.cos() - 1, turn.sin(), shift[:, 0], shift[:, 1]], 1)
    changed = label.abs().sum(1) > 0
    transformed = transform(x, flip, scale, turn, shift)
    return torch.where(changed.view(-1, 1, 1, 1), transformed, x), label


def transform(x: Tensor, flip: Tensor, scale: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """Flip, scale, rotate and shift images [B, C, S, S], with bilinear interpolation.

    Args:
        flip: 0 or 1, [B].
        scale: log2 of the factor, [B].
        turn: clockwise, in radians, [B].
        shift: right and down, in image sides, [B, 2].
    """
    # affine_grid takes the inverse transformation, in coordinates in which a side has length 2
    mirror, size = 1 - 2 * flip, torch.exp2(-scale)
    cos, sin = turn.cos() * size, turn.sin() * size
    right, down = 2 * shift[:, 0], 2 * shift[:, 1]
    theta = torch.stack(
        [
            torch.stack([mirror * cos, mirror * sin, -mirror * (cos * right + sin * down)], 1),
            torch.stack([-sin, cos, sin * right - cos * down], 1),
        ],
        1,
    )
    grid = affine_grid(theta, list(x.shape), align_corners=False)
    return grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


class AugmentationEmbedding(nn.Embedding):
    """A class embedding to which training adds one of the augmentation label; a label of zeros adds nothing."""

    def __init__(self, classes: nn.Embedding) -> None:
        super().__init__(classes.num_embeddings, classes.embedding_dim, _weight=classes.weight.detach().clone())
        # named ``told`` because checkpoints of stored runs contain this name
        self.told = nn.Linear(LABEL, classes.embedding_dim, bias=False)
        nn.init.zeros_(self.told.weight)

    def forward(self, input: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """Labels [B], or (labels [B], augmentation labels [B, LABEL]): [B, dimension]."""
        if isinstance(input, tuple):
            return super().forward(input[0]) + self.told(input[1])
        return super().forward(input)

    def plain(self) -> nn.Embedding:
        """The class embedding alone, as diffusers expects it."""
        return nn.Embedding(self.num_embeddings, self.embedding_dim, _weight=self.weight.detach().clone())
