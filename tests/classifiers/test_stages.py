"""Trainings in two stages: their schedule, the new head, batch normalisation, mixtures, LEEP, and oracles."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE
from torch import nn

from synaug_ray.classifiers import train
from synaug_ray.classifiers.models import build
from synaug_ray.classifiers.networks import Single
from synaug_ray.classifiers.schedule import schedule, stages_of
from synaug_ray.classifiers.stages import head_names, head_seed, leep, mixed_up
from synaug_ray.classifiers.train import Member, train_only, train_pack
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.generator_recipes import ReferenceRecipe
from synaug_ray.config.presets import REPLAY
from synaug_ray.config.protocols import PROTOCOLS
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.images import concatenate
from synaug_ray.data.subsets import Draws
from synaug_ray.generators.reference import reference_images
from synaug_ray.plan.plan import packs
from synaug_ray.plan.steps import GeneratorStep, Pool, TrialStep
from synaug_ray.plan.subset import Subset

RECIPE = ClassifierRecipe(name="mlp", nimg=1_280, pack=4, widths=(32,))
CNN = ClassifierRecipe(name="cnn", family="cnn", widths=(4, 8), nimg=1_280, pack=1)
N = 40


def member(digits, identity, protocol, family="real-holdout", s=N, recipe=RECIPE, n=N, seed=0, draw=0, **options):
    """A trial with its images; ``options`` of the stages."""
    subset = Subset(identity, n, draw)
    generator = ReferenceRecipe(family=family, name=family)
    draws = Draws(digits.train, digits.num_classes)
    images = digits.train.take(draws.index(subset))
    alone = protocol in ("real-only", "real-then-real")
    if not alone:
        order = draws.order(subset)
        images = concatenate(images, reference_images(generator, digits.train, order, n, range(s), 0))
    stages = PROTOCOLS[protocol].model_copy(update=options) if protocol in PROTOCOLS else None
    pool = None if alone else Pool(GeneratorStep(subset, generator), REPLAY)
    return Member(TrialStep(subset, pool, 0 if alone else s, protocol, None, recipe, seed, stages=stages), images)


def trained(members, digits):
    torch.set_num_threads(1)
    return train_pack(members, digits.val, digits.test, 10, DEVICE)


def textbook(m, digits):
    """Two trainings, one after the other, of one network without packs; the network after each."""
    first, second = stages_of(m.trial)
    net = build(RECIPE, (1, 8, 8), 10, derive_seed("weights", m.trial.common_seed))
    x, y = torch.from_numpy(m.images.images.astype(np.float32)) / 127.5 - 1, torch.from_numpy(m.images.labels)
    order, nets = schedule(m.trial), []
    for stage in (first, second):
        if stage is second and m.trial.stages.reset_head:
            new = build(RECIPE, (1, 8, 8), 10, head_seed(m.trial))
            net[-1].load_state_dict(new[-1].state_dict())
        steps = len(stage)
        optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
        rates = torch.optim.lr_scheduler.LambdaLR(
            optimiser,
            lambda k, n=steps: min(1, (k + 1) / max(1, 0.05 * n)) * 0.5 * (1 + np.cos(np.pi * k / n)),
        )
        for index in order[stage.start : stage.stop]:
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[index]), y[index]).backward()
            optimiser.step()
            rates.step()
        with torch.no_grad():
            nets.append((net(x).softmax(1).numpy(), net(to_floats(digits.test)).softmax(1).numpy()))
    return nets


def to_floats(images):
    return torch.from_numpy(images.images.astype(np.float32)) / 127.5 - 1


@pytest.mark.parametrize("options", [{}, {"reset_head": False}, {"first_share": 0.25}])
def test_two_stages_are_two_trainings_one_after_the_other(digits, digits_identity, options):
    """Each with its own optimiser, warm-up and annealing to 0; LEEP is of the first one, on the Subset."""
    m = member(digits, digits_identity, "bridged", mixup=0.0, **options)
    (outcome,) = trained([m], digits)
    (on_own, _), (_, on_test) = textbook(m, digits)
    true = on_test[np.arange(len(digits.test)), digits.test.labels]
    assert np.abs(true - outcome.probability).max() < 1e-3
    assert outcome.leep == pytest.approx(leep(on_own[:N], m.images.labels[:N]), abs=1e-4)
    assert outcome.nimg == RECIPE.nimg


def test_bits_do_not_depend_on_companions_of_another_kind(digits, digits_identity):
    """Bridged trials and their controls of other sizes share packs."""
    mine = member(digits, digits_identity, "bridged", "label-shuffle")
    others = [
        member(digits, digits_identity, "real-then-real", n=60, seed=1),
        member(digits, digits_identity, "bridged", n=20),
    ]
    assert len(packs([m.trial for m in (mine, others[0])])) == 1
    alone = trained([mine], digits)[0]
    for other in others:
        again = trained([other, mine], digits)[1]
        assert np.array_equal(again.probability, alone.probability)
        assert (again.val_error, again.leep) == (alone.val_error, alone.leep)


def test_trials_of_other_stages_are_in_other_packs(digits, digits_identity):
    """A pack has one learning rate, which is a matter of its stages."""
    trials = [
        member(digits, digits_identity, protocol, **options).trial
        for protocol, options in (("mixed", {}), ("bridged", {}), ("bridged", {"mixup": 0.0}), ("real-only", {}))
    ]
    assert sorted(sorted(t.protocol for t in pack) for pack in packs(trials)) == [
        ["bridged"],
        ["bridged"],
        ["mixed", "real-only"],
    ]


def test_a_pack_of_different_stages_is_refused(digits, digits_identity):
    with pytest.raises(ValueError, match="same stages"):
        trained([member(digits, digits_identity, p) for p in ("real-only", "real-then-real")], digits)


@pytest.mark.parametrize("mixup", [0.0, 0.2])
def test_copies_of_the_subset_give_the_bits_of_the_control(digits, digits_identity, mixup):
    """Bridged with as many duplicates as real images is real-then-real."""
    copies = member(digits, digits_identity, "bridged", "duplicate", mixup=mixup)
    control = member(digits, digits_identity, "real-then-real", mixup=mixup)
    a, b = trained([copies, control], digits)
    assert np.array_equal(a.probability, b.probability) and a.val_error == b.val_error
    assert a.leep is not None and b.leep is None  # of images that were trained on, it would say nothing


def test_replacing_images_by_copies_of_themselves_changes_no_bit(digits, digits_identity):
    replaced, real = (member(digits, digits_identity, p, "duplicate") for p in ("local-replacement", "real-only"))
    a, b = trained([replaced, real], digits)
    assert np.array_equal(a.probability, b.probability) and a.val_error == b.val_error


NETS = {
    "mlp": RECIPE,
    "cnn": CNN,
}


class Timms(nn.Module):
    """A network that names its head as timm's do."""

    def __init__(self, heads=1):
        super().__init__()
        self.body, self.heads = nn.Linear(3, 4), nn.ModuleList(nn.Linear(4, 2) for _ in range(heads))

    def get_classifier(self):
        return self.heads[0] if len(self.heads) == 1 else tuple(self.heads)


