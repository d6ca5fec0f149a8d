"""Batches for a classifier: images resident as uint8 and augmented in a batch, each its own, against a DataLoader.

    python tests/benchmarks/batches.py [--workers 0 1 2]

Both yield normalised float batches of images of CIFAR's size, each flipped at random and shifted by up to four pixels
(zero-padded crop). The peer is torchvision's transforms v2 in a Dataset (one call an image, because a call on a batch
draws once for all of it) behind torch's DataLoader. Images a second of wall time on all the cores that each side uses,
medians of repeats in turn. Figures: `batches.md`.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import time
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from synaug_ray.classifiers.schedule import augment
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.training.batching import passes

RECIPE = ClassifierRecipe(name="cifar", flip=True, shift=4, batch=128, pack=1)


class _Peer(Dataset[tuple[Tensor, int]]):
    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels
        self.transform = v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                v2.RandomCrop(images.shape[-1], padding=4),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize([0.5], [0.5]),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=12_800, help="a pass over so many")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, batches of {RECIPE.batch}, passes "
        f"over {args.images:,} images, medians of {args.repeats}\n\n| images | input | images/s | ours against it |\n"
        "|---|---|---|---|"
    )
    for side in (16, 32):
        images = torch.randint(0, 256, (args.images, 3, side, side), dtype=torch.uint8)
        labels = torch.randint(0, 10, (args.images,))
        rate: dict[str, list[float]] = {}
        peer = _Peer(images, labels)
        loaders = {
            f"DataLoader, {n} workers": DataLoader(
                peer, RECIPE.batch, shuffle=True, num_workers=n, persistent_workers=n > 0
            )
            for n in args.workers
        }
        for name, loader in loaders.items():
            for _ in loader:  # workers start once: their start is not counted
                break
            rate[name] = []
        rate["resident, one thread"] = []
        for repeat, name in itertools.product(range(args.repeats), rate):
            started, seen = time.perf_counter(), 0
            for x, _ in loaders[name] if name in loaders else _ours(images, labels, repeat):
                seen += len(x)
            rate[name].append(seen / (time.perf_counter() - started))
        for name, rates in rate.items():
            ratio = statistics.median(a / b for a, b in zip(rate["resident, one thread"], rates, strict=True))
            print(f"| 3x{side}x{side} | {name} | {statistics.median(rates):,.0f} | {ratio:.1f} |", flush=True)


def _ours(images: Tensor, labels: Tensor, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """A pass as ``classifiers.training`` makes its batches."""
    for step in range(len(images) // RECIPE.batch):
        index = passes(len(images), seed, step * RECIPE.batch, RECIPE.batch)
        yield augment(images[index].float().div_(127.5).sub_(1), RECIPE, seed, step), labels[index]


if __name__ == "__main__":
    main()
