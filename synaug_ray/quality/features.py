"""A feature space that needs no download: the penultimate activations of a small classifier trained on the real images.

The same architecture is used for the label classifiers and for the real-versus-synthetic classifier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synaug_ray.common.keys import derive_seed
from synaug_ray.data.images import ImageSet
from synaug_ray.training.batching import passes

DIMENSIONS = 64
BATCH = 64
NIMG = (12_800, 80_000)  # least and most images seen in training; in between, PASSES over the images
PASSES = 5
LEARNING_RATE = 3e-3
EVALUATION_BATCH = 512


@dataclass(frozen=True)
class Classifier:
    """A trained network and its device."""

    net: nn.Sequential
    device: torch.device

    def log_probabilities(self, images: ImageSet) -> NDArray[np.float64]:
        """Log-probabilities of the classes, float64 [N, classes]."""
        return torch.log_softmax(self._apply(self.net, images).double(), 1).numpy()

    def features(self, images: ImageSet) -> NDArray[np.float32]:
        """Penultimate activations, float32 [N, DIMENSIONS]."""
        return self._apply(self.net[:-1], images).numpy()

    def _apply(self, net: nn.Module, images: ImageSet) -> Tensor:
        chunks = []
        for start in range(0, len(images), EVALUATION_BATCH):
            x = scaled(torch.tensor(images.images[start : start + EVALUATION_BATCH], device=self.device))
            with torch.inference_mode():
                chunks.append(net(x).cpu())
        return torch.cat(chunks).clone()


def nimg_of(num_images: int) -> int:
    """Images seen in training on ``num_images``."""
    return min(max(PASSES * num_images, NIMG[0]), NIMG[1])


def train(images: ImageSet, num_classes: int, seed: int, device: torch.device) -> Classifier:
    """Train a small classifier of ``images``; deterministic for the same images and ``seed``."""
    steps = nimg_of(len(images)) // BATCH
    order = passes(len(images), derive_seed("order", seed), 0, steps * BATCH).view(-1, BATCH)
    return train_in_order(images, num_classes, order, seed, device)


def train_in_order(images: ImageSet, num_classes: int, order: Tensor, seed: int, device: torch.device) -> Classifier:
    """The same with given batches: ``order`` is int64 [steps, batch], indices into ``images``."""
    c, h, w = images.images.shape[1:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("weights", seed))
        net = network((int(c), int(h), int(w)), num_classes).to(device)
    x, y = torch.tensor(images.images, device=device), torch.tensor(images.labels, device=device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, fused=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=len(order), pct_start=0.1)
    for batch in order.to(device):
        loss = nn.functional.cross_entropy(net(scaled(x[batch])), y[batch])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        rate.step()
    return Classifier(net.eval(), device)


def network(shape: tuple[int, int, int], num_classes: int) -> nn.Sequential:
    """Convolutions down to at most 4 pixels per side, then DIMENSIONS features, then one output per class.

    There are no normalisation layers, so that an image's features do not depend on other images. The first convolution
    keeps the size of images up to 12 px, and halves that of larger ones, which makes training at 28 px 4 times as fast.
    """
    channels, height, width = shape
    stride, kernel = (1, 3) if max(height, width) <= 12 else (2, 5)
    layers: list[nn.Module] = [nn.Conv2d(channels, 16, kernel, stride, kernel // 2), nn.ReLU()]
    before, height, width = 16, -(-height // stride), -(-width // stride)
    while max(height, width) > 4:
        after = min(2 * before, 48)
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.ReLU()]
        before, height, width = after, -(-height // 2), -(-width // 2)
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(before * height * width, DIMENSIONS),
        nn.ReLU(),
        nn.Linear(DIMENSIONS, num_classes),
    )


def scaled(x: Tensor) -> Tensor:
    """Scale pixels from [0, 255] to float32 in [-1, 1]."""
    return x.float().div_(127.5).sub_(1)
