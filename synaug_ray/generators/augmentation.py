"""Non-leaking augmentation: the network is conditioned on each image's transformation, and sampled without any.

Karras et al., arXiv 2206.00364, section 5 and appendix F.2 (after arXiv 2006.06676). Flip, scale, rotation and shift
are each applied at random and independently; their parameters are the label, zero where not applied.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

LABEL = 6  # flip, log2 scale, cos - 1 and sin of the rotation, shift right and down
SCALE_STD = 0.2  # of log2(scale), as in the paper
SHIFT_STD = 0.125  # in image sides, as in the paper
TURN = math.radians(30)  # at most; the paper's full circle would change the class of many small images


def augmented(x: Tensor, probability: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images [B, C, S, S] and labels [B, LABEL], both float32, on x's device, which is that of ``rng``.

    Padded by reflection.
    """
    count, at = len(x), x.device
    done = (torch.rand(count, 4, generator=rng, device=at) < probability).float()
    flip = done[:, 0] * (torch.rand(count, generator=rng, device=at) < 0.5)
    scale = done[:, 1] * torch.randn(count, generator=rng, device=at) * SCALE_STD
    turn = done[:, 2] * (torch.rand(count, generator=rng, device=at) * 2 - 1) * TURN
    shift = done[:, 3:] * torch.randn(count, 2, generator=rng, device=at) * SHIFT_STD
    label = torch.stack([flip, scale, turn.cos() - 1, turn.sin(), shift[:, 0], shift[:, 1]], 1)
    touched = label.abs().sum(1) > 0
    moved = moved_by(x, flip, scale, turn, shift)
    return torch.where(touched.view(-1, 1, 1, 1), moved, x), label


def moved_by(x: Tensor, flip: Tensor, scale: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """Flip, scale by 2**scale, rotate clockwise by ``turn`` radians, and shift by ``shift`` sides, bilinearly.

    Args:
        x: [B, C, S, S]; flip: [B], 0 or 1; scale, turn: [B]; shift: [B, 2], right and down.
    """
    # affine_grid takes the inverse transformation, in coordinates where a side is 2
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
    """A class embedding plus, in training, that of an augmentation label; a label of zero adds nothing."""

    def __init__(self, classes: nn.Embedding) -> None:
        super().__init__(classes.num_embeddings, classes.embedding_dim, _weight=classes.weight.detach().clone())
        # the attribute's name is in the checkpoints of stored runs
        self.told = nn.Linear(LABEL, classes.embedding_dim, bias=False)
        nn.init.zeros_(self.told.weight)

    def forward(self, input: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """Labels [B], or (labels [B], augmentation labels [B, LABEL]): [B, dimension]."""
        if isinstance(input, tuple):
            return super().forward(input[0]) + self.told(input[1])
        return super().forward(input)

    def plain(self) -> nn.Embedding:
        """The embedding without augmentation labels, as diffusers expects it."""
        return nn.Embedding(self.num_embeddings, self.embedding_dim, _weight=self.weight.detach().clone())
