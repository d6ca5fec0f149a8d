"""What this project makes of a GPU, beside the same networks written plainly and beside the card's own limit.

    python tests/benchmarks/gpu.py

At most ten minutes, on random images: nothing is downloaded, no Ray is started, no argument is needed. Each row is written to
``gpu-<card>.md`` in the working folder as soon as it is measured, so that nothing is lost where time ends; a row that
fails says why. Without a GPU networks are tiny: the figures mean nothing then, and show only that the command works.

The peers are written for speed alone (all on the device, bf16, channels-last, fused optimiser, nothing read back), and
measured beside ours in the same process. Peak: the fastest of products of large bf16 matrices, run here; a card's data
sheet promises more. ``--data FOLDER`` (``train/`` and ``test/`` with a sub-folder a class) adds the accuracy of ResNet-18
and of its peer after the same training, for the 94% of CIFAR-10.
"""

from __future__ import annotations

import argparse
import platform
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gpu_peers as peers
import numpy as np
import torch
from gpu_timing import Bench, bench_here, edm_step, repeated, trial_step
from torch.utils.flop_counter import FlopCounterMode

from synaug_ray.classifiers.train import Member, train_pack
from synaug_ray.common.text import one_line
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.images import Dataset
from synaug_ray.data.load import load
from synaug_ray.data.subsets import Draws
from synaug_ray.generators import edm
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset

HEADER = "| what | ours | beside | that is | ours / that |\n|---|---|---|---|---|\n"


def rows(bench: Bench, data: str | None) -> Iterator[tuple[str, Callable[[], Iterator[str]]]]:
    """Groups of rows: name, and what measures and writes them."""
    yield "EDM training", lambda: edm_training(bench)
    yield "EDM sampling", lambda: edm_sampling(bench)
    yield "ResNet-18", lambda: resnet(bench)
    yield "packs", lambda: packs(bench)
    if data is not None:
        yield "accuracy", lambda: accuracy(bench, data)
    yield "largest batch", lambda: largest_batch(bench)


def edm_training(bench: Bench) -> Iterator[str]:
    size, batch = f"{bench.side} px, batch {bench.edm.batch}", bench.edm.batch
    if bench.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    ours = edm_step(bench)
    if bench.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
        total = torch.cuda.get_device_properties(0).total_memory
        yield row(f"EDM training, {size}: peak memory, GB", peak / 1e9, "the card's memory", total / 1e9)
    step = peers.edm_step(bench.edm, bench.shape, bench.device)
    plain = repeated(bench, step)
    yield row(f"EDM training, {size}: images/s", batch / ours, "the same network in a plain loop", batch / plain)
    with FlopCounterMode(display=False) as counter:
        step()
    flops = counter.get_total_flops()
    square = [torch.randn(bench.matrix, bench.matrix, device=bench.device, dtype=torch.bfloat16) for _ in range(2)]
    limit = 2 * bench.matrix**3 / repeated(bench, lambda: square[0] @ square[1])
    yield row("EDM training: TFLOP/s", flops / ours / 1e12, "products of bf16 matrices", limit / 1e12)
    compiled = repeated(
        bench, peers.edm_step(bench.edm, bench.shape, bench.device, compiled=bench.device.type == "cuda")
    )
    yield row("EDM training: images/s", batch / ours, "the plain loop, torch.compile", batch / compiled)


def edm_sampling(bench: Bench) -> Iterator[str]:
    net, sampler = peers.edm_network(bench.edm, bench.shape, bench.device), bench.sampler
    ours = edm.EDMGenerator(net, np.full(10, 100), 0.5, bench.shape)
    peer = peers.edm_sampler(net, sampler, bench.shape, bench.device)
    seconds = [repeated(bench, lambda: ours.sample(sampler, range(sampler.batch), 0, bench.device))]
    seconds.append(repeated(bench, peer))
    what = f"EDM sampling, {bench.side} px, {sampler.steps} steps, batch {sampler.batch}: images/s"
    yield row(what, sampler.batch / seconds[0], "the same solver in a plain loop", sampler.batch / seconds[1])


