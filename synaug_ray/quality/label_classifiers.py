"""Cross-fitted label classifiers: no image is classified by a network trained on an image that it may be a copy of.

The training images are split into folds, and for each fold a classifier is trained on all other folds. An image is
classified by the one that has not seen its nearest training image. A copy of a training image is thus no easier to
classify than a new image, synthetic or real.

Their size depends on the data set: small networks if these are right on nearly all images that they have not seen, else
convolutional networks with batch normalisation, trained longer on shifted images and, if mirroring does not change the
class, on mirrored ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synaug_ray.common.errors import DamagedState
from synaug_ray.common.keys import content_key, derive_seed
from synaug_ray.data.images import ImageSet
from synaug_ray.quality.features import Classifier, network, scaled, train
from synaug_ray.quality.nearest import mirrored, nearest, pixels
from synaug_ray.training.batching import passes, stream
from synaug_ray.training.checkpoint import tensors_from_bytes, tensors_to_bytes

FOLDS = 3
MOST = 100_000  # training images that are used
GOOD = 0.9  # mean accuracy of the classes from which small networks are good enough
SAME = 0.95  # mirroring does not change the class if at least this fraction of the accuracy remains on mirrored images
WIDTHS = (32, 64, 128)
SIDE = 16  # pixels per side to which the first layers reduce larger images, so that they take no more time
PASSES = 24
NIMG = (40_000, 240_000)  # least and most images seen in training a large network
BATCH = 64
LEARNING_RATE = 4e-3
VERSION = 1  # of the stored format; 1: 2026-11
PART = 20_000  # training images that are searched at once

Tick = Callable[[float], None]


@dataclass(frozen=True)
class LabelClassifiers:
    """One classifier per fold of the training images, trained on the other folds."""

    training: ImageSet
    fold: NDArray[np.int64]  # of each training image, [N]
    classifiers: tuple[Classifier, ...]
    mirrors: bool = False  # whether they were trained on mirrored images too, so that mirrored copies count as copies

    def log_probabilities(self, images: ImageSet) -> NDArray[np.float64]:
        """float64 [N, classes]; each row is by the classifier that has not seen the image's nearest training image."""
        of_each = np.stack([classifier.log_probabilities(images) for classifier in self.classifiers])
        return of_each[self.fold[self._nearest(images)], np.arange(len(images))]

    def _nearest(self, images: ImageSet) -> NDArray[np.int64]:
        """Index of each image's nearest training image, found in parts, since all pixels may not fit into memory."""
        sides = (images, mirrored(images)) if self.mirrors else (images,)
        best, index = np.full(len(images), np.inf), np.zeros(len(images), np.int64)
        for start in range(0, len(self.training), PART):
            part = pixels(self.training.take(np.arange(start, min(start + PART, len(self.training)))))
            for side in sides:
                distance, found = nearest(pixels(side), part, 1, self.classifiers[0].device)
                closer = distance[:, 0] < best
                best[closer], index[closer] = distance[closer, 0], start + found[closer, 0]
        return index


def train_label_classifiers(training: ImageSet, num_classes: int, seed: int, device: torch.device) -> LabelClassifiers:
    """Train small networks on ``training``, in folds of equal class proportions."""
    fold = folds(training, seed)
    return LabelClassifiers(
        training,
        fold,
        tuple(
            train(training.take(np.flatnonzero(fold != f)), num_classes, derive_seed("judge", seed, f), device)
            for f in range(FOLDS)
        ),
    )


def of_data_set(
    train: ImageSet, num_classes: int, seed: int, device: torch.device, tick: Tick = lambda share: None
) -> LabelClassifiers:
    """Train classifiers on at most ``MOST`` of a data set's training images, as large as the data set needs.

    Small or large networks are chosen by the small ones' accuracy on images of the fold that they have not seen.
    """
    train = _first(train, seed)
    small = train_label_classifiers(train, num_classes, seed, device)
    accuracy = _accuracy(small, on_mirrored=False)
    if accuracy >= GOOD:
        return small
    mirror = _accuracy(small, on_mirrored=True) >= SAME * accuracy
    large = LabelClassifiers(
        train,
        small.fold,
        tuple(
            _train_large(
                train.take(np.flatnonzero(small.fold != f)),
                num_classes,
                mirror,
                derive_seed("judge", seed, f),
                device,
                lambda share, f=f: tick((f + share) / FOLDS),
            )
            for f in range(FOLDS)
        ),
        mirror,
    )
    return large if _accuracy(large, on_mirrored=False) > accuracy else small


def nimg_of(num_images: int) -> int:
    """Images seen in training a large network on ``num_images``."""
    return min(max(PASSES * num_images, NIMG[0]), NIMG[1])


def folds(images: ImageSet, seed: int) -> NDArray[np.int64]:
    """The fold of each image, int64 [N] in [0, FOLDS), in equal class proportions."""
    order = np.random.default_rng(derive_seed("folds", seed)).permutation(len(images))
    order = order[np.argsort(images.labels[order], kind="stable")]
    fold = np.empty(len(images), dtype=np.int64)
    fold[order] = np.arange(len(order)) % FOLDS
    return fold


