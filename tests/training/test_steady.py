"""A training that loses what it had learnt is refused, however often it was killed; others are not."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from synaug_ray.common.errors import Diverged
from synaug_ray.training.checkpoint import module_names
from synaug_ray.training.loop import RECORD, SAVE_EVERY, constant, train_loop
from synaug_ray.training.steady import LossRecord

BATCH = 8
STRETCH = 256  # batches of 8: 2,048 images
LENGTH = 6 * STRETCH


def train(loss, state=None, stop=None, remedy="lower it", batches=LENGTH):
    """Of a network whose losses are given; a state every 64 batches, and none after ``stop``."""
    states, net = [], nn.Linear(1, 1)
    recipe = SimpleNamespace(name="wild", batch=BATCH, ema_half_life=64.0, length=lambda n: batches * BATCH)

    def save(make, nimg):
        states.append(make())
        if nimg == stop:
            raise KeyboardInterrupt

    def step(nimg):
        return (torch.tensor(loss(nimg // BATCH)),)

    adam = torch.optim.Adam(net.parameters())
    try:
        train_loop(recipe, net, {"net": net}, {"adam": adam}, step, constant(0.0), 10, state, save, remedy=remedy)
    except KeyboardInterrupt:
        pass
    return states


def falls(batch):
    return 0.3 + math.exp(-batch / 100) + 0.1 * (batch % 7 - 3)


def lost(batch):
    return falls(batch) if batch < 3 * STRETCH else 0.8


def test_a_loss_that_rises_far_and_stays_there_is_said():
    with pytest.raises(Diverged, match=r"wild: .* was 0\.30. at the lowest, and 0\.800 at the end; lower it"):
        train(lost)
    train(lost, remedy="")  # a GAN's may


def test_others_are_not_refused():
    train(falls)
    train(lambda batch: 0.8 if STRETCH < batch < 3 * STRETCH else falls(batch))  # it recovered
    train(lambda batch: falls(batch) * (1.4 if batch > 4 * STRETCH else 1.0))
    train(lambda batch: 0.1 + batch / 100, batches=STRETCH + 1)  # too short to tell


def test_a_long_training_is_told_by_few_means():
    """A mean of 2,048 such losses, as of memorised images, varies by 15%: the lowest of 500 would be a false alarm."""
    rng, length = np.random.default_rng(0), 500 * 2_048
    for _ in range(10):
        record = LossRecord(2_048, length, torch.device("cpu"))
        for mean in rng.normal(0.3, 0.045, 500):
            record.add(torch.tensor(mean))
        record.check("memorising", "nothing")


@pytest.mark.parametrize("at", [SAVE_EVERY, 3 * STRETCH - SAVE_EVERY, 3 * STRETCH, 4 * STRETCH + SAVE_EVERY])
def test_a_killed_training_is_refused_as_an_unkilled_one(at):
    state = train(lost, stop=at * BATCH)[-1]
    assert RECORD in module_names(state)
    with pytest.raises(Diverged) as killed:
        train(lost, state)
    with pytest.raises(Diverged) as unkilled:
        train(lost)
    assert str(killed.value) == str(unkilled.value)


def test_a_state_of_a_version_without_goes_on_and_what_is_not_known_is_left_out():
    at = STRETCH + SAVE_EVERY  # within a stretch, of whose losses a quarter are gone
    old = train(falls, stop=at * BATCH, remedy="")[-1]
    assert RECORD not in module_names(old)
    train(falls, old)
    with pytest.raises(Diverged):
        train(lambda batch: falls(batch) if batch < 3 * STRETCH else 0.8, old)
