"""The GAN of vision transformers: which synthetic images its head learns from, learnt weights, and its controls."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE

from synaug_ray.config.vit_gan_recipe import ViTGANRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import registry, vit_gan
from synaug_ray.generators.vit import ViTDiscriminator, ViTGenerator

SMALL = ViTGANRecipe(name="small", width=16, depth=1, nimg=16 * 60, batch=16, learning_rate=2e-3)
TWO = ("dark", "bright")


def gaussians(count, seed):
    """Two classes of 8x8 images whose mean brightness differs by one standard deviation of a pixel."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 2
    pixels = 128 + 20 * (2 * labels - 1)[:, None, None, None] + 40 * rng.standard_normal((count, 1, 8, 8))
    return ImageSet(pixels.clip(0, 255).astype(np.uint8), labels)


def error(generator, images):
    return float((generator.log_probabilities(images.images, DEVICE).argmax(1) != images.labels).mean())


@pytest.fixture(scope="module")
def arms():
    """The three arms on 24 images, by what their heads learn from."""
    recipes = (SMALL, *SMALL.controls())
    return {r.arm: vit_gan.train(r, gaussians(24, 0), TWO, 1, DEVICE)[0] for r in recipes}


def test_the_head_knows_two_gaussians_as_well_as_the_head_alone(arms):
    test = gaussians(400, 1)
    wrong = {arm: error(generator, test) for arm, generator in arms.items()}
    noise = 2 * np.sqrt(0.05 * 0.95 / 400)
    assert max(wrong.values()) < 0.1  # the best possible answer errs on none in a thousand
    assert wrong["selected"] <= wrong["alone"] + noise


def test_learnt_weights_are_those_of_their_losses(arms):
    for arm, generator in arms.items():
        notes = generator.head_notes
        weights = [value for name, value in notes.items() if name.startswith("weight")]
        assert all(np.isfinite(w) and 0 < w <= np.exp(vit_gan.MOST_LOG_WEIGHT) for w in weights)
        assert len(weights) == (1 if arm == "alone" else 2)
    selected, every = (arms[arm].head_notes["fakes_selected"] for arm in ("selected", "unselected"))
    assert 0 <= selected < every == 1


@pytest.mark.parametrize("loss", [0.5, 2.0])
def test_a_weight_ends_at_one_over_its_loss(loss):
    log_weight = torch.zeros((), requires_grad=True)
    descent = torch.optim.SGD([log_weight], 0.5)
    for _ in range(100):
        descent.zero_grad()
        vit_gan.weighted(torch.tensor(loss), log_weight).backward()
        descent.step()
    assert float(log_weight.detach().exp()) == pytest.approx(1 / loss, rel=1e-3)


def test_weights_stay_within_their_bounds_where_the_loss_vanishes():
    """Blank classes that one pixel tells apart: the loss falls to nothing, and one over it is without bound."""
    images = ImageSet(np.repeat(np.array([0, 255], np.uint8), 64).reshape(2, 1, 8, 8), np.arange(2))
    recipe = SMALL.controls()[0].model_copy(update={"learning_rate": 0.05, "augment": (), "nimg": 16 * 150})
    generator, _ = vit_gan.train(recipe, images, TWO, 0, DEVICE)
    assert error(generator, images) == 0
    assert generator.head_notes["weight_real"] == pytest.approx(np.exp(vit_gan.MOST_LOG_WEIGHT), rel=0.2)


def test_a_perfect_head_keeps_no_image_whose_label_is_another():
    rng = torch.Generator().manual_seed(0)
    shown = torch.randint(0, 5, (200,), generator=rng)  # the class that an image shows
    asked = torch.where(torch.arange(200) % 2 == 0, shown, (shown + 1) % 5)  # every other label is wrong
    logits = 20.0 * torch.nn.functional.one_hot(shown, 5)
    scores = torch.full((200,), 2.0)
    kept = vit_gan.selected(torch.linspace(-1, 1, 64), scores, logits, asked, 0.5)
    assert torch.equal(kept, shown == asked)


def test_an_image_below_the_lower_quartile_of_real_scores_is_not_kept():
    real = torch.arange(16.0)  # a quarter of them is below 4
    logits, labels = torch.tensor([[9.0, 0.0]]).repeat(4, 1), torch.zeros(4, dtype=torch.long)
    kept = vit_gan.selected(real, torch.tensor([3.0, 4.0, 4.5, 20.0]), logits, labels, 0.5)
    assert kept.tolist() == [False, False, True, True]


@pytest.mark.parametrize("own,kept", [(0.49, False), (0.51, True)])
def test_the_own_label_has_to_be_above_the_threshold(own, kept):
    logits = torch.tensor([[own, 1 - own]]).log()
    assert bool(vit_gan.selected(torch.zeros(4), torch.ones(1), logits, torch.tensor([0]), 0.5)) == kept


def test_arms_start_from_the_same_weights_and_the_head_alone_trains_no_generator():
    recipes = (SMALL, *SMALL.controls())
    assert len({r.seed_key for r in recipes}) == 1 and len({r.key for r in recipes}) == 3
    assert {r.arm for r in recipes} == {"selected", "unselected", "alone"}
    one, two = (
        vit_gan.train(r.model_copy(update={"nimg": nimg}), gaussians(24, 0), TWO, 1, DEVICE)[0].net.state_dict()
        for r, nimg in ((SMALL.controls()[0], 16), (SMALL.controls()[0], 48))
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_labels_change_images_and_scores_but_not_the_heads_answer():
    torch.manual_seed(0)
    generator = ViTGenerator((3, 8, 16), 3, 4, 16, 1, 2, 4)
    discriminator = ViTDiscriminator((3, 8, 16), 3, 4, 16, 1, 2)
    z, labels = torch.randn(2, 4), (torch.tensor([0, 0]), torch.tensor([1, 1]))
    one, other = (generator(z, y) for y in labels)
    assert one.shape == (2, 3, 8, 16) and not torch.allclose(one, other)
    (score, logits), (moved, same) = (discriminator(one, y) for y in labels)
    assert score.shape == (2,) and logits.shape == (2, 3)
    assert not torch.allclose(score, moved) and torch.equal(logits, same)


def test_patches_are_where_the_image_has_them():
    """Cut by the discriminator and put together by the generator, an image is itself again."""
    generator = ViTGenerator((2, 8, 12), 2, 4, 32, 1, 2, 4)
    discriminator = ViTDiscriminator((2, 8, 12), 2, 4, 32, 1, 2)
    image = torch.rand(1, 2, 8, 12) - 0.5
    tokens = []
    discriminator.first.register_forward_pre_hook(lambda _, inputs: tokens.append(inputs[0]))
    discriminator.features(image)
    generator.last = torch.nn.Identity()
    generator.last.forward = lambda x: tokens[0]
    assert torch.allclose(generator(torch.zeros(1, 4), torch.tensor([0])), torch.tanh(image))


def test_answers_do_not_depend_on_how_many_images_are_asked_for(arms):
    images = gaussians(300, 2)
    whole = arms["selected"].log_probabilities(images.images, DEVICE)
    assert np.array_equal(whole[:5], arms["selected"].log_probabilities(images.images[:5], DEVICE))
    assert np.allclose(np.exp(whole).sum(1), 1)


def test_the_head_is_in_the_files(arms):
    images = gaussians(20, 3).images
    for generator in arms.values():
        again = registry.from_files(generator.files())
        assert again.head_notes == generator.head_notes
        assert np.array_equal(again.log_probabilities(images, DEVICE), generator.log_probabilities(images, DEVICE))
        assert replace(again, build=generator.build).files() == generator.files()
