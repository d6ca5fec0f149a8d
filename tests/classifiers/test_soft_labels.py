"""Protocol soft-labels: equal to distillation written plainly, and mended labels where the teacher knows better."""

import numpy as np
import torch
from helpers.devices import DEVICE
from torch import nn

from synaug_ray.classifiers.models import build
from synaug_ray.classifiers.schedule import schedule
from synaug_ray.classifiers.soft_labels import softened
from synaug_ray.classifiers.train import Member, train_pack
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.presets import GENERATORS, SAMPLERS
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import Draws
from synaug_ray.plan.steps import GeneratorStep, Pool, TrialStep
from synaug_ray.plan.subset import Subset

RECIPE = ClassifierRecipe(name="mlp", nimg=1_280, pack=4, widths=(32,))
N = 40


def member(digits, identity, protocol, log_p=None, seed=0):
    """40 real images and as many held-out ones with wrong labels; ``log_p`` are what the teacher sees in those."""
    subset = Subset(identity, N, 0)
    pool = Pool(GeneratorStep(subset, GENERATORS["label-shuffle"]), SAMPLERS["dpmpp-8"])
    order = Draws(digits.train, 10).order(subset)
    found = digits.train.take(order[: 2 * N])
    images = ImageSet(found.images, np.r_[found.labels[:N], (found.labels[N:] + 1) % 10])
    soft = None if log_p is None else softened(log_p)
    return Member(TrialStep(subset, pool, N, protocol, None, RECIPE, seed), images, soft), found.labels[N:]


def known(labels):
    """Log-probabilities of a teacher that is nearly sure of ``labels``."""
    p = np.full((len(labels), 10), 1e-6)
    p[np.arange(len(labels)), labels] = 1
    return np.log(p / p.sum(1, keepdims=True))


def trained(members, digits):
    torch.set_num_threads(1)
    return train_pack(members, digits.val, digits.test, 10, DEVICE)


def test_it_is_distillation_as_written_in_a_loop(digits, digits_identity):
    log_p = np.log(np.random.default_rng(0).dirichlet(np.ones(10), N))
    m, _ = member(digits, digits_identity, "soft-labels", log_p)
    net = build(RECIPE, (1, 8, 8), 10, derive_seed("weights", m.trial.common_seed))
    x, y = torch.from_numpy(m.images.images.astype(np.float32)) / 127.5 - 1, torch.from_numpy(m.images.labels)
    teacher = torch.from_numpy(log_p).div(2).softmax(1).float()
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
    order = schedule(m.trial)
    for k, batch in enumerate(order):
        rate = min(1, (k + 1) / max(1, 0.05 * len(order))) * 0.5 * (1 + np.cos(np.pi * k / len(order)))
        optimiser.param_groups[0]["lr"] = 3e-3 * rate
        loss = torch.zeros(())
        for i in batch.tolist():
            logits = net(x[i : i + 1])
            hard = nn.functional.cross_entropy(logits, y[i : i + 1])
            if i >= N:
                soft = nn.functional.cross_entropy(logits / 2, teacher[i - N : i - N + 1])
                hard = 0.5 * hard + 0.5 * 4 * soft
            loss = loss + hard / len(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    test = torch.from_numpy(digits.test.images.astype(np.float32)) / 127.5 - 1
    with torch.no_grad():
        p = net(test).softmax(1).numpy()[np.arange(len(test)), digits.test.labels]
    assert np.abs(p - trained([m], digits)[0].probability).max() < 1e-3


def test_a_teacher_that_knows_the_classes_undoes_most_of_wrong_labels(digits, digits_identity):
    _, true = member(digits, digits_identity, "mixed")
    members = [
        member(digits, digits_identity, protocol, log_p)[0]
        for protocol, log_p in (("mixed", None), ("soft-labels", known(true)))
    ]
    mixed, soft = ((trained([m], digits)[0].predicted != digits.test.labels).mean() for m in members)
    assert soft < mixed - 0.1


def test_bits_do_not_depend_on_companions(digits, digits_identity):
    mine, true = member(digits, digits_identity, "soft-labels", known(np.zeros(N, int)))
    other, _ = member(digits, digits_identity, "soft-labels", known(true), seed=1)
    alone, together = trained([mine], digits)[0], trained([other, mine], digits)[1]
    assert np.array_equal(alone.probability, together.probability)
    assert mine.trial.pack_key != member(digits, digits_identity, "mixed")[0].trial.pack_key