def test_the_heads_of_networks_of_timm_are_those_that_they_name():
    assert head_names(Timms()) == {"heads.0.weight", "heads.0.bias"}
    assert len(head_names(Timms(2))) == 4  # distilled ones have two
    around = nn.Module()
    around.net = Timms()  # as in a pretrained classifier
    assert head_names(around) == {"net.heads.0.weight", "net.heads.0.bias"}


@pytest.mark.parametrize("name,head", [("mlp", "3"), ("cnn", "15")])
def test_a_new_head_changes_the_head_alone(name, head):
    recipe = NETS[name]
    old, new = (build(recipe, (1, 8, 8), 10, seed) for seed in (0, 1))
    assert head_names(old) == {f"{head}.weight", f"{head}.bias"}
    before = {key: value.clone() for key, value in old.state_dict().items()}
    model = Single(old) if recipe.pack == 1 else train.Pack([old] * recipe.pack)
    model.new_heads([new] * recipe.pack)
    after, given = model.weights(), new.state_dict()
    for key in before:
        assert torch.equal(after[key], given[key] if key in head_names(old) else before[key])
    assert not torch.equal(after[f"{head}.weight"], before[f"{head}.weight"])


def test_the_new_head_is_the_same_in_all_cells_of_a_draw_and_seed(digits, digits_identity):
    made = (("bridged", "duplicate", N), ("bridged", "real-holdout", 20), ("real-then-real", "real-holdout", N))
    seeds = {head_seed(member(digits, digits_identity, *what, n=n).trial) for what in made for n in (20, 40)}
    (seed,) = seeds
    trial = member(digits, digits_identity, "bridged").trial
    assert seed != derive_seed("weights", trial.common_seed)  # features that learnt beside a head fit it
    assert seed != head_seed(replace(trial, seed=1))


def test_no_statistics_of_synthetic_images_remain_in_batch_normalisation(digits, digits_identity):
    """With weights that stay, those after stage two are the control's, to the bit, whatever stage one saw."""
    still = CNN.optimiser.model_copy(update={"learning_rate": 1e-30, "weight_decay": 0.0})
    recipe = CNN.model_copy(update={"nimg": 640, "optimiser": still})
    means = []
    for protocol, family in (("bridged", "label-shuffle"), ("real-then-real", "real-holdout")):
        m = member(digits, digits_identity, protocol, family, recipe=recipe, reset_head=False)
        means.append(train_only([m], 10, torch.device("cpu")).weights()["1.running_mean"])
    assert torch.equal(*means) and means[0].abs().max() > 0


