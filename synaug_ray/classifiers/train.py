"""Joint training of a pack of trials, which share a recipe but have separate images, weights and orders.

A trial's result depends on its key alone, not on the other trials of its pack: a pack of width K is always
padded to exactly K members, so that all kernels run with the same shapes. (On a CPU, a trial gave the same bits
whatever its place and the other members where K is a multiple of 4, up to 32; at 2, 3, 5, 6, 7, 9 and 14 they depended
on its place, by rounding, and a plan says so.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synaug_ray.classifiers.models import build
from synaug_ray.classifiers.networks import Pack, Single
from synaug_ray.classifiers.optimising import learning_rate_factor, loss_of, optimiser_of
from synaug_ray.classifiers.schedule import augment, image_weights, num_steps, schedule, sources_of, stages_of
from synaug_ray.classifiers.soft_labels import Loss, loss_of_teacher
from synaug_ray.classifiers.stages import head_seed, leep, mixed_up
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.protocols import SOFT
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.plan.steps import TrialStep
from synaug_ray.training.batching import parts_of
from synaug_ray.training.precision import autocast

EVALUATION_BATCH = 500  # images; the last batch is padded so that results do not depend on the set's size


@dataclass(frozen=True)
class Member:
    """One trial, and its images in the order that its schedule indexes: the Subset, then the Pool's prefix."""

    trial: TrialStep
    images: ImageSet
    soft: NDArray[np.float32] | None = None  # with soft-labels: ``softened`` probabilities of the synthetic ones


class Answers(NamedTuple):
    """A trial's answers to T images, in their order."""

    predicted: NDArray[np.uint16]  # the class, [T]
    probability: NDArray[np.float32]  # of the true class, [T]

    @classmethod
    def of(cls, log_p: NDArray[np.float64], labels: NDArray[np.int64]) -> Answers:
        """From log-probabilities [T, classes]."""
        right = np.exp(log_p[np.arange(len(labels)), labels])
        return cls(log_p.argmax(1).astype(np.uint16), right.astype(np.float32))


@dataclass(frozen=True)
class Outcome:
    """A trial's results on the T test images, in their order."""

    predicted: NDArray[np.uint16]  # the class, [T]
    probability: NDArray[np.float32]  # of the true class, [T]
    val_error: float  # fraction of validation images
    nimg: int  # images seen in training
    second: Answers | None = None  # on the images of ``data.test2``
    leep: float | None = None  # of the first of two stages, on the Subset: ``stages.leep``
    notes: Mapping[str, float] | None = None  # further fields of its Record


def train_pack(
    members: Sequence[Member],
    val: ImageSet,
    test: ImageSet,
    num_classes: int,
    device: torch.device,
    tick: Callable[[float], None] | None = None,
    parts: int = 1,
    test2: ImageSet | None = None,
) -> list[Outcome]:
    """Train and evaluate up to ``pack`` trials of one recipe together.

    Args:
        members: trials with the same ``pack_key``, at most ``recipe.pack`` of them.
        tick: called now and then with the fraction done.
        parts: micro-batches per batch, for batches that do not fit into memory; the gradient is that of the whole batch
            up to rounding, except with batch normalisation.
        test2: images of ``data.test2``.

    Returns:
        One Outcome per member, in order.
    """
    model, scores = _trained(members, num_classes, device, tick, parts)
    outcomes = _measured(model, members, val, test, device, parts, test2)
    return [replace(outcome, leep=score) for outcome, score in zip(outcomes, scores, strict=False)]


def train_with_weights(
    member: Member, val: ImageSet, test: ImageSet, num_classes: int, device: torch.device
) -> tuple[Outcome, dict[str, Tensor]]:
    """Train one trial as in any pack; returns its Outcome and the state dict of its network (``models.build``)."""
    model = train_only([member], num_classes, device)
    return _measured(model, [member], val, test, device, 1)[0], model.weights()


