"""Joint training of a pack of trials, which share a recipe but have separate images, weights and orders.

A trial's result depends on its key alone, not on the other trials of its pack: a pack of width K is always
padded to exactly K members, so that all kernels run with the same shapes. (On a CPU, a trial gave the same bits
whatever the other members, at widths 2 to 32.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from synaug_ray.classifiers.models import build
from synaug_ray.classifiers.pretrained import PretrainedClassifier
from synaug_ray.classifiers.schedule import augment, image_weights, num_steps, schedule
from synaug_ray.common.keys import derive_seed
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
        members: trials with the same recipe, at most ``recipe.pack`` of them.
        tick: called now and then with the fraction done.
        parts: micro-batches per batch, for batches that do not fit into memory; the gradient is that of the whole batch
            up to rounding, except with batch normalisation.
        test2: images of ``data.test2``.

    Returns:
        One Outcome per member, in order.
    """
    return _measured(train_only(members, num_classes, device, tick, parts), members, val, test, device, parts, test2)


def train_with_weights(
    member: Member, val: ImageSet, test: ImageSet, num_classes: int, device: torch.device
) -> tuple[Outcome, dict[str, Tensor]]:
    """Train one trial as in any pack; returns its Outcome and the state dict of its network (``models.build``)."""
    model = train_only([member], num_classes, device)
    return _measured(model, [member], val, test, device, 1)[0], model.weights()


def _measured(
    model: _Single | _Pack,
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
) -> _Single | _Pack:
    """Train a pack without evaluating it; arguments as of ``train_pack``. Returns its networks."""
    recipe = members[0].trial.classifier
    padded = [*members, *[members[-1]] * (recipe.pack - len(members))]
    shape = members[0].images.images.shape[1:]
    seeds = [derive_seed("weights", m.trial.common_seed) for m in padded]
    nets = [build(recipe, (int(shape[0]), int(shape[1]), int(shape[2])), num_classes, s).to(device) for s in seeds]
    model = _Pack(nets) if recipe.pack > 1 else _Single(nets[0])
    _fit(model, recipe, padded, device, tick, parts)
    return model


class _Single:
    """A pack of one: the plain module, so that any network can be trained, also one with batch normalisation.

    In channels-last layout, a step of the CNN at 16 px takes 22 ms of a core instead of 32, and evaluation a third.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def groups(self, recipe: ClassifierRecipe) -> list[dict[str, Any]]:
        """Parameters for the optimiser, with the peaks of their learning rates."""
        rate, head_rate, every = recipe.optimiser.learning_rate, recipe.head_learning_rate, list(self.net.parameters())
        if head_rate is None or not isinstance(self.net, PretrainedClassifier):
            return [{"params": every, "peak": rate}]
        head = self.net.head_parameters()
        body = [p for p in every if all(p is not q for q in head)]
        return [{"params": body, "peak": rate}, {"params": head, "peak": head_rate}]

    def weights(self) -> dict[str, Tensor]:
        """The network's state dict, on the CPU."""
        return {k: v.detach().cpu().contiguous().clone() for k, v in self.net.state_dict().items()}

    def logits(self, x: Tensor, train: bool) -> Tensor:
        """[1, B, C, H, W] -> [1, B, K]."""
        self.net.train(train)
        return self.net(x[0].contiguous(memory_format=torch.channels_last))[None]


class _Pack:
    """K networks as one, with stacked parameters."""

    def __init__(self, nets: list[nn.Module]) -> None:
        self.base = nets[0]
        self.params, self.buffers = stack_module_state(nets)
        if self.buffers:
            raise ValueError(f"{type(self.base).__name__} has buffers (batch normalisation?): use pack: 1")

        def one(params: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(self.base, params, (x,))

        self.forward = vmap(one)

    def groups(self, recipe: ClassifierRecipe) -> list[dict[str, Any]]:
        """Parameters for the optimiser, with the peak of their learning rate."""
        return [{"params": list(self.params.values()), "peak": recipe.optimiser.learning_rate}]

    def weights(self) -> dict[str, Tensor]:
        """The first network's state dict, on the CPU."""
        return {k: v[0].detach().cpu().contiguous().clone() for k, v in self.params.items()}

    def logits(self, x: Tensor, train: bool) -> Tensor:
        """[K, B, C, H, W] -> [K, B, classes]."""
        self.base.train(train)
        return self.forward(self.params, x)


def _fit(
    model: _Single | _Pack,
    recipe: ClassifierRecipe,
    members: Sequence[Member],
    device: torch.device,
    tick: Callable[[float], None] | None,
    parts: int,
) -> None:
    images, labels, offsets = _resident(members, device)
    order = torch.stack([schedule(m.trial) + o for m, o in zip(members, offsets, strict=True)], 1)
    order = order.to(device)  # once: [steps, K, B]
    weight_of = _loss_weights(members, offsets, device)
    steps = num_steps(recipe)
    optimiser = _optimiser(recipe, model.groups(recipe))
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * _learning_rate_factor(recipe, step, steps)
        index = order[step]  # [K, B]
        x = images[index].float().div_(127.5).sub_(1)
        if recipe.flip or recipe.shift:
            x = torch.stack([augment(x[k], recipe, m.trial.common_seed, step) for k, m in enumerate(members)])
        optimiser.zero_grad(set_to_none=True)
        for part in parts_of(recipe.batch, -(-recipe.batch // parts)):
            with autocast(recipe.precision, device):
                logits = model.logits(x[:, part], train=True).float()
            # the sum of the members' mean losses, so that each member's gradient is independent of the others
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1),
                labels[index[:, part]].flatten(),
                reduction="sum" if weight_of is None else "none",
                label_smoothing=recipe.label_smoothing,
            )
            if weight_of is not None:
                losses = (losses * weight_of(index[:, part]).flatten()).sum()
            (losses / recipe.batch).backward()
        optimiser.step()
        if tick is not None and step % 100 == 99:
            tick((step + 1) / steps)


def _loss_weights(
    members: Sequence[Member], offsets: Sequence[int], device: torch.device
) -> Callable[[Tensor], Tensor] | None:
    """Weights [K, B] of the losses of images by their index [K, B]; None where no member has a real weight.

    One that has none weighs each loss 1, which gives it the same bits as a pack without weights.
    """
    if all(m.trial.real_weight is None for m in members):
        return None
    of = torch.tensor([image_weights(m.trial) for m in members], device=device)  # [K, 2]
    ends = [offset + m.trial.subset.num_real for m, offset in zip(members, offsets, strict=True)]
    end = torch.tensor(ends, device=device)[:, None]
    return lambda index: torch.where(index < end, of[:, :1], of[:, 1:])


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


def _optimiser(recipe: ClassifierRecipe, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    o = recipe.optimiser
    if o.family == "adamw":
        return torch.optim.AdamW(parameters, lr=o.learning_rate, weight_decay=o.weight_decay, fused=True)
    return torch.optim.SGD(
        parameters,
        lr=o.learning_rate,
        weight_decay=o.weight_decay,
        momentum=o.momentum,
        nesterov=o.momentum > 0,
        fused=True,
    )


def _learning_rate_factor(recipe: ClassifierRecipe, step: int, steps: int) -> float:
    """Linear warm-up, multiplied by a cosine from 1 to 0."""
    warm = min(1.0, (step + 1) / max(1.0, recipe.optimiser.warmup * steps))
    return warm * 0.5 * (1 + math.cos(math.pi * step / steps))


def _evaluate(
    model: _Single | _Pack, part: ImageSet, recipe: ClassifierRecipe, device: torch.device, batch: int
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
