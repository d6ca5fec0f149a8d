"""What a trial sees, batch by batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synaug_ray.classifiers.schedule import augment, image_weights, num_steps, schedule, sources_of, stages_of
from synaug_ray.config.presets import GENERATORS, SAMPLERS, sampler_of
from synaug_ray.config.protocols import PROTOCOLS
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.config.sampling import Guide
from synaug_ray.data.subsets import class_sequence, sources_in_turn
from synaug_ray.plan.steps import GeneratorStep, Pool, TrialStep
from synaug_ray.plan.subset import Subset

RECIPE = ClassifierRecipe(name="mlp", nimg=3_200, batch=32)
N, S = 20, 60


def trial(identity, protocol, share=None, s=S, **options):
    """``options`` of a protocol in two stages."""
    subset = Subset(identity, N, 0)
    alone = protocol in ("real-only", "real-then-real")
    pool = None if alone else Pool(GeneratorStep(subset, GENERATORS["jitter"]), SAMPLERS["dpmpp-8"])
    stages = PROTOCOLS[protocol].model_copy(update=options) if protocol in PROTOCOLS else None
    return TrialStep(subset, pool, 0 if alone else s, protocol, share, RECIPE, 0, stages=stages)


@pytest.mark.parametrize(
    "protocol,share",
    [
        ("real-only", None),
        ("mixed", None),
        ("mixed", 0.5),
        ("mixed", 0.75),
        ("synthetic-only", None),
        ("pretrain", None),
        ("bridged", None),
        ("real-then-real", None),
        ("local-replacement", None),
        ("local-replacement", 0.5),
        ("soft-labels", None),
        ("soft-labels", 0.5),
    ],
)
def test_every_cell_sees_the_same_number_of_images(digits_identity, protocol, share):
    asked = trial(digits_identity, protocol, share)
    index = schedule(asked, sources_of(asked, np.zeros(N + S, np.int64)))
    assert index.shape == (num_steps(RECIPE), RECIPE.batch) and index.numel() == RECIPE.nimg
    assert int(index.min()) >= 0 and int(index.max()) < N + (0 if protocol.startswith("real-") else S)


def test_shares_hold_in_each_batch(digits_identity):
    for share, real in ((0.5, 16), (0.75, 24)):
        index = schedule(trial(digits_identity, "mixed", share))
        assert ((index < N).sum(1) == real).all()


def test_proportional_sees_every_image_equally_often(digits_identity):
    counts = np.bincount(schedule(trial(digits_identity, "mixed")).flatten(), minlength=N + S)
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("share,s", [(None, S), (0.5, S), (0.9, 30)])
def test_real_images_are_replaced_by_their_own_variations(digits_identity, share, s):
    asked = trial(digits_identity, "local-replacement", share, s)
    sources = sources_of(asked, np.zeros(N + s, np.int64))
    assert (sources == np.arange(s) % N).all()  # image i of jitter is of real image i
    index, real = schedule(asked, sources), schedule(trial(digits_identity, "real-only"))
    kept = index < N
    assert torch.equal(torch.where(kept, index, torch.from_numpy(np.resize(sources, N + s))[index - N]), real)
    wanted = N / (N + s) if share is None else share
    assert abs(float(kept.double().mean()) - wanted) < 4 * (0.25 / real.numel()) ** 0.5
    seen = np.bincount(index.flatten(), minlength=N + s)[N:]
    assert abs(seen - seen.mean()).max() < 6 * seen.mean() ** 0.5 + (seen.mean() if s % N else 0)


def test_an_image_without_variations_stays(digits_identity):
    index = schedule(trial(digits_identity, "local-replacement", 0.01, 3), np.array([7, 7, 2]))
    real = schedule(trial(digits_identity, "real-only"))
    assert set(real[index >= N].tolist()) == {2, 7}
    assert set(index[real == 7].tolist()) >= {N, N + 1} and set(index[real == 2].tolist()) <= {2, N + 2}


def test_guided_images_vary_the_real_ones_that_they_start_from(digits, digits_identity):
    real = digits.train.take(np.arange(N))
    guided = GENERATORS["edm-tiny"].model_copy(update={"guide": Guide(strength=0.3)})
    pool = Pool(GeneratorStep(Subset(digits_identity, N, 0), guided), sampler_of(guided, SAMPLERS["dpmpp-8"]))
    asked = TrialStep(Subset(digits_identity, N, 0), pool, S, "local-replacement", None, RECIPE, 0)
    counts = np.bincount(real.labels, minlength=10)
    labels = np.concatenate([real.labels, class_sequence(counts, S)])
    assert (sources_of(asked, labels) == sources_in_turn(real.labels, counts, S)).all()


def test_pretrain_is_synthetic_then_real(digits_identity):
    index = schedule(trial(digits_identity, "pretrain"))
    half = len(index) // 2
    assert (index[:half] >= N).all() and (index[half:] < N).all()


@pytest.mark.parametrize("share,first", [(0.5, 50), (0.25, 25), (0.001, 1), (0.999, 99)])
def test_stage_one_of_a_bridged_trial_is_synthetic_and_stage_two_real(digits_identity, share, first):
    staged = trial(digits_identity, "bridged", first_share=share)
    index = schedule(staged)
    assert stages_of(staged) == (range(first), range(first, 100))
    assert (index[:first] >= N).all() and (index[first:] < N).all()
    alone = schedule(trial(digits_identity, "real-then-real", first_share=share))
    assert (alone < N).all() and torch.equal(alone[first:], index[first:])  # only stage one differs


def test_any_other_trial_has_one_stage(digits_identity):
    for protocol in ("real-only", "mixed", "synthetic-only", "pretrain"):
        assert stages_of(trial(digits_identity, protocol)) == (range(100),)


def test_as_many_copies_of_the_real_images_come_in_the_order_of_the_control(digits_identity):
    """Image i of a duplicate pool is image i of the Subset, so that the two trainings are the same one."""
    copies = schedule(trial(digits_identity, "bridged", s=N))
    assert torch.equal(copies % N, schedule(trial(digits_identity, "real-then-real")))


def test_order_depends_on_draw_and_seed_and_not_on_the_generator(digits_identity):
    a = trial(digits_identity, "mixed", 0.5)
    other = TrialStep(
        a.subset,
        Pool(GeneratorStep(a.subset, GENERATORS["duplicate"]), SAMPLERS["dpmpp-8"]),
        S,
        "mixed",
        0.5,
        RECIPE,
        0,
    )
    assert torch.equal(schedule(a), schedule(other))
    reseeded = TrialStep(a.subset, a.pool, S, "mixed", 0.5, RECIPE, 1)
    assert not torch.equal(schedule(a), schedule(reseeded))


def test_each_image_is_augmented_on_its_own():
    """One image 64 times over in a batch comes out in many of the 2 x 9 x 9 possible ways."""
    recipe = ClassifierRecipe(name="x", flip=True, shift=4)
    one = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    out = augment(one.expand(64, -1, -1, -1), recipe, 5, 0)
    assert out.shape == (64, 3, 8, 8)
    assert len({x.numpy().tobytes() for x in out}) > 40


def test_augmentation_is_a_flip_and_a_zero_padded_shift():
    recipe = ClassifierRecipe(name="x", flip=True, shift=2)
    x = torch.rand(200, 1, 6, 6, generator=torch.Generator().manual_seed(1)) + 1  # no zeros of its own
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2))
    for before, after in zip(padded, augment(x, recipe, 9, 3), strict=True):
        ways = [before[:, r : r + 6, c : c + 6] for r in range(5) for c in range(5)]
        ways += [before.flip(2)[:, r : r + 6, c : c + 6] for r in range(5) for c in range(5)]
        assert any(torch.equal(after, way) for way in ways)


@pytest.mark.parametrize("share", [None, 0.25, 0.5])
@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_real_images_weigh_their_weight_in_all(digits_identity, share, weight):
    """In every batch with a share; in proportion over whole passes, where every image counts as often."""
    weighted = replace(trial(digits_identity, "mixed", share), real_weight=weight)
    of_real, of_synthetic = image_weights(weighted)
    index = schedule(weighted)
    if share is None:
        passes = index.flatten()[: (N + S) * (index.numel() // (N + S))]
        losses = torch.where(passes < N, of_real, of_synthetic).double()
        assert float(losses[passes < N].sum() / losses.sum()) == pytest.approx(weight)
        assert float(losses.mean()) == pytest.approx(1)
    else:
        losses = torch.where(index < N, of_real, of_synthetic).double()
        np.testing.assert_allclose((losses * (index < N)).mean(1), weight, rtol=1e-6)
        np.testing.assert_allclose(losses.mean(1), 1, rtol=1e-6)


def test_without_a_weight_images_weigh_one(digits_identity):
    assert image_weights(trial(digits_identity, "mixed", 0.3)) == (1, 1)
