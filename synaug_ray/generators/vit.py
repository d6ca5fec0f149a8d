"""Two small vision transformers: a generator from latents and labels, and a discriminator with a class head."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]  # channels, height, width


class Block(nn.Module):
    """A transformer block with normalisation first; with a code, that gives each normalisation's scale and offset.

    Attention is written out, as torch's fused one has no second derivative, which R1 needs.
    """

    def __init__(self, width: int, heads: int, code: int = 0) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=not code) for _ in range(2))
        self.styles = nn.ModuleList(nn.Linear(code, 2 * width) for _ in range(2 if code else 0))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Tokens x [B, T, width] and code [B, code] to tokens."""
        x = x + self._attend(self._norm(0, x, code))
        return x + self.mlp(self._norm(1, x, code))

    def _norm(self, which: int, x: Tensor, code: Tensor | None) -> Tensor:
        x = self.norms[which](x)
        return x if code is None else styled(x, self.styles[which](code))

    def _attend(self, x: Tensor) -> Tensor:
        count, tokens, width = x.shape
        q, k, v = self.qkv(x).view(count, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(2, 3) / math.sqrt(width // self.heads)).softmax(3)
        return self.out((weights @ v).transpose(1, 2).reshape(count, tokens, width))


def styled(x: Tensor, style: Tensor) -> Tensor:
    """Tokens x [B, T, width], scaled and moved by style [B, 2 width] (adaptive layer normalisation)."""
    scale, offset = style[:, None].chunk(2, 2)
    return x * (1 + scale) + offset


class ViTGenerator(nn.Module):
    """G(z, y): z [B, latent] and labels [B] to images [B, C, H, W] in [-1, 1]; each token becomes a patch."""

    def __init__(
        self, shape: Shape, num_classes: int, patch: int, width: int, depth: int, heads: int, latent: int
    ) -> None:
        super().__init__()
        self.shape, self.patch = shape, patch
        tokens = (shape[1] // patch) * (shape[2] // patch)
        self.labels = nn.Embedding(num_classes, latent)
        self.code = nn.Sequential(nn.Linear(2 * latent, width), nn.GELU())
        self.first = nn.Linear(width, width)
        self.places = nn.Parameter(torch.randn(1, tokens, width))
        self.blocks = nn.ModuleList(Block(width, heads, width) for _ in range(depth))
        self.norm, self.style = nn.LayerNorm(width, elementwise_affine=False), nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, shape[0] * patch * patch)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        code = self.code(torch.cat([z, self.labels(labels)], 1))
        x = self.places + self.first(code)[:, None]
        for block in self.blocks:
            x = block(x, code)
        x = self.last(styled(self.norm(x), self.style(code)))
        channels, height, width = self.shape
        rows, columns = height // self.patch, width // self.patch
        x = x.view(len(x), rows, columns, channels, self.patch, self.patch).permute(0, 3, 1, 4, 2, 5)
        return torch.tanh(x.reshape(len(x), *self.shape))


class ViTDiscriminator(nn.Module):
    """D(x, y): images [B, C, H, W] and labels [B] to scores [B], and the class head's logits [B, K].

    The label's embedding is projected on the features, for the score (arXiv 1802.05637). The head does not see it.
    """

    def __init__(self, shape: Shape, num_classes: int, patch: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.patch = patch
        tokens = (shape[1] // patch) * (shape[2] // patch)
        self.first = nn.Linear(shape[0] * patch * patch, width)
        self.places = nn.Parameter(0.1 * torch.randn(1, tokens, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        self.labels = nn.Embedding(num_classes, width)
        nn.init.normal_(self.labels.weight, std=1 / math.sqrt(width))
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x)
        return self.score(features)[:, 0] + (self.labels(labels) * features).sum(1), self.head(features)

    def features(self, x: Tensor) -> Tensor:
        """Of images [B, C, H, W]: the mean of their tokens, [B, width]."""
        count, channels, height, width = x.shape
        rows, columns = height // self.patch, width // self.patch
        x = x.reshape(count, channels, rows, self.patch, columns, self.patch).permute(0, 2, 4, 1, 3, 5)
        x = self.first(x.reshape(count, rows * columns, -1)) + self.places
        for block in self.blocks:
            x = block(x)
        return self.norm(x).mean(1)
