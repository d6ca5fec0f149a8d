"""Near duplicates planted in real images: how many are found, by what was done to them, and what is named by chance.

    python tests/benchmarks/duplicates.py [--images FOLDER] [--data CACHE]

FOLDER holds cifar10-jpeg.tar.gz unpacked as ``cifar10-jpeg/`` (train/ and test/ in it) and pneumonia-28.npz; what is
not there is left out. duplicates.md beside this file has figures and what they were measured on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.duplicates import find
from synaug_ray.data.duplicates.planted import CHANGES, changed
from synaug_ray.data.identify import identify
from synaug_ray.data.images import Dataset
from synaug_ray.data.load import load

SHARE = 0.1  # copies among the images searched, in the second measurement


def measure(dataset: Dataset) -> None:
    train, test, rng = dataset.train, dataset.test, np.random.default_rng(0)
    started = time.process_time()
    found = find(test.images, train.images, labels=test.labels, reference_labels=train.labels, plant=tuple(CHANGES))
    seconds = time.process_time() - started
    print(
        f"\n{dataset.name}: {len(test):,} test images in {len(train):,} training images, {seconds:.1f} s of CPU, "
        f"{1000 * seconds / len(test):.1f} s per 1,000"
    )
    passed, of = found.across_classes
    print(
        f"  named as they are: {len(found.images):,} ({len(found.images) / len(test):.2%}), score over "
        f"{found.threshold:.2f}; by chance {found.expected_false:.2g}; among other classes alone {passed} of {of}"
    )
    count = round(SHARE * len(test) / len(CHANGES))
    sources = np.concatenate([rng.permutation(len(train))[:count] for _ in CHANGES])
    copies = np.concatenate(
        [changed(train.images[sources[k * count : (k + 1) * count]], change, rng) for k, change in enumerate(CHANGES)]
    )
    both = find(
        np.concatenate([test.images, copies]),
        train.images,
        plant=(),
        labels=np.concatenate([test.labels, train.labels[sources]]),
        reference_labels=train.labels,
    )
    named: dict[int, set[int]] = {}
    for i, j in [*both.exact.tolist(), *both.near.tolist()]:
        named.setdefault(i, set()).add(j)
    hit = np.array([source in named.get(len(test) + k, ()) for k, source in enumerate(sources)]).reshape(-1, count)
    new = len(set(both.images[both.images < len(test)].tolist()) - set(found.images.tolist()))
    print(f"  with {copies.shape[0]} copies among them: score over {both.threshold:.2f}; {new} more test images named")
    print(f"  {'found of':<32}{'60 planted alone':>18}{f'{count} of each in the set':>26}")
    for change, share in zip(CHANGES, hit.mean(1), strict=True):
        print(f"  {change:<32}{found.recall[change]:>18.0%}{share:>26.0%}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, default=Path("."))
    parser.add_argument("--data", type=Path, default=Path.home() / ".cache" / "synaug_ray")
    args = parser.parse_args()
    torch.set_num_threads(1)
    sources = ["digits"]
    if (args.images / "pneumonia-28.npz").is_file():
        sources.append(f"npz:{args.images / 'pneumonia-28.npz'}")
    if (args.images / "cifar10-jpeg").is_dir():
        sources.append(f"folder:{args.images / 'cifar10-jpeg'}")
    for source in sources:
        measure(load(identify(source, DataOptions()), args.data))


if __name__ == "__main__":
    main()
