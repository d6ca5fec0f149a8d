"""Which images a trial sees in each batch, and how each image is augmented."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synaug_ray.classifiers.soft_labels import SHARE
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.protocols import LOCAL, SOFT
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.subsets import sources_in_turn
from synaug_ray.plan.steps import TrialStep
from synaug_ray.training.batching import passes, stream


def num_steps(recipe: ClassifierRecipe) -> int:
    """The number of batches of a recipe's training, which sees ``recipe.nimg`` images."""
    return max(1, round(recipe.nimg / recipe.batch))


def stages_of(trial: TrialStep) -> tuple[range, ...]:
    """The batches of each stage of a trial; one stage unless its protocol has two, which have a batch at least."""
    steps = num_steps(trial.classifier)
    if trial.stages is None:
        return (range(steps),)
    first = min(max(round(trial.stages.first_share * steps), 1), steps - 1)
    return range(first), range(first, steps)


def real_per_batch(trial: TrialStep) -> int | None:
    """Real images in each batch of the mixed protocol; None if the mix is in proportion to the counts."""
    if trial.real_share is None:
        return None
    batch = trial.classifier.batch
    return min(max(round(trial.real_share * batch), 1), batch - 1)


def sources_of(trial: TrialStep, labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The real image that each synthetic one is a variation of, by its place in the Subset, int64 [num_synthetic].

    None if the trial's protocol does not ask for it. ``labels`` are those of its images, real ones first.
    """
    if trial.protocol != LOCAL:
        return None
    assert trial.pool is not None
    n, s = trial.subset.num_real, trial.num_synthetic
    if trial.pool.generator.recipe.reference:
        return np.arange(s) % n
    return sources_in_turn(labels[:n], np.bincount(labels[:n]), s)


def schedule(trial: TrialStep, sources: NDArray[np.int64] | None = None) -> Tensor:
    """The order in which a trial sees its images, a function of the trial alone.

    Returns int64 [steps, batch] on the CPU: indices into the trial's images, real ones first.

    - real-only and synthetic-only: reshuffled passes over the images of that kind;
    - mixed, proportional: reshuffled passes over all images together;
    - mixed with a real share: that share of each batch is real; each kind has its own reshuffled passes;
    - soft-labels: as mixed;
    - pretrain: the first half of the training sees synthetic images, the second half real ones, under one schedule of
      the learning rate;
    - bridged: stage one sees synthetic images, stage two real ones, each under a schedule of its own (``stages_of``);
    - real-then-real: the same with real images in stage one, in the order of a pool of as many images;
    - local-replacement: the passes of real-only, in which each image is replaced by one of its own variations, drawn
      anew each time, so often that the real share remains on average. An image without any stays.

    Args:
        sources: ``sources_of`` the trial.
    """
    recipe, n, s = trial.classifier, trial.subset.num_real, trial.num_synthetic
    steps, batch, seed = num_steps(recipe), recipe.batch, trial.common_seed
    real, synthetic = derive_seed("real", seed), derive_seed("synthetic", seed)

    def of(which: str, steps: int, size: int) -> Tensor:
        if which == "synthetic":
            return n + passes(s, synthetic, 0, steps * size).view(steps, size)
        return passes(n if which == "real" else n + s, real, 0, steps * size).view(steps, size)

    if trial.protocol == "real-only":
        index = of("real", steps, batch)
    elif trial.protocol == "synthetic-only":
        index = of("synthetic", steps, batch)
    elif trial.protocol == "pretrain":
        first = steps // 2
        index = torch.cat([of("synthetic", first, batch), of("real", steps - first, batch)])
    elif trial.stages is not None:
        first, second = map(len, stages_of(trial))
        one = passes(s if trial.stages.synthetic else n, synthetic, 0, first * batch).view(first, batch)
        index = torch.cat([one + n if trial.stages.synthetic else one, of("real", second, batch)])
    elif trial.protocol == LOCAL:
        assert sources is not None
        share = n / (n + s) if trial.real_share is None else trial.real_share
        index = _replaced(of("real", steps, batch).numpy(), sources, n, share, derive_seed("replace", seed))
    else:
        k = real_per_batch(trial)
        index = (
            of("both", steps, batch)
            if k is None
            else torch.cat([of("real", steps, k), of("synthetic", steps, batch - k)], 1)
        )
    return index


def _replaced(real: NDArray[np.int64], sources: NDArray[np.int64], n: int, real_share: float, seed: int) -> Tensor:
    """An order of n real images in which a share of 1 - ``real_share`` has become variations, which follow them."""
    rng = np.random.default_rng(seed)
    count, in_order = np.bincount(sources, minlength=n), np.argsort(sources, kind="stable")
    first = count.cumsum() - count
    varies = (rng.random(real.shape) >= real_share) & (count[real] > 0)
    # the last of n equal parts of [0, 1) may round up to n
    chosen = np.minimum((rng.random(real.shape) * count[real]).astype(np.int64), np.maximum(count[real] - 1, 0))
    return torch.from_numpy(np.where(varies, n + in_order[(first[real] + chosen) % len(sources)], real))


def image_weights(trial: TrialStep) -> tuple[float, float]:
    """What each real and each synthetic image of a batch weighs in the mean of its losses.

    With k of B images real, real ones weigh w B / k and synthetic ones (1 - w) B / (B - k), so that real images are
    exactly w of every batch's loss. In proportion, k varies: there a real image weighs w (n + s) / n, a synthetic one
    (1 - w) (n + s) / s, whatever the batch, so that the *expected* loss is w times the mean over the n real images plus
    1 - w times that over the s synthetic ones. Weights by each batch's own k would make an image count the more, the
    fewer of its kind are in the batch, and a batch without any real ones would have no such weight.

    With soft-labels these are the weights of the losses of labels: of a synthetic image the teacher has the rest.
    """
    w, n, s = trial.real_weight, trial.subset.num_real, trial.num_synthetic
    if trial.protocol == SOFT:
        return 1.0, 1 - SHARE
    if w is None:
        return 1.0, 1.0
    k = real_per_batch(trial)
    share = n / (n + s) if k is None else k / trial.classifier.batch
    return w / share, (1 - w) / (1 - share)


def augment(x: Tensor, recipe: ClassifierRecipe, seed: int, step: int) -> Tensor:
    """Random flips and zero-padded shifts, drawn per image: x [B, C, H, W] float, returns the same shape."""
    if not recipe.flip and not recipe.shift:
        return x
    rng, on = stream(derive_seed("augment", seed, step), x.device), x.device
    b, _, h, w = x.shape
    flip = (torch.rand(b, generator=rng, device=on) < 0.5) & recipe.flip
    dy, dx = (torch.randint(-recipe.shift, recipe.shift + 1, (b, 1), generator=rng, device=on) for _ in range(2))
    p = recipe.shift
    padded = torch.nn.functional.pad(x, (p, p, p, p))
    rows = torch.arange(h, device=on) + p + dy  # [B, H]
    columns = torch.arange(w, device=on).expand(b, w)
    columns = torch.where(flip[:, None], w - 1 - columns, columns) + p + dx  # [B, W]
    at = torch.arange(b, device=on)
    return padded[at[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