def _accuracy(classifiers: LabelClassifiers, on_mirrored: bool) -> float:
    """Mean over classes of the accuracy on training images, each classified by the network that has not seen it."""
    training, right = classifiers.training, np.empty(len(classifiers.training), bool)
    for f, classifier in enumerate(classifiers.classifiers):
        mine = np.flatnonzero(classifiers.fold == f)
        images = training.take(mine)
        if on_mirrored:
            images = mirrored(images)
        right[mine] = classifier.log_probabilities(images).argmax(1) == images.labels
    return float(np.mean([right[training.labels == c].mean() for c in np.unique(training.labels)]))


def large_network(shape: tuple[int, int, int], num_classes: int) -> nn.Sequential:
    """Two 3x3 convolutions per stage, each with batch normalisation; images larger than SIDE are first reduced."""
    reduced = max(1, round(max(shape[1:]) / SIDE))
    layers: list[nn.Module] = [nn.AvgPool2d(reduced // 2)] if reduced > 3 else []
    stride, before = min(reduced, 2), shape[0]
    for stage, width in enumerate(WIDTHS):
        if stage:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        for k in range(2):
            first = stage == k == 0
            size = 5 if first and stride == 2 else 3
            layers += [
                nn.Conv2d(before, width, size, stride if first else 1, size // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            before = width
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, num_classes))
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _train_large(
    images: ImageSet, num_classes: int, mirror: bool, seed: int, device: torch.device, tick: Tick
) -> Classifier:
    steps = nimg_of(len(images)) // BATCH
    order = passes(len(images), derive_seed("order", seed), 0, steps * BATCH).view(steps, BATCH)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("weights", seed))
        net = large_network(_shape(images), num_classes).to(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.05, fused=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.2)
    x, y = torch.tensor(images.images, device=device), torch.tensor(images.labels, device=device)
    rng = stream(derive_seed("augment", seed), device)
    for step, batch in enumerate(order.to(device)):
        moved = _augment(scaled(x[batch]), mirror, rng).contiguous(memory_format=torch.channels_last)
        loss = nn.functional.cross_entropy(net(moved), y[batch])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        rate.step()
        if step % 100 == 99:
            tick((step + 1) / steps)
    return Classifier(net.eval(), device)


def _augment(x: Tensor, mirror: bool, rng: torch.Generator) -> Tensor:
    """Shift each image by at most an eighth of its side, repeating the border pixels; mirror half of the images."""
    (count, _, height, width), on = x.shape, x.device
    most = max(1, max(height, width) // 8)
    down, right = (torch.randint(-most, most + 1, (count, 1), generator=rng, device=on) for _ in range(2))
    flipped = (torch.rand(count, 1, generator=rng, device=on) < 0.5) & mirror
    rows = (torch.arange(height, device=on) + down).clamp(0, height - 1)
    columns = torch.arange(width, device=on).expand(count, width)
    columns = (torch.where(flipped, width - 1 - columns, columns) + right).clamp(0, width - 1)
    at = torch.arange(count, device=on)
    return x[at[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def storage_key(data_key: str) -> str:
    """The name under which the classifiers of a data set are stored."""
    return content_key({"data": data_key, "version": VERSION})


def to_bytes(classifiers: LabelClassifiers) -> bytes:
    """The networks for ``from_bytes``, without the images."""
    tensors = {f"{f}.{k}": v for f, c in enumerate(classifiers.classifiers) for k, v in c.net.state_dict().items()}
    small = not any(isinstance(layer, nn.BatchNorm2d) for layer in classifiers.classifiers[0].net)
    data = tensors_to_bytes(tensors, {"network": "small" if small else "large", "mirrors": "yes" * classifiers.mirrors})
    return hashlib.sha256(data).hexdigest().encode() + data


def from_bytes(data: bytes, train: ImageSet, num_classes: int, seed: int, device: torch.device) -> LabelClassifiers:
    """Load the classifiers that ``of_data_set`` returned for the same arguments.

    Raises:
        DamagedState: if the bytes are not those of ``to_bytes``.
    """
    intact = hashlib.sha256(data[64:]).hexdigest().encode() == data[:64]
    if not intact:
        raise DamagedState("it differs from its checksum")
    tensors, notes = tensors_from_bytes(data[64:])
    train, classifiers = _first(train, seed), []
    for f in range(FOLDS):
        net = (network if notes["network"] == "small" else large_network)(_shape(train), num_classes)
        net.load_state_dict({k.removeprefix(f"{f}."): v for k, v in tensors.items() if k.startswith(f"{f}.")})
        classifiers.append(Classifier(net.to(device).eval(), device))
    return LabelClassifiers(train, folds(train, seed), tuple(classifiers), bool(notes["mirrors"]))


def _first(train: ImageSet, seed: int) -> ImageSet:
    """At most ``MOST`` of the images, drawn at random."""
    if len(train) <= MOST:
        return train
    return train.take(np.sort(np.random.default_rng(derive_seed("judges", seed)).permutation(len(train))[:MOST]))


def _shape(images: ImageSet) -> tuple[int, int, int]:
    c, h, w = images.images.shape[1:]
    return int(c), int(h), int(w)
