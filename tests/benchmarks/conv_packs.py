"""Convolutional networks at once against one after another: would packs pay for the `cnn` classifiers too?

    python tests/benchmarks/conv_packs.py [--device cuda]

K networks are one whose convolutions have K groups and whose batch normalisation has K times the channels: per channel
it is that of K networks. Times are of a step (loss, gradients) of all K, one thread, medians of rounds in which both
ways take turns. One after another is what `train_pack` does (channels last); packs are tried in both layouts. Gradients
are compared in fp64: in fp32 rounding decides now and then which of two pixels a pool takes. Figures: `packs.md`.
"""

from __future__ import annotations

import argparse
import copy
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from synaug_ray.classifiers.models import build
from synaug_ray.config.presets import CLASSIFIERS

BATCH, CLASSES, ROUNDS = 64, 10, 9
NETWORKS = {"cnn, 32-64-128": (32, 64, 128), "cnn, 16-32-64": (16, 32, 64), "cnn, 8-16-32": (8, 16, 32)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 16], help="pixels a side")
    parser.add_argument("--widths", type=int, nargs="+", default=[2, 4, 8])
    args = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(args.device)
    print(
        f"{_name(device)}, torch {torch.__version__}, batches of {BATCH}, medians of {ROUNDS}\n\n| network | pixels "
        "| K | ms a step of one, alone | in a pack | against alone | channels last | against alone | gradients apart "
        "|\n|---|---|---|---|---|---|---|---|---|"
    )
    for (name, widths), size, k in ((n, s, k) for n in NETWORKS.items() for s in args.sizes for k in args.widths):
        _compare(name, widths, size, k, device)


def _compare(name: str, widths: tuple[int, ...], size: int, k: int, device: torch.device) -> None:
    recipe = CLASSIFIERS["cnn"].model_copy(update={"widths": widths})
    nets = [build(recipe, (3, size, size), CLASSES, seed).to(device) for seed in range(k)]
    rng = torch.Generator().manual_seed(0)
    x = torch.randn((k, BATCH, 3, size, size), generator=rng).to(device)
    labels = torch.randint(CLASSES, (k, BATCH), generator=rng).to(device)
    alone = [net.to(memory_format=torch.channels_last) for net in copy.deepcopy(nets)]  # type: ignore[call-overload]
    each = [images.contiguous(memory_format=torch.channels_last) for images in x]
    side_by_side = x.transpose(0, 1).flatten(1, 2)
    packed = Pack(nets)
    last = copy.deepcopy(packed).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    side_by_side_last = side_by_side.contiguous(memory_format=torch.channels_last)

    def one_after_another() -> None:
        for net, images, truth in zip(alone, each, labels, strict=True):
            net.zero_grad()
            cross_entropy(net(images), truth).backward()

    def at_once(pack: Pack, images: Tensor) -> None:
        pack.zero_grad()
        _loss(pack, images, labels).backward()

    ways: list[Callable[[], None]] = [
        one_after_another,
        lambda: at_once(packed, side_by_side),
        lambda: at_once(last, side_by_side_last),
    ]
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS + 1):
        for way, taken in zip(ways, seconds, strict=True):
            taken.append(_timed(way, device) / k)
    alone_ms, *packs_ms = (1e3 * statistics.median(taken[1:]) for taken in seconds)  # the first is a warm-up
    apart = _apart([net.double() for net in nets], Pack(nets).double(), x.double(), labels)
    told = " | ".join(f"{ms:.2f} | {alone_ms / ms:.2f}" for ms in packs_ms)
    print(f"| {name} | {size} | {k} | {alone_ms:.2f} | {told} | {apart:.0e} |", flush=True)


class Pack(nn.Module):
    """K networks of `cnn` as one: images [B, K * C, H, W] -> logits [B, K, classes]."""

    def __init__(self, nets: list[nn.Module]) -> None:
        super().__init__()
        self.k = len(nets)
        self.layers = nn.Sequential(*(_stacked(layers) for layers in zip(*nets, strict=True)))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).view(len(x), self.k, -1)


def _loss(pack: Pack, images: Tensor, labels: Tensor) -> Tensor:
    """The sum of the K networks' losses; labels are [K, B]."""
    return cross_entropy(pack(images).flatten(0, 1), labels.T.flatten(), reduction="sum") / BATCH


def _stacked(layers: tuple[nn.Module, ...]) -> nn.Module:
    first, k = layers[0], len(layers)
    if isinstance(first, nn.Conv2d):
        stacked: nn.Module = nn.Conv2d(
            k * first.in_channels, k * first.out_channels, 3, padding=1, bias=False, groups=k
        )
    elif isinstance(first, nn.BatchNorm2d):
        stacked = nn.BatchNorm2d(k * first.num_features)
    elif isinstance(first, nn.Linear):
        stacked = nn.Conv2d(k * first.in_features, k * first.out_features, 1, groups=k)
    else:
        return nn.Identity() if isinstance(first, nn.Flatten) else copy.deepcopy(first)
    with torch.no_grad():
        for name, value in stacked.named_parameters():
            value.copy_(torch.cat([layer.get_parameter(name) for layer in layers]).view(value.shape))
    return stacked.to(next(first.parameters()).device)


def _apart(nets: list[nn.Module], pack: Pack, x: Tensor, labels: Tensor) -> float:
    """The largest difference between gradients, as a share of the largest gradient of that tensor."""
    for net, images, truth in zip(nets, x, labels, strict=True):
        cross_entropy(net(images), truth).backward()
    _loss(pack, x.transpose(0, 1).flatten(1, 2), labels).backward()
    worst = 0.0
    for at, layer in enumerate(pack.layers):
        for name, value in layer.named_parameters():
            assert value.grad is not None
            theirs = torch.cat([net[at].get_parameter(name).grad for net in nets])  # type: ignore[index]
            worst = max(worst, float((value.grad.view(theirs.shape) - theirs).abs().max() / theirs.abs().max()))
    return worst


def _timed(way: Callable[[], None], device: torch.device) -> float:
    """Seconds: of this process's CPU, on a GPU of the wall."""
    if device.type == "cpu":
        started = time.process_time()
        way()
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    way()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()}, one thread"


if __name__ == "__main__":
    main()