def resnet(bench: Bench) -> Iterator[str]:
    recipe = bench.resnet
    an_hour = 3600 * recipe.batch / recipe.nimg  # trials an hour, over seconds a step
    ours = trial_step(bench, recipe)
    what = f"ResNet-18, {bench.side} px, batch {recipe.batch}, {recipe.nimg:,} images: trials/hour one by one"
    for name, compiled in (("an airbench-like loop", False), ("the same loop, torch.compile", True)):
        step = peers.classifier_step(recipe, bench.images(), bench.device, compiled and bench.device.type == "cuda")
        plain = repeated(bench, step)
        yield row(what, an_hour / ours, name, an_hour / plain)
        yield row("the same: images/s", recipe.batch / ours, name, recipe.batch / plain)


def packs(bench: Bench) -> Iterator[str]:
    """ResNet-18 has batch normalisation, which a pack cannot keep apart: packs are of the MLP."""
    recipe = bench.mlp
    an_hour = 3600 * recipe.batch / recipe.nimg
    packed, alone = trial_step(bench, recipe), trial_step(bench, recipe.model_copy(update={"pack": 1}))
    what = f"MLP, {bench.side} px, {recipe.nimg:,} images: trials/hour in packs of {recipe.pack}"
    yield row(what, recipe.pack * an_hour / packed, "ours one by one", an_hour / alone)


def accuracy(bench: Bench, data: str) -> Iterator[str]:
    """Of ResNet-18 and its peer after the same images; seconds too."""
    found: Dataset = load(identify(f"folder:{data}", DataOptions(size=bench.side)), Path(".gpu-cache"))
    recipe, subset = bench.resnet, Subset(DataIdentity("gpu", ""), len(found.train), 0)
    trial = TrialStep(subset, None, 0, "real-only", None, recipe, 0)
    images = found.train.take(Draws(found.train, len(found.classes)).index(subset))
    began = bench.now()
    outcome = train_pack([Member(trial, images)], found.val, found.test, len(found.classes), bench.device)[0]
    took = bench.now() - began
    right = float((outcome.predicted == found.test.labels).mean())
    began = bench.now()
    theirs = peers.trained_accuracy(recipe, found, bench.device)
    yield row("ResNet-18 on the data: accuracy, %", 100 * right, "the plain loop", 100 * theirs)
    yield row("ResNet-18 on the data: s", took, "the plain loop", bench.now() - began)


def largest_batch(bench: Bench) -> Iterator[str]:
    """By doubling, until memory or ``most_images`` ends it."""
    best, batch = 0, bench.edm.batch
    while batch <= bench.most_images:
        try:
            edm_step(bench, batch, seconds=0.0)
        except torch.OutOfMemoryError:
            break
        best, batch = batch, 2 * batch
        if bench.device.type == "cuda":
            torch.cuda.empty_cache()
    yield row("EDM training: the largest batch that fits (doubled)", best, "the preset's", bench.edm.batch)


class _Over(Exception):
    """The time is over."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    if seconds <= 0:
        raise _Over

    def stop(*_: object) -> None:
        raise _Over

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def row(what: str, ours: float, beside: str, that: float) -> str:
    return f"| {what} | {ours:,.4g} | {beside} | {that:,.4g} | {ours / that:.3g} |"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a folder of images with train/ and test/; without it no accuracy is measured")
    parser.add_argument("--out", type=Path, help="the table's file; gpu-<card>.md in the working folder by default")
    parser.add_argument("--minutes", type=float, default=9.5, help="then it ends")
    args = parser.parse_args(argv)
    began, bench = time.perf_counter(), bench_here()
    cuda = bench.device.type == "cuda"
    card = torch.cuda.get_device_name() if cuda else f"CPU, tiny ({platform.machine()})"
    out = args.out or Path(f"gpu-{re.sub('[^a-z0-9]+', '-', card.lower()).strip('-')}.md")
    head = f"{card}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}: `python tests/benchmarks/gpu.py`\n\n"
    with open(out, "w") as file:

        def say(line: str) -> None:
            for stream in (file, sys.stdout):
                print(line, file=stream, flush=True)

        say(head + HEADER.rstrip())
        for name, measure in rows(bench, args.data):
            left = 60 * args.minutes - (time.perf_counter() - began)
            try:
                with _at_most(left):
                    for line in measure():
                        say(line)
            except _Over:
                say(f"| {name} | not measured: {args.minutes:g} minutes were over | | | |")
            except Exception as error:  # the other rows are worth having
                said = one_line(f"{type(error).__name__}: {error}", 200).replace("|", "/")
                say(f"| {name} | failed: {said} | | | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
