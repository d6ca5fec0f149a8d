"""Protocol ``soft-labels``: synthetic images are learnt from a teacher's probabilities as much as from their labels.

The loss of a synthetic image with label y, logits z and the teacher's log-probabilities t is

    (1 - a) CE(softmax(z), y) + a T^2 CE(softmax(z / T), softmax(t / T))

(Hinton, Vinyals and Dean, arXiv 1503.02531), with the a and T that He et al. (arXiv 2210.07574) used for synthetic
images; real images have the loss of their label alone. Their teacher is CLIP, which has seen other images. This one is
closed-set: small classifiers cross-fitted on the Subset, so that none judges a copy of an image that it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHARE = 0.5  # a: of the teacher's probabilities in the loss of a synthetic image
TEMPERATURE = 2.0  # T

Loss = Callable[[Tensor, Tensor], Tensor]  # of logits [K, b, classes] and images by index [K, b], with a sum over both


def softened(log_p: NDArray[np.float64]) -> NDArray[np.float32]:
    """A teacher's probabilities at ``TEMPERATURE``, float32 [N, classes], from its log-probabilities."""
    scaled = log_p / TEMPERATURE
    p = np.exp(scaled - scaled.max(1, keepdims=True))
    return (p / p.sum(1, keepdims=True)).astype(np.float32)


def loss_of_teacher(
    soft: Sequence[NDArray[np.float32]], first: Sequence[int], count: int, device: torch.device
) -> Loss:
    """What the teacher adds to the sum of all images' losses.

    Args:
        soft: each member's probabilities of its synthetic images.
        first: the index of each member's first synthetic image among the ``count`` images of all.
    """
    targets = torch.zeros(count, soft[0].shape[1])  # of a real image nothing, so that it adds nothing
    for p, at in zip(soft, first, strict=True):
        targets[at : at + len(p)] = torch.from_numpy(p)
    targets = targets.to(device)
    scale = SHARE * TEMPERATURE**2

    def loss(logits: Tensor, index: Tensor) -> Tensor:
        return -scale * (targets[index] * torch.log_softmax(logits / TEMPERATURE, -1)).sum()

    return loss
