"""Times quality checks: nearly all of it is the training of networks, whose cost does not depend on the pool."""

from __future__ import annotations

from collections.abc import Callable

import torch

from synaug_ray.data.images import ImageSet
from synaug_ray.quality import features, label_classifiers

TRAININGS = 2.5  # of the small network per check, each as short as ``features.NIMG`` allows
LARGE = 0.9  # assumed probability that labels need the large networks, as nine of ten data sets did
STEPS = 30


def of_check(images: ImageSet, num_classes: int, device: torch.device, now: Callable[[], float]) -> float:
    """Seconds per check."""
    return TRAININGS * features.NIMG[0] * _small(images, num_classes, device, now)


def of_first_check(
    images: ImageSet, training: int, num_classes: int, device: torch.device, now: Callable[[], float]
) -> float:
    """Seconds for the classifiers of labels, small and perhaps large, which are trained once for a data set.

    Args:
        images: to time with.
        training: how many training images the data set has.
    """
    folds = label_classifiers.FOLDS
    seen = min(training, label_classifiers.MOST) * (folds - 1) // folds
    small = features.nimg_of(seen) * _small(images, num_classes, device, now)
    return folds * (small + LARGE * label_classifiers.nimg_of(seen) * _large(images, num_classes, device, now))


def _small(images: ImageSet, num_classes: int, device: torch.device, now: Callable[[], float]) -> float:
    """Seconds per image."""
    batch = features.BATCH
    order = torch.arange(STEPS * batch).remainder(len(images)).view(STEPS, batch)
    features.train_in_order(images, num_classes, order, 0, device)  # the first call prepares what later ones use
    began = now()
    features.train_in_order(images, num_classes, order, 0, device)
    return (now() - began) / (STEPS * batch)


def _large(images: ImageSet, num_classes: int, device: torch.device, now: Callable[[], float]) -> float:
    """Seconds per image, without its augmentation."""
    batch, steps = label_classifiers.BATCH, STEPS // 3
    _, channels, height, width = images.images.shape
    net = label_classifiers.large_network((channels, height, width), num_classes).to(device)
    x = features.scaled(torch.tensor(images.images[:batch], device=device))
    began = now()
    for step in range(steps):
        if step == 2:  # the first ones prepare what later ones use
            began = now()
        net.zero_grad(set_to_none=True)
        net(x).sum().backward()
    return (now() - began) / ((steps - 2) * batch)