@pytest.mark.parametrize("momentum", [0.1, 0.01, None])
def test_statistics_are_the_mean_of_the_batches_until_momentum_forgets_faster(momentum):
    norm = nn.BatchNorm1d(3, momentum=momentum)
    model = Single(nn.Sequential(norm, nn.Flatten()))
    rng = torch.Generator().manual_seed(0)
    model.net.train()(7 + torch.randn(50, 3, generator=rng))
    batches = torch.randn(30, 20, 3, generator=rng)
    mean = torch.zeros(3)
    for step, batch in enumerate(batches):
        model.renew_statistics(step)
        model.net.train()(batch)
        share = max(momentum or 0, 1 / (step + 1))
        mean = (1 - share) * mean + share * batch.mean(0)
    assert torch.allclose(norm.running_mean, mean, atol=1e-6)
    if momentum != 0.1:
        assert torch.allclose(mean, batches.mean((0, 1)), atol=1e-6)


def test_mixtures_of_a_batch_and_their_loss(digits, digits_identity):
    """The loss of a mixture is that for the mixture of its labels."""
    trials = [member(digits, digits_identity, "bridged", seed=seed).trial for seed in (0, 1)]
    x = torch.rand(2, 16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mixed, partner, share = mixed_up(x, trials, 3, 0.2)
    for k in range(2):
        assert sorted(partner[k].tolist()) == list(range(16)) and 0 <= float(share[k]) <= 1
        assert torch.allclose(mixed[k], share[k] * x[k] + (1 - share[k]) * x[k][partner[k]])
    alone = mixed_up(x[1:], trials[1:], 3, 0.2)
    assert torch.equal(alone[0][0], mixed[1]) and not torch.equal(partner[0], partner[1])
    assert not torch.equal(mixed_up(x, trials, 4, 0.2)[1], partner)
    logits, labels = torch.randn(2, 16, 10), torch.randint(0, 10, (2, 16))
    own = share.expand(2, 16)
    hot = nn.functional.one_hot(labels, 10).float()
    soft = own[..., None] * hot + (1 - own[..., None]) * hot.gather(1, partner[..., None].expand(2, 16, 10))
    expected = -(soft * logits.log_softmax(-1)).sum() / RECIPE.batch
    parts = [
        train.loss_of(logits, labels, own, RECIPE),
        train.loss_of(logits, labels.gather(1, partner), 1 - own, RECIPE),
    ]
    assert torch.allclose(sum(parts), expected, rtol=1e-5)


def test_leep_by_hand():
    """Three images, two classes: P(y, z) = ((1.5, 0.5), (0.2, 0.8)) / 3, so P(y|z) = those over (1.7, 1.3)."""
    theta = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    right = [
        0.9 * 1.5 / 1.7 + 0.1 * 0.5 / 1.3,
        0.6 * 1.5 / 1.7 + 0.4 * 0.5 / 1.3,
        0.2 * 0.2 / 1.7 + 0.8 * 0.8 / 1.3,
    ]
    assert leep(theta, np.array([0, 0, 1])) == pytest.approx(np.mean(np.log(right)), abs=1e-12)


def test_leep_of_networks_that_know_all_and_nothing():
    labels = np.array([0, 1, 2, 2])
    sure = np.eye(3)[labels]
    assert leep(sure, labels) == 0 == leep(sure[:, [2, 0, 1]], labels)  # a permutation of the classes is as good
    entropy = 2 * 0.25 * math.log(4) + 0.5 * math.log(2)
    assert leep(np.full((4, 7), 1 / 7), labels) == pytest.approx(-entropy)


@pytest.mark.slow
def test_generators_with_known_answers(digits, digits_identity):
    """Held-out real images bring most of the way to real-only training on all of them, and wrong labels do little."""
    recipe = ClassifierRecipe(name="mlp", nimg=16_000)

    def error(*what, **more):
        made = [
            member(digits, digits_identity, *what, recipe=recipe, seed=seed, draw=draw, **more)
            for seed in range(4)
            for draw in range(4)
        ]
        return np.mean([(o.predicted != digits.test.labels).mean() for o in trained(made, digits)])

    few, many = error("real-only", n=40), error("real-only", n=200)
    assert few - error("bridged", "real-holdout", s=160) > 0.3 * (few - many) > 0.02
    assert few - error("bridged", "real-holdout", s=160, reset_head=False) > 0.55 * (few - many)
    assert error("mixed", "label-shuffle", s=160) > few + 0.3
    saved = error("bridged", "label-shuffle", s=40)
    assert saved < few + 0.03 and saved < error("bridged", "label-shuffle", s=40, reset_head=False)
