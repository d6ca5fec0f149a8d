"""Packs: a trial's bits do not depend on its companions, and equal plain training to rounding."""

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE
from torch import nn

from synaug_ray.classifiers import models, train
from synaug_ray.classifiers.schedule import num_steps, schedule
from synaug_ray.classifiers.train import Member, train_pack
from synaug_ray.common.errors import UsageProblem
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.presets import GENERATORS, SAMPLERS
from synaug_ray.config.recipes import ClassifierRecipe, Optimiser
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import Draws
from synaug_ray.plan.steps import GeneratorStep, Pool, TrialStep
from synaug_ray.plan.subset import Subset

RECIPE = ClassifierRecipe(name="mlp", nimg=6_400, pack=4)


@pytest.fixture(scope="module")
def members(digits, digits_identity):
    draws, made = Draws(digits.train, 10), []
    for n, draw, seed in ((20, 0, 0), (20, 0, 1), (60, 1, 0), (100, 2, 0)):
        subset = Subset(digits_identity, n, draw)
        images = digits.train.take(draws.index(subset))
        made.append(Member(TrialStep(subset, None, 0, "real-only", None, RECIPE, seed), images))
    return made


@pytest.fixture(scope="module")
def outcomes(members, digits):
    torch.set_num_threads(1)
    return train_pack(members, digits.val, digits.test, 10, DEVICE)


@pytest.mark.parametrize("companions", [[2], [2, 0], [3, 2, 1, 0], [2, 2, 2]])
def test_bits_do_not_depend_on_companions(members, outcomes, digits, companions):
    again = train_pack([members[i] for i in companions], digits.val, digits.test, 10, DEVICE)
    place = companions.index(2)
    assert np.array_equal(again[place].probability, outcomes[2].probability)
    assert np.array_equal(again[place].predicted, outcomes[2].predicted)
    assert again[place].val_error == outcomes[2].val_error


def test_equals_plain_training(members, outcomes, digits):
    """The textbook loop on one network, written without packs, gives the same probabilities to rounding."""
    m = members[2]
    net = models.build(RECIPE, (1, 8, 8), 10, derive_seed("weights", m.trial.common_seed))
    steps = num_steps(RECIPE)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
    schedule_ = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: min(1, (k + 1) / (0.05 * steps)) * 0.5 * (1 + np.cos(np.pi * k / steps))
    )
    x = torch.from_numpy(m.images.images.astype(np.float32)) / 127.5 - 1
    y = torch.from_numpy(m.images.labels)
    for index in schedule(m.trial):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[index]), y[index]).backward()
        optimiser.step()
        schedule_.step()
    with torch.no_grad():
        p = net(torch.from_numpy(digits.test.images.astype(np.float32)) / 127.5 - 1).softmax(1).numpy()
    true = p[np.arange(len(digits.test)), digits.test.labels]
    assert np.abs(true - outcomes[2].probability).max() < 1e-3
    assert (p.argmax(1) == outcomes[2].predicted).mean() > 0.998


def test_it_learns(outcomes, digits):
    """More real images, less error; far better than chance (0.9)."""
    errors = [float((o.predicted != digits.test.labels).mean()) for o in outcomes]
    assert errors[0] < 0.45 and errors[3] < 0.2 < errors[0]


def test_a_timm_network_trains_alone(digits, digits_identity):
    """Batch normalisation and all, at pack 1, with augmentation; the stem keeps 8x8 images' pixels."""
    recipe = ClassifierRecipe(
        name="r",
        family="timm",
        model="resnet10t",
        nimg=256,
        batch=32,
        pack=1,
        flip=True,
        shift=1,
        optimiser=Optimiser(family="sgd", learning_rate=0.05),
    )
    subset = Subset(digits_identity, 40, 0)
    member = Member(
        TrialStep(subset, None, 0, "real-only", None, recipe, 0),
        digits.train.take(Draws(digits.train, 10).index(subset)),
    )
    small = digits.test.take(np.arange(50))
    outcome = train_pack([member], small, small, 10, DEVICE)[0]
    assert np.isfinite(outcome.probability).all() and outcome.nimg == 256