def _measured(
    model: Single | Pack,
    members: Sequence[Member],
    val: ImageSet,
    test: ImageSet,
    device: torch.device,
    parts: int,
    test2: ImageSet | None = None,
) -> list[Outcome]:
    recipe = members[0].trial.classifier
    results = []
    # a pretrained network's activations are as large as in training; batches do not change its results
    batch = recipe.batch if recipe.pretrained else EVALUATION_BATCH
    for part in (val, test) if test2 is None else (val, test, test2):
        results.append(_evaluate(model, part, recipe, device, max(1, batch // parts)))
    nimg = num_steps(recipe) * recipe.batch
    outcomes = []
    for k in range(len(members)):
        wrong = results[0][k].argmax(1) != val.labels
        second = None if test2 is None else Answers.of(results[2][k], test2.labels)
        outcomes.append(Outcome(*Answers.of(results[1][k], test.labels), float(wrong.mean()), nimg, second))
    return outcomes


def train_only(
    members: Sequence[Member],
    num_classes: int,
    device: torch.device,
    tick: Callable[[float], None] | None = None,
    parts: int = 1,
) -> Single | Pack:
    """Train a pack without evaluating it; arguments as of ``train_pack``. Returns its networks."""
    return _trained(members, num_classes, device, tick, parts)[0]


def _trained(
    members: Sequence[Member],
    num_classes: int,
    device: torch.device,
    tick: Callable[[float], None] | None,
    parts: int,
) -> tuple[Single | Pack, list[float | None]]:
    """The trained networks, and the LEEP of each trial that is bridged."""
    recipe = members[0].trial.classifier
    padded = [*members, *[members[-1]] * (recipe.pack - len(members))]
    shape = members[0].images.images.shape[1:]

    def networks(seeds: Sequence[int]) -> list[nn.Module]:
        return [build(recipe, (int(shape[0]), int(shape[1]), int(shape[2])), num_classes, s).to(device) for s in seeds]

    nets = networks([derive_seed("weights", m.trial.common_seed) for m in padded])
    model = Pack(nets) if recipe.pack > 1 else Single(nets[0])
    return model, _fit(model, recipe, padded, device, tick, parts, networks)


def _fit(
    model: Single | Pack,
    recipe: ClassifierRecipe,
    members: Sequence[Member],
    device: torch.device,
    tick: Callable[[float], None] | None,
    parts: int,
    networks: Callable[[Sequence[int]], list[nn.Module]],
) -> list[float | None]:
    images, labels, offsets = _resident(members, device)
    trials = [m.trial for m in members]
    order = torch.stack(
        [schedule(m.trial, sources_of(m.trial, m.images.labels)) + o for m, o in zip(members, offsets, strict=True)], 1
    )
    order = order.to(device)  # once: [steps, K, B]
    weight_of = _loss_weights(members, offsets, device)
    teacher = _teacher(members, offsets, len(images), device)
    if len({t.pack_key for t in trials}) > 1:
        raise ValueError(f"trials of a pack have one recipe and the same stages, got {[t.protocol for t in trials]}")
    stages, options = stages_of(trials[0]), trials[0].stages
    scores: list[float | None] = [None] * len(members)
    for number, stage in enumerate(stages):
        if number and options is not None:
            scores = _transfer(model, members, images, offsets, device, parts)
            if options.reset_head:
                model.new_heads(networks([head_seed(t) for t in trials]))
        optimiser = optimiser_of(recipe, model.groups(recipe))
        mixup = options.mixup if options is not None and not number else 0.0
        for step in stage:
            if number:
                model.renew_statistics(step - stage.start)
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * learning_rate_factor(recipe, step - stage.start, len(stage))
            index = order[step]  # [K, B]
            x = images[index].float().div_(127.5).sub_(1)
            if recipe.flip or recipe.shift:
                x = torch.stack([augment(x[k], recipe, t.common_seed, step) for k, t in enumerate(trials)])
            # labels with the weights of their losses
            targets: list[tuple[Tensor, Tensor | None]] = [(labels[index], weight_of(index) if weight_of else None)]
            if mixup:
                x, partner, share = mixed_up(x, trials, step, mixup)
                own = share.expand(index.shape)
                targets = [(labels[index], own), (labels[index.gather(1, partner)], 1 - own)]
            optimiser.zero_grad(set_to_none=True)
            for part in parts_of(recipe.batch, -(-recipe.batch // parts)):
                with autocast(recipe.precision, device):
                    logits = model.logits(x[:, part], train=True).float()
                losses = [
                    loss_of(logits, target[:, part], None if weight is None else weight[:, part], recipe)
                    for target, weight in targets
                ]
                if teacher is not None:
                    losses.append(teacher(logits, index[:, part]) / recipe.batch)
                torch.stack(losses).sum().backward() if len(losses) > 1 else losses[0].backward()
            optimiser.step()
            if tick is not None and step % 100 == 99:
                tick((step + 1) / stages[-1].stop)
    return scores


def _transfer(
    model: Single | Pack,
    members: Sequence[Member],
    images: Tensor,
    offsets: Sequence[int],
    device: torch.device,
    parts: int,
) -> list[float | None]:
    """LEEP of each bridged trial's network on its Subset, whose images are the first of its own."""
    recipe = members[0].trial.classifier
    batch = max(1, (recipe.batch if recipe.pretrained else EVALUATION_BATCH) // parts)
    sizes = [m.trial.subset.num_real for m in members]
    chunks = []
    for start in range(0, max(sizes), batch):
        rows = torch.arange(start, start + batch)
        index = torch.stack([rows.clamp(max=n - 1) + offset for n, offset in zip(sizes, offsets, strict=True)])
        with torch.no_grad(), autocast(recipe.precision, device):
            logits = model.logits(images[index.to(device)].float().div_(127.5).sub_(1), train=False)
            chunks.append(logits.double().softmax(-1).cpu().numpy())
    probabilities = np.concatenate(chunks, 1)
    return [
        leep(probabilities[k, :n], m.images.labels[:n]) if m.trial.protocol == "bridged" else None
        for k, (m, n) in enumerate(zip(members, sizes, strict=True))
    ]


def _loss_weights(
    members: Sequence[Member], offsets: Sequence[int], device: torch.device
) -> Callable[[Tensor], Tensor] | None:
    """Weights [K, B] of the losses of images by their index [K, B]; None where all of them are 1.

    A member that has none weighs each loss 1, which gives it the same bits as a pack without weights.
    """
    if all(m.trial.real_weight is None and m.trial.protocol != SOFT for m in members):
        return None
    of = torch.tensor([image_weights(m.trial) for m in members], device=device)  # [K, 2]
    ends = [offset + m.trial.subset.num_real for m, offset in zip(members, offsets, strict=True)]
    end = torch.tensor(ends, device=device)[:, None]
    return lambda index: torch.where(index < end, of[:, :1], of[:, 1:])


def _teacher(members: Sequence[Member], offsets: Sequence[int], count: int, device: torch.device) -> Loss | None:
    """What the teacher of ``soft-labels`` adds to the losses of a pack of it; None for a pack of another protocol."""
    soft = [m.soft for m in members if m.soft is not None]
    if not soft:
        return None
    first = [offset + m.trial.subset.num_real for m, offset in zip(members, offsets, strict=True)]
    return loss_of_teacher(soft, first, count, device)


def _resident(members: Sequence[Member], device: torch.device) -> tuple[Tensor, Tensor, list[int]]:
    """A pack's images as one uint8 tensor on the device, shared sets once; their labels; each member's offset."""
    at: dict[int, int] = {}
    sets: list[ImageSet] = []
    for m in members:
        if id(m.images) not in at:
            at[id(m.images)] = sum(len(s) for s in sets)
            sets.append(m.images)
    images = torch.from_numpy(np.concatenate([s.images for s in sets])).to(device)
    labels = torch.from_numpy(np.concatenate([s.labels for s in sets])).to(device)
    return images, labels, [at[id(m.images)] for m in members]


def _evaluate(
    model: Single | Pack, part: ImageSet, recipe: ClassifierRecipe, device: torch.device, batch: int
) -> NDArray[np.float64]:
    """Log-probabilities [K, N, classes]."""
    width = recipe.pack
    chunks = []
    for start in range(0, len(part), batch):
        rows = np.arange(start, start + batch).clip(max=len(part) - 1)
        x = torch.from_numpy(part.images[rows]).to(device).float().div_(127.5).sub_(1)
        with torch.inference_mode(), autocast(recipe.precision, device):
            logits = model.logits(x.expand(width, *x.shape), train=False)
            log_p = torch.log_softmax(logits.double(), -1)[:, : len(part) - start]
        chunks.append(log_p.cpu().numpy())
    return np.concatenate(chunks, 1)
