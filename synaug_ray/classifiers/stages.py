"""What happens in and between the two stages of a trial: mixtures of images, a new head, LEEP, batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synaug_ray.common.keys import derive_seed
from synaug_ray.plan.steps import TrialStep

NORMS = (nn.modules.batchnorm._BatchNorm,)


def mixed_up(x: Tensor, trials: Sequence[TrialStep], step: int, mixup: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mix each image of a batch with another one of the batch: mixup (Zhang et al., arXiv 1710.09412).

    Args:
        x: images [K, B, C, H, W] of the K ``trials``, whose order and share depend on their seed and the step alone.
        mixup: a of the Beta(a, a) of a batch's share; positive.

    Returns:
        The mixtures; int64 [K, B], the partners' places; [K, 1], the weight of the loss for the images' own labels.
    """
    own = []
    partners = []
    for trial in trials:
        rng = np.random.default_rng(derive_seed("mixup", trial.common_seed, step))
        own.append(rng.beta(mixup, mixup))
        partners.append(torch.from_numpy(rng.permutation(x.shape[1])))
    share = torch.tensor(own, dtype=x.dtype, device=x.device)[:, None]
    partner = torch.stack(partners).to(x.device)
    others = torch.stack([images[at] for images, at in zip(x, partner, strict=True)])
    weight = share[:, :, None, None, None]
    return weight * x + (1 - weight) * others, partner, share


def head_names(net: nn.Module) -> frozenset[str]:
    """The names of the parameters of a classifier's last layer."""
    if isinstance(net, nn.Sequential):
        heads = [net[-1]]
    else:
        inner = net if hasattr(net, "get_classifier") else net.net
        found = inner.get_classifier()  # type: ignore[operator, union-attr]
        heads = list(found) if isinstance(found, (tuple, list)) else [found]
    inside = {id(parameter) for head in heads for parameter in head.parameters()}
    return frozenset(name for name, parameter in net.named_parameters() if id(parameter) in inside)


def head_seed(trial: TrialStep) -> int:
    """Of the weights of a new head: the same in all cells of a draw and seed, so that they can be paired.

    Not those that the training began with: features that have learnt beside a head fit it, also where its labels were
    wrong.
    """
    return derive_seed("head", trial.common_seed)


def renew_statistics(net: nn.Module, momenta: dict[str, float | None], step: int) -> None:
    """Prepare batch normalisation for the batch ``step`` of a stage, from 0, so that its statistics begin anew there.

    They are the mean over the stage's batches until the layers' own ``momenta`` forget faster. Otherwise means and
    variances of synthetic images would remain in the network that is tested on real ones.
    """
    for name, module in net.named_modules():
        if not isinstance(module, NORMS):
            continue
        own = momenta[name]
        if own is not None:
            module.momentum = max(own, 1 / (step + 1))
        elif not step and module.training:  # the mean over all batches: frozen layers keep theirs
            module.reset_running_stats()


def momenta(net: nn.Module) -> dict[str, float | None]:
    """The momentum of each layer of batch normalisation, by name."""
    return {name: module.momentum for name, module in net.named_modules() if isinstance(module, NORMS)}


def leep(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Log expected empirical prediction (Nguyen et al., arXiv 2002.12462): how well a classifier transfers to images.

    The mean over the images of the log-likelihood, in nats, of their labels under a classifier that draws a class z by
    the given probabilities, and then a label by its empirical distribution given z. At most 0, higher is better.

    Args:
        probabilities: of the classes that the network knows, [N, Z].
        labels: of the images, from 0, [N].
    """
    theta = np.asarray(probabilities, dtype=np.float64)
    classes = int(labels.max()) + 1
    joint = np.stack([theta[labels == y].sum(axis=0) for y in range(classes)]) / len(theta)  # [Y, Z]
    given = joint / np.maximum(joint.sum(axis=0), np.finfo(np.float64).tiny)
    return float(np.mean(np.log((theta @ given.T)[np.arange(len(theta)), labels])))