@pytest.mark.parametrize("precision,apart", [("fp32", 1e-5), ("bf16", 0.05)])
def test_a_cnn_learns_in_either_precision_and_predicts_as_its_plain_module_does(
    digits, digits_identity, precision, apart, monkeypatch
):
    """bf16 rounds to 8 bits: probabilities move by a few hundredths, not more."""
    recipe = ClassifierRecipe(name="c", family="cnn", widths=(8, 16), nimg=12_800, pack=1, precision=precision)
    subset, kept = Subset(digits_identity, 200, 0), []
    monkeypatch.setattr(train, "build", lambda *args: kept.append(models.build(*args)) or kept[-1])
    member = Member(
        TrialStep(subset, None, 0, "real-only", None, recipe, 0),
        digits.train.take(Draws(digits.train, 10).index(subset)),
    )
    outcome = train_pack([member], digits.val, digits.test, 10, DEVICE)[0]
    assert (outcome.predicted != digits.test.labels).mean() < 0.2  # chance is 0.9
    x = torch.from_numpy(digits.test.images.astype(np.float32)) / 127.5 - 1
    with torch.no_grad():
        p = kept[0].cpu().eval()(x).softmax(1)[torch.arange(len(x)), torch.tensor(digits.test.labels)].numpy()
    assert np.abs(p - outcome.probability).max() < apart
    assert kept[0][0].weight.dtype == torch.float32


def test_small_stem_keeps_resolution():
    net = models.build(ClassifierRecipe(name="r", family="timm", model="resnet18", pack=1), (3, 32, 32), 10, 0)
    assert net.conv1.kernel_size == (3, 3) and net.conv1.stride == (1, 1)
    assert isinstance(net.maxpool, nn.Identity)
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_unknown_timm_model_has_a_did_you_mean():
    with pytest.raises(UsageProblem, match="timm has no 'resnet-18'. Did you mean 'resnet18'"):
        models.check(ClassifierRecipe(name="r", family="timm", model="resnet-18", pack=1), None)


def mixture(digits, identity, recipe, weight=None, share=0.5, seed=0):
    """20 real images and 20 of their own copies with wrong labels, as a pool would come."""
    subset = Subset(identity, 20, 0)
    pool = Pool(GeneratorStep(subset, GENERATORS["label-shuffle"]), SAMPLERS["dpmpp-8"])
    real = digits.train.take(Draws(digits.train, 10).index(subset))
    images = ImageSet(np.tile(real.images, (2, 1, 1, 1)), np.r_[real.labels, (real.labels + 1) % 10])
    return Member(TrialStep(subset, pool, 20, "mixed", share, recipe, seed, real_weight=weight), images)


def trained(members, parts=1):
    return train.train_only(members, 10, DEVICE, parts=parts).weights()


SHORT = RECIPE.model_copy(update={"nimg": 640, "label_smoothing": 0.1})
WEIGHTED_CNN = ClassifierRecipe(name="c", family="cnn", widths=(4, 8), nimg=640, pack=1)


@pytest.mark.parametrize("recipe", [SHORT, WEIGHTED_CNN], ids=["pack", "single"])
def test_a_weight_of_the_share_gives_the_bits_of_no_weight(digits, digits_identity, recipe):
    """Weighed 1 each, the losses have the gradient that they have without weights; 0.9 has another."""
    plain, equal, other = (trained([mixture(digits, digits_identity, recipe, w)]) for w in (None, 0.5, 0.9))
    assert all(torch.equal(equal[name], plain[name]) for name in plain)
    assert any(not torch.equal(other[name], plain[name]) for name in plain)


def test_a_weighted_companion_changes_no_bits(digits, digits_identity):
    plain = mixture(digits, digits_identity, SHORT)
    beside = mixture(digits, digits_identity, SHORT, 0.9, seed=1)
    alone, together = trained([plain]), trained([plain, beside])
    assert all(torch.equal(alone[name], together[name]) for name in alone)
    weighted = trained([beside]), trained([beside, plain])
    assert all(torch.equal(*(w[name] for w in weighted)) for name in alone)


@pytest.mark.parametrize("parts", [1, 4])
def test_the_gradient_of_a_weight_is_that_of_replicated_rows(digits, digits_identity, parts):
    """Weight 0.75 at half real: as if each real row of a batch were there three times, each synthetic one once."""
    sgd = Optimiser(family="sgd", learning_rate=1.0, weight_decay=0.0, momentum=0.0, warmup=0.0)
    recipe = RECIPE.model_copy(update={"nimg": 64, "optimiser": sgd, "pack": 1, "label_smoothing": 0.1})
    m = mixture(digits, digits_identity, recipe, 0.75)
    net = models.build(recipe, (1, 8, 8), 10, derive_seed("weights", m.trial.common_seed))
    (index,) = schedule(m.trial)
    rows = torch.cat([index[index < 20].repeat(3), index[index >= 20]])
    x = torch.from_numpy(m.images.images.astype(np.float32)) / 127.5 - 1
    y = torch.from_numpy(m.images.labels)
    nn.functional.cross_entropy(net(x[rows]), y[rows], label_smoothing=0.1).backward()
    after = trained([m], parts)
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(after[name], (parameter - parameter.grad).detach(), rtol=1e-4, atol=1e-6)
