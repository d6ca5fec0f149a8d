"""By how much low-rank changes of a base are applied: chosen by images of the Subset that did not train them.

Few images can make a base worse that knows them already, and nothing about the changes alone says so. A first training
leaves part of the Subset out. Its changes, applied by different shares, are judged by the loss of training on these
images, with the same noise and noise levels for each share. The share with the smallest loss is taken if that is below
the loss without changes by more than one standard error over the images; else none of them is applied. A second
training, of the whole Subset, gives the changes that are applied so; there is none where that would be the base.

The smallest share that is not worse than the best by a standard error, as trees are pruned, is no rule here: images
differ in what they gain, and a base of other digits would be left with three quarters of the changes that it needs.

Embeddings of classes that start from the base's (``class_ids``) go the same share of their way. Those that start at
random mean nothing there, and are kept whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import UNet2DModel
from numpy.typing import NDArray
from torch import Tensor, nn

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.keys import derive_seed
from synaug_ray.common.text import first_few
from synaug_ray.config.lora_recipe import JUDGED, SCALES, LoraRecipe
from synaug_ray.data.splits import held_out
from synaug_ray.generators import edm
from synaug_ray.generators.diffusion import Task
from synaug_ray.generators.lora_files import CLASSES
from synaug_ray.training.checkpoint import module_names, restore
from synaug_ray.training.distributed import Split
from synaug_ray.training.loop import SaveState
from synaug_ray.training.low_rank import changes
from synaug_ray.training.precision import autocast

LEAST = 8  # times that each image is judged at least
NAME = "chosen"  # of what was chosen, in the checkpoints of the second training


@dataclass(frozen=True)
class Chosen:
    """The share of the changes that is applied, and why."""

    scale: float
    images: int  # that were left out
    losses: tuple[float, ...]  # on these, at each of ``SCALES``
    errors: tuple[float, ...]  # standard errors, over the images, of their differences from the first

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Chosen:
        """The inverse of ``asdict``, also through JSON."""
        return cls(values["scale"], values["images"], tuple(values["losses"]), tuple(values["errors"]))


class Fitted(Protocol):
    """One training of changes: of a task, from a state, beside other modules in its checkpoints."""

    def __call__(
        self,
        recipe: LoraRecipe,
        task: Task,
        state: bytes | None,
        save: SaveState | None,
        beside: Mapping[str, nn.Module],
    ) -> tuple[UNet2DModel, int]: ...


def trained(
    recipe: LoraRecipe,
    task: Task,
    classes: tuple[str, ...],
    fitted: Fitted,
    base: tuple[Tensor, float],
    split: Split,
    state: bytes | None = None,
    save: SaveState | None = None,
) -> tuple[UNet2DModel, int, Chosen]:
    """The network with changes applied by the share that was chosen, images seen in both trainings, and the choice.

    Args:
        base: the embeddings that the classes start from, and the scale of its data.

    Raises:
        DataProblem: if a class has too few images to leave one out.
    """
    start, sigma_data = base
    one = recipe.one_training(len(task.images))
    first = -(-one.nimg // recipe.batch) * recipe.batch
    kept = _Kept()
    if state is not None and NAME in module_names(state):
        restore(state, {NAME: kept}, {})
    else:
        rest, unseen = _parted(recipe, task, classes)
        net, _ = fitted(one, rest, state, save, {})
        kept.keep(split.broadcast(_judged(net, one, unseen, start, sigma_data, split)))
        state = None

    def save_after(state: Callable[[], bytes], nimg: int) -> None:
        if save is not None:
            save(state, first + nimg)

    chosen = kept.chosen()
    if not chosen.scale and recipe.class_ids:
        one = one.model_copy(update={"nimg": 0})  # nothing of a second training would be applied
    net, nimg = fitted(one, task, state, save_after, {NAME: kept})
    apply(net, one, start, net.get_parameter(CLASSES).detach().clone(), chosen.scale)
    return net, first + nimg, chosen


def apply(net: UNet2DModel, recipe: LoraRecipe, start: Tensor, end: Tensor, scale: float) -> None:
    """Let a share of a network's changes be applied, in place; 0 is the base where the classes start from its own.

    Args:
        start: embeddings of the classes before the training.
        end: after it.
    """
    for change in changes(net).values():
        change.applied = scale
    if recipe.class_ids:
        with torch.no_grad():
            net.get_parameter(CLASSES).copy_(torch.lerp(start.to(end.device), end, scale))


def choose(losses: NDArray[np.float64]) -> Chosen:
    """The share with the smallest loss; 0 unless that is better by more than one standard error.

    Args:
        losses: of each image at each of ``SCALES``, [S, N] with at least two images.
    """
    means = losses.mean(1)
    errors = (losses - losses[0]).std(1, ddof=1) / np.sqrt(losses.shape[1])
    best = int(means.argmin())
    scale = SCALES[best] if means[0] - means[best] > errors[best] else 0.0
    return Chosen(scale, losses.shape[1], tuple(means.tolist()), tuple(errors.tolist()))


def losses_of(
    net: UNet2DModel, recipe: LoraRecipe, unseen: Task, start: Tensor, sigma_data: float, split: Split
) -> NDArray[np.float64]:
    """The mean loss of each unseen image at each of ``SCALES``, [S, N]; all with the same noise. ``net`` is changed."""
    number, end = len(unseen.images), net.get_parameter(CLASSES).detach().clone()
    batches = -(-max(round(JUDGED * recipe.nimg), LEAST * number) // recipe.batch)
    total = torch.zeros(len(SCALES), number, dtype=torch.float64, device=end.device)
    seen = torch.zeros(number, dtype=torch.float64, device=end.device)
    net.eval()
    with torch.no_grad():
        for at, scale in enumerate(SCALES):
            apply(net, recipe, start, end, scale)
            for nimg in range(0, batches * recipe.batch, recipe.batch):
                batch = edm.drawn(recipe, unseen, nimg)
                for part in Split(split.parts).slices(recipe.batch, recipe.micro_batch):
                    with autocast(recipe.precision, end.device):
                        errors = batch.errors(net, sigma_data, part).mean((1, 2, 3))
                    total[at].index_add_(0, batch.index[part], errors.double())
                    if not at:
                        seen.index_add_(0, batch.index[part], torch.ones_like(errors, dtype=torch.float64))
    return (total / seen).cpu().numpy()


def _judged(
    net: UNet2DModel, recipe: LoraRecipe, unseen: Task, start: Tensor, sigma_data: float, split: Split
) -> bytes:
    return json.dumps(asdict(choose(losses_of(net, recipe, unseen, start, sigma_data, split)))).encode()


def _parted(recipe: LoraRecipe, task: Task, classes: tuple[str, ...]) -> tuple[Task, Task]:
    """The task without the images that are left out, and with these alone: of each class at least one."""
    labels = task.labels.cpu().numpy()
    count = max(round(recipe.validation_share * len(labels)), 2)
    rare = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 1)
    if len(rare):
        raise DataProblem(
            f"generators: {recipe.name}: validation_share: {recipe.validation_share:g} needs at least two real images "
            "of each class, one to train on and one to choose by, and there is one of "
            f"{first_few((classes[k] for k in rare), 5)}; raise num_real, or leave validation_share out",
            code="too-few-images",
        )
    out = held_out(labels, None, count, derive_seed("validation", task.seed) % 2**32, classes)
    own = np.setdiff1d(np.arange(len(labels)), out)
    rest, unseen = (
        replace(task, images=task.images[rows], labels=task.labels[rows], seed=seed)
        for rows, seed in (
            (torch.from_numpy(own), derive_seed("first", task.seed)),
            (torch.from_numpy(out), derive_seed("unseen", task.seed)),
        )
    )
    return rest, unseen


class _Kept(nn.Module):
    """What was chosen, as a part of checkpoints."""

    scale: Tensor
    images: Tensor
    losses: Tensor
    errors: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("scale", "images"):
            self.register_buffer(name, torch.zeros(1, dtype=torch.float64))
        for name in ("losses", "errors"):
            self.register_buffer(name, torch.zeros(len(SCALES), dtype=torch.float64))

    def keep(self, chosen: bytes | None) -> None:
        """Take what ``Chosen`` is as JSON."""
        for name, value in json.loads(chosen or b"{}").items():
            self.get_buffer(name).copy_(torch.tensor(value))

    def chosen(self) -> Chosen:
        losses, errors = (tuple(v.tolist()) for v in (self.losses, self.errors))
        return Chosen(float(self.scale), int(self.images), losses, errors)
